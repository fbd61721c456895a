import { answerLengthOf } from '../kafka/kafka.ts';
import { batchBytesMax } from './accept.ts';
import type { PartitionStream } from './stream.ts';

/**
 * An answer that is too long to be taken does not say whose batch it holds. Who was asked for in it is asked for alone
 * from then on, until it has answered; whoever then has no shorter answer holds up itself and no other.
 */
export class Suspects {
  readonly #left = new Set<PartitionStream>();

  /** The first of them that may be asked for. */
  among(askable: readonly PartitionStream[]): PartitionStream | undefined {
    return this.#left.size === 0 ? undefined : askable.find((stream) => this.#left.has(stream));
  }

  /** A request for these ended so. */
  judge(asked: readonly PartitionStream[], error: unknown): void {
    const length = answerLengthOf(error) ?? 0;
    if (length <= batchBytesMax) return;
    const [only, other] = asked;
    for (const stream of asked) this.#left.add(stream);
    if (only !== undefined && other === undefined)
      only.doubt(
        only.next,
        'too large',
        `its next batch: expected an answer of at most ${batchBytesMax} bytes, got ${length}`,
      );
  }

  /** They have answered. */
  clear(asked: Iterable<PartitionStream>): void {
    if (this.#left.size > 0) for (const stream of asked) this.#left.delete(stream);
  }
}
