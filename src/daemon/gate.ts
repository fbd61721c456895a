import { VarveError } from '../errors.ts';
import { pause, type Host } from '../host/host.ts';
import { runOrder, type Order, type OrderName, type OrderResult } from '../target/target.ts';

export type GateState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'busy'; readonly sinceMs: number }
  /** The child is still there although nobody waits for it: the target hangs. */
  | { readonly kind: 'stuck'; readonly sinceMs: number };

const goneWithinMs = 2000;

/** One child process at a time: while one hangs in the kernel, a second would only hang beside it. */
export class TargetGate {
  readonly #host: Host;
  readonly #stuckMs: number | undefined;
  #state: GateState = { kind: 'idle' };
  #gone: Promise<void> = Promise.resolve();
  /** Of whoever came last: they go one behind the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(host: Host, stuckMs?: number) {
    this.#host = host;
    this.#stuckMs = stuckMs;
  }

  get state(): GateState {
    return this.#state;
  }

  /** Resolves when no child is left. */
  async gone(): Promise<void> {
    await this.#gone;
  }

  /** Says when the order has its turn. */
  async run<Name extends OrderName>(
    order: Omit<Order<Name>, 'onChild' | 'stuckMs'>,
    begun?: () => void,
  ): Promise<OrderResult<Name>> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    begun?.();
    try {
      return await this.#run(order);
    } finally {
      resolve();
    }
  }

  async #run<Name extends OrderName>(
    order: Omit<Order<Name>, 'onChild' | 'stuckMs'>,
  ): Promise<OrderResult<Name>> {
    const { clock } = this.#host;
    if (this.#state.kind === 'stuck') {
      const target = order.settings.repository.dir;
      throw hangs(this.#state, { target, nowMs: clock.nowMs() });
    }
    const sinceMs = clock.nowMs();
    this.#state = { kind: 'busy', sinceMs };
    try {
      return await runOrder(this.#host, {
        ...order,
        ...(this.#stuckMs === undefined ? {} : { stuckMs: this.#stuckMs }),
        onChild: (child) => {
          this.#gone = new Promise((resolve) => {
            child.once('exit', () => {
              this.#state = { kind: 'idle' };
              resolve();
            });
          });
        },
      });
    } finally {
      // One that has answered is gone in a moment; one that hangs, when the kernel lets go of it.
      const waited = new AbortController();
      await Promise.race([this.#gone, pause(clock, goneWithinMs, waited.signal)]);
      waited.abort();
      if (this.#state.kind === 'busy') this.#state = { kind: 'stuck', sinceMs };
    }
  }
}

function hangs(
  state: Extract<GateState, { kind: 'stuck' }>,
  { target, nowMs }: { target: string | undefined; nowMs: number },
): VarveError {
  const forText = `for ${Math.round((nowMs - state.sinceMs) / 1000)} s`;
  return new VarveError(
    'target-unusable',
    `the target ${target} hangs: the last child process has not ended ${forText}`,
    {
      hint: 'look at the mount of repository.dir and at its server; cycles go on by themselves once it answers',
    },
  );
}
