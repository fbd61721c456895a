/** Partitions of a topic as one stream of batches, in the order of time as far as their own order allows. */
import type { CoveredBatch } from '../local/local.ts';
import { batchesOf, type PartitionSource } from './stream.ts';

/** So many partitions are read side by side; those behind them follow, for the sake of memory. */
const sideBySideMax = 32;

export interface TimedBatch extends CoveredBatch {
  readonly source: PartitionSource;
}

/**
 * The batch that is oldest by the time of its newest record comes first; a batch never overtakes one of its own
 * partition, whatever its time. It stays as it is until the next one is asked for.
 */
export async function* readByTime(
  sources: readonly PartitionSource[],
): AsyncGenerator<TimedBatch, void, undefined> {
  for (let at = 0; at < sources.length; at += sideBySideMax) {
    const heads = sources.slice(at, at + sideBySideMax).map((source) => new Head(source));
    try {
      await Promise.all(heads.map(async (head) => head.advance()));
      for (let next = oldest(heads); next?.batch !== undefined; next = oldest(heads)) {
        yield { ...next.batch, source: next.source };
        await next.advance();
      }
    } finally {
      await Promise.all(heads.map(async (head) => head.close()));
    }
  }
}

function oldest(heads: readonly Head[]): Head | undefined {
  return heads.reduce<Head | undefined>((best, head) => {
    if (head.batch === undefined) return best;
    return best === undefined || head.atMs < best.atMs ? head : best;
  }, undefined);
}

/** One partition of the source, at its next batch. */
class Head {
  readonly source: PartitionSource;
  readonly #batches: AsyncGenerator<CoveredBatch, void, undefined>;
  batch: CoveredBatch | undefined;
  /** The newest time so far. */
  atMs = -(2n ** 63n);

  constructor(source: PartitionSource) {
    this.source = source;
    this.#batches = batchesOf(source);
  }

  async advance(): Promise<void> {
    this.batch = (await this.#batches.next()).value ?? undefined;
    if (this.batch === undefined) return;
    const { maxTimestamp } = this.batch.header;
    if (maxTimestamp > this.atMs) this.atMs = maxTimestamp;
  }

  async close(): Promise<void> {
    await this.#batches.return(undefined);
  }
}
