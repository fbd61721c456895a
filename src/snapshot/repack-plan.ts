/** Which small packs of a month become fewer and larger ones. Pure. */
import type { IndexedSegment, Pack } from '../repository/repository.ts';
import { monthText, parseMonth, type Month } from '../schedule/schedule.ts';

export interface OpenedPack {
  readonly pack: Pack;
  readonly segments: readonly IndexedSegment[];
}

export interface SegmentToCopy {
  readonly from: Pack;
  readonly segment: IndexedSegment;
  /** Its name in the tar. */
  readonly name: string;
}

/** The packs that take the place of some of a month's. */
export interface RepackedMonth {
  readonly month: Month;
  readonly packs: readonly Pack[];
  /** What each new pack holds, in the order in which it is written. */
  readonly into: readonly (readonly SegmentToCopy[])[];
}

export interface RepackRules {
  /** Only months before this one: nothing is added to them every day. */
  readonly before: Month;
  readonly packBytesMax: number;
  /** Topics with an archive rule of their own have packs of their own. */
  readonly archiveGroupOf: (topic: string) => string;
  readonly nameOf: (segment: IndexedSegment) => string;
}

/** A tar header, with a pax header before it at worst, and the padding behind the member. */
const memberOverheadBytes = 2048;

export function isWorthRepacking(pack: Pack, rules: Pick<RepackRules, 'before' | 'packBytesMax'>): boolean {
  return monthOf(pack) < rules.before && pack.bytes < rules.packBytesMax / 2;
}

/** Months of which fewer packs would be left, the oldest first. Planned again behind itself, it plans nothing. */
export function planRepack(opened: readonly OpenedPack[], rules: RepackRules): RepackedMonth[] {
  const months = Map.groupBy(
    opened.filter(({ pack }) => isWorthRepacking(pack, rules)),
    ({ pack }) => monthOf(pack),
  );
  return [...months]
    .map(([month, inMonth]) => {
      const packs = inMonth.map(({ pack }) => pack);
      return { month, packs, into: filled(inMonth, rules) };
    })
    .filter(({ packs, into }) => into.length < packs.length)
    .toSorted((a, b) => a.month - b.month);
}

function filled(opened: readonly OpenedPack[], rules: RepackRules): SegmentToCopy[][] {
  const inOrder = opened.toSorted((a, b) => (a.pack.path < b.pack.path ? -1 : 1));
  const all = inOrder.flatMap(({ pack, segments }) =>
    segments
      .toSorted((a, b) => a.position - b.position)
      .map((segment) => ({ from: pack, segment, name: rules.nameOf(segment) })),
  );
  const groups = Map.groupBy(all, ({ segment }) => rules.archiveGroupOf(segment.topic));
  return [...groups.values()].flatMap((group) => split(group, rules.packBytesMax));
}

/** A pack is full at its limit, and where a name would be in it twice: two copies of one offset. */
function split(segments: readonly SegmentToCopy[], packBytesMax: number): SegmentToCopy[][] {
  const packs: { segments: SegmentToCopy[]; names: Set<string>; bytes: number }[] = [];
  for (const one of segments) {
    const bytes = one.segment.sealedBytes + memberOverheadBytes;
    let open = packs.find(({ names, bytes: held }) => !names.has(one.name) && held + bytes <= packBytesMax);
    if (open === undefined) {
      open = { segments: [], names: new Set(), bytes: 0 };
      packs.push(open);
    }
    open.segments.push(one);
    open.names.add(one.name);
    open.bytes += bytes;
  }
  return packs.map(({ segments: held }) => held);
}

/** What an operator is told before anything is read or written. */
export interface RepackCost {
  readonly months: readonly {
    readonly month: string;
    readonly packsBefore: number;
    readonly packsAfter: number;
    readonly bytes: number;
  }[];
  /** Of the newest snapshot as a whole. */
  readonly packsBefore: number;
  readonly packsAfter: number;
  /** The old packs, once, and the new ones, once, when they are read back. */
  readonly readBytes: number;
  readonly writeBytes: number;
  /** So many snapshots keep the old packs until they expire; until then the repository is larger by what was written. */
  readonly olderSnapshots: number;
}

export function costOf(
  plan: readonly RepackedMonth[],
  o: { packs: number; olderSnapshots: number },
): RepackCost {
  const months = plan.map(({ month, packs, into }) => ({
    month: monthText(month),
    packsBefore: packs.length,
    packsAfter: into.length,
    bytes: packs.reduce((sum, { bytes }) => sum + bytes, 0),
  }));
  const bytes = months.reduce((sum, month) => sum + month.bytes, 0);
  const fewer = months.reduce((sum, { packsBefore, packsAfter }) => sum + packsBefore - packsAfter, 0);
  return {
    months,
    packsBefore: o.packs,
    packsAfter: o.packs - fewer,
    readBytes: 2 * bytes,
    writeBytes: bytes,
    olderSnapshots: o.olderSnapshots,
  };
}

function monthOf({ path }: Pick<Pack, 'path'>): Month {
  return parseMonth(path.slice(0, 7)) ?? 0;
}
