import { VarveError } from '../errors.ts';
import { pause, type Clock } from '../host/host.ts';

/** What an order waits for that was taken and is not begun yet. */
export interface OrderWaits {
  readonly type: 'order-waits';
  readonly for: 'start' | 'cycle' | 'drill' | 'look';
  /** RFC 3339. */
  readonly since: string;
}

/** What runs just now: an order that was not begun waits for it. */
export interface Ahead {
  readonly for: Exclude<OrderWaits['for'], 'start'>;
  readonly sinceMs: number;
}

/** A daemon that needs longer to start has trouble that its log tells. */
const startWithinMs = 60_000;
const startToldAfterMs = 1000;
const toldAfterMs = 2000;

interface Waiting {
  readonly clock: Clock;
  readonly tell: (waits: OrderWaits) => void;
}

/** Resolves once the daemon has started; tells whoever asked that it has not yet. */
export async function untilStarted(
  o: Waiting & { started: Promise<void>; since: string; signal: AbortSignal },
): Promise<void> {
  const { clock, tell, signal } = o;
  const telling = clock.after(startToldAfterMs, () =>
    tell({ type: 'order-waits', for: 'start', since: o.since }),
  );
  const waited = new AbortController();
  const late = pause(clock, startWithinMs, AbortSignal.any([signal, waited.signal])).then(() => 'late');
  try {
    if ((await Promise.race([o.started, late])) !== 'late') return;
  } finally {
    telling.cancel();
    waited.abort();
  }
  if (signal.aborted) {
    throw new VarveError('interrupted', 'the daemon was told to stop before it had started', {
      hint: 'run the command again once the daemon runs',
    });
  }
  throw new VarveError('locked', `the daemon has not started within ${startWithinMs / 1000} s`, {
    hint: 'its log tells what it waits for; run the command again once it follows the cluster',
    retryable: true,
  });
}

/** Does the work, which says when it has its turn; until then whoever asked is told what it waits for. */
export async function tellingWaits<T>(
  { clock, tell, ahead }: Waiting & { ahead: () => Ahead | undefined },
  work: (begun: () => void) => Promise<T>,
): Promise<T> {
  let told: string | undefined;
  let timer = clock.after(toldAfterMs, look);
  function look(): void {
    const found = ahead();
    if (found !== undefined && `${found.for} ${found.sinceMs}` !== told) {
      told = `${found.for} ${found.sinceMs}`;
      tell({ type: 'order-waits', for: found.for, since: new Date(found.sinceMs).toISOString() });
    }
    timer = clock.after(toldAfterMs, look);
  }
  try {
    return await work(() => timer.cancel());
  } finally {
    timer.cancel();
  }
}
