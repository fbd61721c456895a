import { VarveError } from '../errors.ts';
import type { Address } from './address.ts';
import type { KafkaPorts } from './settings.ts';
import { noneAnswered } from './failures.ts';

/** One that has not answered for so long may be hanging: another is asked beside it. */
const silentMs = 2000;

/**
 * Asks one broker after the other, the next one as soon as one has failed or is silent, until one answers. It must do
 * no harm to ask several.
 */
export async function askAnyBroker<T>(
  addresses: readonly Address[],
  o: {
    ask: (address: Address) => Promise<T>;
    /** Nobody waits any more. */
    isOver: () => boolean;
    after: KafkaPorts['after'];
  },
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const failures: VarveError[] = [];
  const waiting = [...addresses];
  let silence: { cancel(): void } | undefined;
  const askNext = (): void => {
    silence?.cancel();
    const address = waiting.shift();
    if (address === undefined) {
      if (failures.length === addresses.length) reject(noneAnswered(failures));
      return;
    }
    silence = o.after(silentMs, askNext);
    o.ask(address).then(resolve, (error: unknown) => {
      if (!(error instanceof VarveError) || !error.retryable || o.isOver()) return reject(error);
      failures.push(error);
      askNext();
    });
  };
  askNext();
  try {
    return await promise;
  } finally {
    silence?.cancel();
  }
}
