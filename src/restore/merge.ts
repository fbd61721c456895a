import { VarveError } from '../errors.ts';
import type { CoveredBatch } from '../local/local.ts';
import type { Copy, Range } from './backup.ts';
import type { Stretch } from './stretches.ts';

export interface MergeOptions {
  readonly fromMs: bigint | undefined;
  /** Told of what no copy could be read for; without it that is thrown. */
  readonly onLost?: ((lost: Range, problem: VarveError) => void) | undefined;
}

/** One log out of its copies, in offset order. A copy that turns out damaged is left for the next that has the offset. */
export async function* readMerged(
  copies: readonly Copy[],
  stretches: readonly Stretch[],
  { fromMs, onLost }: MergeOptions,
): AsyncGenerator<CoveredBatch, void, undefined> {
  for (const stretch of stretches) {
    let next = stretch.from;
    const left = [...stretch.copies];
    while (next < stretch.to) {
      const copy = copies[left[0] ?? -1];
      if (copy === undefined) throw new Error('a stretch without a copy');
      try {
        for await (const batch of copy.read({ first: next, below: stretch.to, fromMs })) {
          yield batch;
          next = batch.to;
        }
        next = stretch.to;
      } catch (error) {
        if (!(error instanceof VarveError) || error.code !== 'damage') throw error;
        left.shift();
        if (left.length > 0) continue;
        const lost = { from: next, to: stretch.to };
        if (onLost === undefined) throw lostError(lost, error);
        onLost(lost, error);
        next = stretch.to;
      }
    }
  }
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
