/**
 * One log out of several copies and branches of it.
 *
 * A branch is what a leader epoch wrote. Where a higher epoch began, by a journalled truncation or by a batch of its
 * own, the log of every lower epoch ends: such a batch is dropped whole if it begins there or behind, and cut if the
 * place lies inside it. Of copies with the same range and epoch the one with more records is taken; each offset is
 * taken once.
 */
export interface BatchRange<Source> {
  readonly base: bigint;
  /** Inclusive, as in a batch. */
  readonly last: bigint;
  readonly epoch: number;
  readonly recordCount: number;
  readonly source: Source;
}

/** From `offset` on the log is that of `epoch`; what lower epochs wrote there is not part of it any more. */
export interface Truncation {
  readonly offset: bigint;
  readonly epoch: number;
}

/** Of `item` the offsets [from, to) belong to the log. */
export interface Piece<Source> {
  readonly item: BatchRange<Source>;
  readonly from: bigint;
  readonly to: bigint;
}

/** The pieces come in offset order and do not overlap. */
export function survivingPieces<Source>(
  items: readonly BatchRange<Source>[],
  truncations: readonly Truncation[],
): Piece<Source>[] {
  const ends = endsByEpoch(items, truncations);
  const pieces: Piece<Source>[] = [];
  let next: bigint | undefined;
  for (const item of items.toSorted(byPreference)) {
    const end = ends.get(item.epoch);
    const from = next !== undefined && next > item.base ? next : item.base;
    const behind = item.last + 1n;
    const to = end !== undefined && end < behind ? end : behind;
    if (from >= to) continue;
    pieces.push({ item, from, to });
    next = to;
  }
  return pieces;
}

/** Where a higher epoch began, for each epoch that has one. */
function endsByEpoch(
  items: readonly BatchRange<unknown>[],
  truncations: readonly Truncation[],
): Map<number, bigint> {
  const begins = new Map<number, bigint>();
  const note = (epoch: number, offset: bigint): void => {
    const known = begins.get(epoch);
    if (known === undefined || offset < known) begins.set(epoch, offset);
  };
  for (const item of items) note(item.epoch, item.base);
  for (const truncation of truncations) note(truncation.epoch, truncation.offset);
  const ends = new Map<number, bigint>();
  let lowest: bigint | undefined;
  for (const [epoch, begin] of [...begins].toSorted(([a], [b]) => b - a)) {
    if (lowest !== undefined) ends.set(epoch, lowest);
    if (lowest === undefined || begin < lowest) lowest = begin;
  }
  return ends;
}

/** By offset; at one offset the longer range first, then the fuller copy. Equal ones stay as they came. */
function byPreference(a: BatchRange<unknown>, b: BatchRange<unknown>): number {
  if (a.base !== b.base) return a.base < b.base ? -1 : 1;
  if (a.last !== b.last) return a.last > b.last ? -1 : 1;
  return b.recordCount - a.recordCount;
}
