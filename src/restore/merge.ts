import { VarveError } from '../errors.ts';
import type { CoveredBatch } from '../local/local.ts';
import type { Copy, Range } from './backup.ts';
import type { Stretch } from './stretches.ts';

export interface MergeOptions {
  /** Batches without a record from here on, and before `toMs`, may be left out. */
  readonly fromMs: bigint | undefined;
  readonly toMs: bigint | undefined;
  /** Told of what no copy could be read for; without it that is thrown. */
  readonly onLost?: ((lost: Range, problem: VarveError) => void) | undefined;
}

/** One log out of its copies, in offset order. A copy that turns out damaged is left for the next that has the offset. */
export async function* readMerged(
  copies: readonly Copy[],
  stretches: readonly Stretch[],
  { fromMs, toMs, onLost }: MergeOptions,
): AsyncGenerator<CoveredBatch, void, undefined> {
  for (const stretch of stretches) {
    let next = stretch.from;
    let chosen = stretch.copies[0];
    // Each copy may be damaged at a place of its own: behind that place it counts again.
    let damaged = new Set<number>();
    let damagedAt = -1n;
    while (next < stretch.to) {
      const copy = copies[chosen ?? -1];
      if (copy === undefined || chosen === undefined) throw new Error('a stretch without a copy');
      try {
        for await (const batch of copy.read({ first: next, below: stretch.to, fromMs, toMs })) {
          yield batch;
          next = batch.to;
        }
        next = stretch.to;
      } catch (error) {
        if (!(error instanceof VarveError) || error.code !== 'damage') throw error;
        if (next > damagedAt) damaged = new Set();
        damagedAt = next;
        damaged.add(chosen);
        chosen = stretch.copies.find((index) => !damaged.has(index));
        if (chosen !== undefined) continue;
        const lost = { from: next, to: await nextReadable(copies, stretch, { next, fromMs, toMs }) };
        if (onLost === undefined) throw lostError(lost, error);
        onLost(lost, error);
        next = lost.to;
        chosen = stretch.copies[0];
      }
    }
  }
}

/** Behind damage that every copy has: the first offset from which one of them can be read again. */
async function nextReadable(
  copies: readonly Copy[],
  { copies: indexes, to }: Stretch,
  { next, ...times }: { next: bigint; fromMs: bigint | undefined; toMs: bigint | undefined },
): Promise<bigint> {
  const isReadable = async (first: bigint): Promise<boolean> => {
    for (const index of indexes) {
      try {
        const reading = copies[index]?.read({ first, below: to, ...times });
        await reading?.next();
        await reading?.return(undefined);
        return true;
      } catch (error) {
        if (!(error instanceof VarveError) || error.code !== 'damage') throw error;
      }
    }
    return false;
  };
  let bad = next;
  let good = to;
  // Damage is short as a rule and a log is long: doubling steps, then halving ones.
  for (let step = 1n; bad + step < to; step *= 2n) {
    if (await isReadable(bad + step)) {
      good = bad + step;
      break;
    }
    bad += step;
  }
  while (good - bad > 1n) {
    const middle = (bad + good) / 2n;
    if (await isReadable(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

function lostError({ from, to }: Range, cause: VarveError): VarveError {
  return new VarveError(
    'damage',
    `offsets ${from} to ${to - 1n}, or some of them, cannot be read: ${cause.message}`,
    {
      hint: 'put the file back from another copy and run the command again; --salvage goes on without these offsets and ends with 3',
      cause,
    },
  );
}
