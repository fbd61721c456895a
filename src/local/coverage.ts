/**
 * What one partition's files cover, as the journal tells it: contiguous ranges, what is missing between them, and
 * where the cluster rewrote records. Pure data and pure changes.
 */
export interface Range {
  readonly from: bigint;
  /** The offset behind the last one covered. */
  readonly to: bigint;
}

export interface Gap extends Range {
  /** When it was met, RFC 3339. */
  readonly at: string;
}

export interface Truncation {
  /** Where the new branch begins: what was saved from here on belongs to the old one. */
  readonly offset: bigint;
  /** Above every epoch of the old branch, at most the first of the new one. */
  readonly epoch: number;
  readonly at: string;
}

/** A leader's epoch and the offset of the first batch seen with it. */
export interface EpochStart {
  readonly epoch: number;
  readonly from: bigint;
}

export interface Coverage {
  readonly ranges: readonly Range[];
  readonly epochs: readonly EpochStart[];
  readonly gaps: readonly Gap[];
  readonly truncations: readonly Truncation[];
}

/** The next offset to fetch, and the leader epoch of the last batch before it (−1 where none is known). */
export interface Position {
  readonly offset: bigint;
  readonly epoch: number;
}

export const nothingCovered: Coverage = { ranges: [], epochs: [], gaps: [], truncations: [] };

/** Enough elections to find where two logs part; older ones only make the journal longer. */
const epochStartsMax = 64;

export function positionOf(coverage: Coverage): Position | undefined {
  const range = coverage.ranges.at(-1);
  if (range === undefined) return undefined;
  const last = coverage.epochs.at(-1);
  return { offset: range.to, epoch: last !== undefined && last.from < range.to ? last.epoch : -1 };
}

export function branchOf(coverage: Coverage): number {
  return coverage.truncations.at(-1)?.epoch ?? 0;
}

export function beginAt(coverage: Coverage, offset: bigint): Coverage {
  return { ...coverage, ranges: [...coverage.ranges, { from: offset, to: offset }] };
}

/** Carries the last range on to a position, with the epochs whose first batches were seen on the way. */
export function extend(coverage: Coverage, to: bigint, starts: readonly EpochStart[]): Coverage {
  const last = coverage.ranges.at(-1);
  if (last === undefined || to < last.to) {
    throw new Error(`a range cannot end at ${to}: it ends at ${last?.to ?? 'nothing'}`);
  }
  const epochs = [...coverage.epochs];
  for (const start of starts) {
    if ((epochs.at(-1)?.epoch ?? -1) < start.epoch) epochs.push(start);
  }
  return {
    ...coverage,
    ranges: [...coverage.ranges.slice(0, -1), { from: last.from, to }],
    epochs: epochs.slice(-epochStartsMax),
  };
}

/** Records that the cluster no longer had: a new range begins behind them. */
export function addGap(coverage: Coverage, gap: Gap): Coverage {
  const ranges = [...coverage.ranges, { from: gap.to, to: gap.to }];
  return { ...coverage, ranges, epochs: [], gaps: [...coverage.gaps, gap] };
}

/** The cluster lost or rewrote everything from an offset on: a new range, and a new branch, begin there. */
export function addTruncation(coverage: Coverage, truncation: Truncation): Coverage {
  return {
    ranges: [...coverage.ranges, { from: truncation.offset, to: truncation.offset }],
    epochs: coverage.epochs.filter((start) => start.from < truncation.offset),
    gaps: coverage.gaps,
    truncations: [...coverage.truncations, truncation],
  };
}

/**
 * Where our log and the leader's part, given the leader's answer: the largest epoch it knows that is not above ours,
 * and where that epoch ends there. Never above our own end of that epoch.
 */
export function commonEnd(
  coverage: Coverage,
  leader: { epoch: number; endOffset: bigint },
): bigint | undefined {
  const position = positionOf(coverage);
  if (position === undefined || leader.epoch < 0) return undefined;
  const later = coverage.epochs.find((start) => start.epoch > leader.epoch);
  const ours = later?.from ?? position.offset;
  return ours < leader.endOffset ? ours : leader.endOffset;
}
