/** Which blocks of a segment hold what is wanted of it. Pure. */
import type { IndexedBlock, IndexedSegment } from '../repository/repository.ts';

export interface Wanted {
  /** Offsets from here on. */
  readonly next: bigint;
  readonly below: bigint | undefined;
  /** Inclusive. */
  readonly fromMs: bigint | undefined;
  /** Exclusive. */
  readonly toMs: bigint | undefined;
}

/** Blocks one behind the other. The first is read from its first batch on. */
export interface Span {
  readonly from: number;
  /** Behind the last one. */
  readonly to: number;
  /** So much of the last one belongs to batches that are wanted; 0: all of it. */
  readonly lastBytes: number;
}

export function allOf({ blocks }: IndexedSegment): Span {
  return { from: 0, to: blocks.length, lastBytes: 0 };
}

export function isAll({ blocks }: IndexedSegment, [first]: readonly Span[]): boolean {
  return first?.from === 0 && first.to === blocks.length && first.lastBytes === 0;
}

/** The blocks in which a batch begins that may be wanted, each with what its last batch reaches into. */
export function spansOf({ blocks }: IndexedSegment, wanted: Wanted): Span[] {
  const spans: Span[] = [];
  for (let index = lastBlockBefore(blocks, wanted.next); index < blocks.length; index += 1) {
    const block = blocks[index];
    if (block === undefined || !mayHold(block, wanted)) continue;
    let behind = index + 1;
    while ((blocks[behind]?.firstBatchAt ?? 0) < 0) behind += 1;
    const lastBytes = blocks[behind]?.firstBatchAt ?? 0;
    const to = lastBytes > 0 ? behind + 1 : behind;
    const last = spans.at(-1);
    if (last !== undefined && last.to >= index) spans[spans.length - 1] = { from: last.from, to, lastBytes };
    else spans.push({ from: index, to, lastBytes });
  }
  return spans;
}

function mayHold(
  { firstBatchAt, firstBatchOffset, maxTimestamp, minTimestamp }: IndexedBlock,
  { below, fromMs, toMs }: Wanted,
): boolean {
  if (firstBatchAt < 0 || (below !== undefined && firstBatchOffset >= below)) return false;
  if (fromMs !== undefined && maxTimestamp < fromMs) return false;
  return toMs === undefined || minTimestamp === undefined || minTimestamp < toMs;
}

/** The last block in which a batch begins at this offset or before it: what is wanted does not begin earlier. */
function lastBlockBefore(blocks: readonly IndexedBlock[], offset: bigint): number {
  const index = blocks.findLastIndex(
    ({ firstBatchAt, firstBatchOffset }) => firstBatchAt >= 0 && firstBatchOffset <= offset,
  );
  return Math.max(0, index);
}
