import { pause, type Clock } from '../host/host.ts';

/** A broker that hangs is replaced within seconds; what it was asked is given up after a minute. */
const silentMs = 5000;

interface Silence {
  readonly clock: Clock;
  readonly isReplaced: () => Promise<boolean>;
  readonly onReplaced: () => void;
}

/**
 * What `ask` answers. For as long as it does not, whether somebody else leads by now is looked up every few seconds, and
 * told once: who asks takes his question back.
 */
export async function answerOf<T>(ask: () => Promise<T>, o: Silence): Promise<T> {
  const answered = new AbortController();
  void tellIfReplaced(answered.signal, o);
  try {
    return await ask();
  } finally {
    answered.abort();
  }
}

async function tellIfReplaced(
  answered: AbortSignal,
  { clock, isReplaced, onReplaced }: Silence,
): Promise<void> {
  for (;;) {
    await pause(clock, silentMs, answered);
    if (answered.aborted) return;
    const isKnown = await isReplaced().catch(() => false); // nobody could be asked: later
    if (answered.aborted) return;
    if (!isKnown) continue;
    onReplaced();
    return;
  }
}
