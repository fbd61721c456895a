import {
  checkBatch,
  filterCommitted,
  nextOffsetOf,
  scanBatches,
  type AbortedTransaction,
  type BatchHeader,
} from '../log/log.ts';
import type { EpochStart, Position } from '../local/local.ts';

/** The whole batches of one answer for one partition, by their heads alone, and where they lead. */
export interface Located {
  readonly batches: readonly BatchHeader[];
  readonly end: Position;
  readonly epochStarts: readonly EpochStart[];
  /** What a batch that did not fit into the answer needs. */
  readonly neededBytes: number | undefined;
  /** What is wrong with the batch at `end`. */
  readonly problem: string | undefined;
}

/** Fast: it looks at heads only, so that the next request can go out before the checksums are computed. */
export function locate(records: Buffer, asked: Position): Located {
  const scan = scanBatches(records);
  const epochStarts: EpochStart[] = [];
  let { offset, epoch } = asked;
  let problem = scan.problem?.message;
  let whole = scan.batches;
  for (const [index, header] of scan.batches.entries()) {
    const next = nextOffsetOf(header);
    // Only the first batch may begin below what was asked for, and none may end there.
    if (next <= offset || (index > 0 && header.baseOffset < offset)) {
      problem = `batch at offset ${header.baseOffset} does not follow: expected one that reaches ${offset}`;
      whole = scan.batches.slice(0, index);
      break;
    }
    if (header.leaderEpoch > epoch) epochStarts.push({ epoch: header.leaderEpoch, from: header.baseOffset });
    epoch = header.leaderEpoch;
    offset = next;
  }
  const neededBytes = scan.batches.length === 0 ? scan.partial?.byteLength : undefined;
  return { batches: whole, end: { offset, epoch }, epochStarts, neededBytes, problem };
}

/** What of the located batches is committed data, or which batch is not what the broker stored. */
export type Verdict =
  | { readonly kind: 'good'; readonly kept: readonly BatchHeader[] }
  | { readonly kind: 'bad'; readonly message: string };

/** One bad batch condemns the answer: all of it is fetched again. */
export function judge(records: Buffer, located: Located, aborted: readonly AbortedTransaction[]): Verdict {
  for (const header of located.batches) {
    const problem = checkBatch(records, header);
    if (problem !== undefined) return { kind: 'bad', message: problem.message };
  }
  if (located.problem !== undefined) return { kind: 'bad', message: located.problem };
  return { kind: 'good', kept: filterCommitted(records, located.batches, aborted).kept };
}
