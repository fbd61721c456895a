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
  /** It is that no answer can hold it. */
  readonly isTooLarge: boolean;
}

/** No answer can hold more. */
export const batchBytesMax = 256 * 1024 * 1024;

/**
 * Fast: it looks at heads only, so that the next request can go out before the checksums are computed. Of the partition
 * that a request names first a broker gives the first batch whole, whatever the limits.
 */
export function locate(records: Buffer, o: { asked: Position; isFirst: boolean }): Located {
  const { asked, isFirst } = o;
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
  let neededBytes: number | undefined;
  let isTooLarge = false;
  if (scan.batches.length === 0 && scan.partial !== undefined) {
    const claimed = scan.partial.byteLength;
    isTooLarge = claimed !== undefined && claimed > batchBytesMax;
    if (isTooLarge) problem = `batch length: expected at most ${batchBytesMax}, got ${claimed}`;
    else if (isFirst)
      problem = `a batch came in part only: expected ${claimed ?? 'more'} bytes, got ${records.length}`;
    else neededBytes = claimed;
  }
  return { batches: whole, end: { offset, epoch }, epochStarts, neededBytes, problem, isTooLarge };
}

/** What of an answer is good: all of it, or what lies before the first batch that is not what the broker stored. */
export interface Verdict {
  /** The good batches that hold committed records. */
  readonly kept: readonly BatchHeader[];
  /** Behind the last good batch. */
  readonly end: Position;
  readonly epochStarts: readonly EpochStart[];
  /** What is wrong with the batch at `end`. */
  readonly problem: string | undefined;
}

export function judge(
  records: Buffer,
  o: { asked: Position; located: Located; aborted: readonly AbortedTransaction[] },
): Verdict {
  const { batches, epochStarts, end, problem } = o.located;
  const keptOf = (good: readonly BatchHeader[]): readonly BatchHeader[] =>
    filterCommitted(records, good, o.aborted).kept;
  for (const [index, header] of batches.entries()) {
    const damage = checkBatch(records, header);
    if (damage === undefined) continue;
    const good = batches.slice(0, index);
    const last = good.at(-1);
    const goodEnd = last === undefined ? o.asked : { offset: nextOffsetOf(last), epoch: last.leaderEpoch };
    return {
      kept: keptOf(good),
      end: goodEnd,
      epochStarts: epochStarts.filter(({ from }) => from < goodEnd.offset),
      problem: damage.message,
    };
  }
  return { kept: keptOf(batches), end, epochStarts, problem };
}
