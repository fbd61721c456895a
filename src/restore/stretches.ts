/** Of several copies of a partition: which to take which offsets from, and what none of them has. Pure. */
import type { Coverage } from '../local/local.ts';
import type { Range } from './backup.ts';

export interface CopyFacts {
  readonly coverage: Coverage;
  readonly absent: readonly Range[];
  /** Of these, what policy has let go of: whatever copy had it, nobody waits for it. */
  readonly expired?: readonly Range[];
}

/** A piece of the log, and the copies that have it, the one to take first. */
export interface Stretch extends Range {
  readonly copies: readonly number[];
}

export interface Stretches {
  readonly stretches: readonly Stretch[];
  /** Some copy covers it, and none has it any more. */
  readonly missing: readonly Range[];
  /** Likewise, and a copy says that policy has let go of it. */
  readonly expired: readonly Range[];
  /** The cluster had deleted it before it could be saved, as every copy tells. */
  readonly gaps: readonly Range[];
}

/**
 * Where copies of an offset differ, the one with the higher leader epoch holds; what a lower epoch wrote at or behind
 * the place where a higher one began is not part of the log. Copies that agree are taken in the order given.
 */
export function planStretches(copies: readonly CopyFacts[]): Stretches {
  const begins = beginsOfEpochs(copies);
  const marks = new Set<bigint>(begins.values());
  for (const { coverage, absent, expired = [] } of copies) {
    for (const { from, to } of [...coverage.ranges, ...absent, ...expired]) marks.add(from).add(to);
    for (const { from } of coverage.epochs) marks.add(from);
  }
  const sorted = [...marks].toSorted((a, b) => (a < b ? -1 : 1));
  const stretches: Stretch[] = [];
  const missing: Range[] = [];
  const expired: Range[] = [];
  for (const [index, from] of sorted.entries()) {
    const to = sorted[index + 1];
    if (to === undefined) break;
    const held = copies.flatMap((facts, copy) => holding(facts, { copy, from, begins }));
    if (held.length === 0) continue;
    const best = held.reduce((most, { epoch }) => Math.max(most, epoch), -1);
    const chosen = held.filter(({ epoch, isThere }) => isThere && (epoch === best || epoch < 0));
    const isExpired = copies.some((copy) => isWithin(copy.expired ?? [], from));
    if (chosen.length === 0) addRange(isExpired ? expired : missing, { from, to });
    else addStretch(stretches, { from, to, copies: chosen.map(({ copy }) => copy) });
  }
  return { stretches, missing, expired, gaps: gapsOf(copies, stretches, [...missing, ...expired]) };
}

/** Where each epoch began, over all copies. */
function beginsOfEpochs(copies: readonly CopyFacts[]): Map<number, bigint> {
  const begins = new Map<number, bigint>();
  const note = (epoch: number, offset: bigint): void => {
    const known = begins.get(epoch);
    if (known === undefined || offset < known) begins.set(epoch, offset);
  };
  for (const { coverage } of copies) {
    for (const { epoch, from } of coverage.epochs) note(epoch, from);
    for (const { epoch, offset } of coverage.truncations) note(epoch, offset);
  }
  return begins;
}

interface Holding {
  readonly copy: number;
  /** −1 where it is not known. */
  readonly epoch: number;
  readonly isThere: boolean;
}

function holding(
  { coverage, absent }: CopyFacts,
  { copy, from, begins }: { copy: number; from: bigint; begins: ReadonlyMap<number, bigint> },
): Holding[] {
  if (!isWithin(coverage.ranges, from)) return [];
  const epoch = epochAt(coverage, from);
  const isOver = epoch >= 0 && [...begins].some(([higher, begin]) => higher > epoch && begin <= from);
  return isOver ? [] : [{ copy, epoch, isThere: !isWithin(absent, from) }];
}

/**
 * What was read behind a truncation counts as its epoch at least: a leader that comes back with records that another had
 * rewritten has made them the log's again, in their old epoch.
 */
function epochAt({ epochs, truncations }: Coverage, offset: bigint): number {
  let epoch = -1;
  for (const start of epochs) if (start.from <= offset && start.epoch > epoch) epoch = start.epoch;
  if (epoch < 0) return epoch;
  for (const begun of truncations) if (begun.offset <= offset && begun.epoch > epoch) epoch = begun.epoch;
  return epoch;
}

function isWithin(ranges: readonly Range[], offset: bigint): boolean {
  return ranges.some(({ from, to }) => from <= offset && offset < to);
}

function addRange(ranges: Range[], { from, to }: Range): void {
  const last = ranges.at(-1);
  if (last?.to === from) ranges[ranges.length - 1] = { from: last.from, to };
  else ranges.push({ from, to });
}

function addStretch(stretches: Stretch[], fresh: Stretch): void {
  const last = stretches.at(-1);
  const isSame = last?.to === fresh.from && last.copies.join() === fresh.copies.join();
  if (isSame) stretches[stretches.length - 1] = { ...last, to: fresh.to };
  else stretches.push(fresh);
}

/** A gap in one copy that another copy fills is none. */
function gapsOf(
  copies: readonly CopyFacts[],
  stretches: readonly Stretch[],
  missing: readonly Range[],
): Range[] {
  const told = copies.flatMap(({ coverage }) => coverage.gaps.map(({ from, to }) => ({ from, to })));
  const open: Range[] = [];
  for (const gap of told.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    for (const part of without(gap, [...stretches, ...missing, ...open])) open.push(part);
  }
  return open;
}

/** What is left of a range when others are taken away. */
export function without(range: Range, taken: readonly Range[]): Range[] {
  return taken.reduce<Range[]>(
    (left, { from, to }) =>
      left.flatMap((part) => {
        if (to <= part.from || from >= part.to) return [part];
        const before = { from: part.from, to: from };
        const behind = { from: to, to: part.to };
        return [before, behind].filter((rest) => rest.from < rest.to);
      }),
    [range],
  );
}

/** The parts of stretches that lie within ranges. */
export function clipStretches(stretches: readonly Stretch[], ranges: readonly Range[]): Stretch[] {
  return stretches.flatMap((stretch) =>
    ranges.flatMap((range) => {
      const from = stretch.from > range.from ? stretch.from : range.from;
      const to = stretch.to < range.to ? stretch.to : range.to;
      return from < to ? [{ ...stretch, from, to }] : [];
    }),
  );
}
