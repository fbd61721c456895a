/** How rows of a manifest grow from cycle to cycle. Pure. */
import type { CoverageRow, SealedRange } from '../repository/repository.ts';

/** A branch and the offsets for which it is the cluster's own: later truncations end it. */
export interface BranchReach {
  readonly branch: number;
  readonly from: bigint;
  /** Absent: no truncation ends it. */
  readonly to: bigint | undefined;
}

export function reachOfBranches({ truncations }: Pick<CoverageRow, 'truncations'>): BranchReach[] {
  const begins = [
    { branch: 0, from: 0n },
    ...truncations.map(({ offset, epoch }) => ({ branch: epoch, from: offset })),
  ];
  return begins.map(({ branch, from }, index) => {
    const later = begins.slice(index + 1).map((begin) => begin.from);
    const to = later.length === 0 ? undefined : later.reduce((least, at) => (at < least ? at : least));
    return { branch, from, to };
  });
}

/** Adds a range of a branch, joined with those it touches. In order of branch, then offset. */
export function addSealed(sealed: readonly SealedRange[], added: SealedRange): SealedRange[] {
  let { from, to } = added;
  const apart: SealedRange[] = [];
  for (const range of sealed) {
    if (range.branch !== added.branch || range.to < from || range.from > to) {
      apart.push(range);
      continue;
    }
    if (range.from < from) from = range.from;
    if (range.to > to) to = range.to;
  }
  return [...apart, { branch: added.branch, from, to }].toSorted(inOrder);
}

export function removeSealed(sealed: readonly SealedRange[], removed: SealedRange): SealedRange[] {
  return sealed.flatMap((range) => {
    if (range.branch !== removed.branch || range.to <= removed.from || range.from >= removed.to) return range;
    const before = { ...range, to: removed.from };
    const behind = { ...range, from: removed.to };
    return [before, behind].filter(({ from, to }) => from < to);
  });
}

/** Up to where the branch is sealed without a hole from this offset on; undefined where it is not sealed there at all. */
export function sealedFrom(sealed: readonly SealedRange[], branch: number, base: bigint): bigint | undefined {
  return sealed.find((range) => range.branch === branch && range.from <= base && range.to > base)?.to;
}

function inOrder(a: SealedRange, b: SealedRange): number {
  if (a.branch !== b.branch) return a.branch - b.branch;
  if (a.from === b.from) return 0;
  return a.from < b.from ? -1 : 1;
}

export function endOf({ ranges }: CoverageRow): bigint | undefined {
  return ranges.at(-1)?.to;
}

/**
 * What a partition covers, given what the last snapshot says and what the journal says now. The journal goes on from
 * the snapshot's, unless the local folder was lost meanwhile: then it begins anew somewhere behind, and what lies
 * between was never saved.
 */
export function mergeCoverage(known: CoverageRow | undefined, journal: CoverageRow, at: string): CoverageRow {
  const knownEnd = known && endOf(known);
  const first = journal.ranges[0];
  if (known === undefined || knownEnd === undefined || first === undefined) {
    return first === undefined ? (known ?? journal) : journal;
  }
  if (isContinued(known, journal)) return journal;
  const truncations = [
    ...known.truncations,
    ...journal.truncations.filter(
      (truncation) => !known.truncations.some(({ epoch }) => epoch === truncation.epoch),
    ),
  ];
  const gaps = [...known.gaps, ...journal.gaps];
  const isApart = first.from > knownEnd;
  const isTold = gaps.some(({ from, to }) => from <= knownEnd && to >= first.from);
  const between = isApart && !isTold ? [{ from: knownEnd, to: first.from, at }] : [];
  return {
    ranges: joinedRanges(known.ranges, journal.ranges),
    epochs: journal.epochs.length > 0 ? journal.epochs : known.epochs,
    gaps: [...gaps, ...between],
    truncations,
  };
}

/** The journal tells of everything that the snapshot does: it is the same one, written on. */
function isContinued(known: CoverageRow, journal: CoverageRow): boolean {
  const first = known.ranges[0];
  const begin = journal.ranges[0];
  if (first === undefined || begin === undefined || begin.from > first.from) return false;
  const isSameStart = known.truncations.every(
    ({ epoch, offset }, index) =>
      journal.truncations[index]?.epoch === epoch && journal.truncations[index].offset === offset,
  );
  return isSameStart && isCovered(known, journal);
}

/** Whether every offset that one covers is covered by the other. */
export function isCovered(known: CoverageRow, other: CoverageRow): boolean {
  const union = unionOf(other.ranges);
  return known.ranges.every(
    ({ from, to }) => from === to || union.some((range) => range.from <= from && range.to >= to),
  );
}

function joinedRanges(known: CoverageRow['ranges'], fresh: CoverageRow['ranges']): CoverageRow['ranges'] {
  const last = known.at(-1);
  const [first, ...rest] = fresh;
  if (last === undefined || first === undefined) return [...known, ...fresh];
  const joins = first.from <= last.to && first.to >= last.to;
  if (!joins) return [...known, ...fresh];
  return [...known.slice(0, -1), { from: last.from, to: first.to }, ...rest];
}

export function unionOf(ranges: CoverageRow['ranges']): { from: bigint; to: bigint }[] {
  const sorted = ranges.toSorted((a, b) => (a.from === b.from ? 0 : a.from < b.from ? -1 : 1));
  const union: { from: bigint; to: bigint }[] = [];
  for (const { from, to } of sorted) {
    const last = union.at(-1);
    if (last !== undefined && from <= last.to) {
      if (to > last.to) last.to = to;
    } else union.push({ from, to });
  }
  return union;
}
