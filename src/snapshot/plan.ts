/** What of the local folder is not in the repository yet: looked for once per cycle, by what the last manifest says. */
import type { Disk } from '../host/host.ts';
import {
  listSegments,
  measureSegmentFile,
  partitionFolder,
  type Coverage,
  type PartitionKey,
  type SegmentFile,
} from '../local/local.ts';
import type { PartitionRow } from '../repository/repository.ts';
import type { Month } from '../schedule/schedule.ts';
import { endOf, sealedFrom } from './rows.ts';

/** A partition as it stood at the cut. */
export interface CutPartition extends PartitionKey {
  readonly coverage: Coverage;
}

export interface SegmentToSeal {
  readonly key: PartitionKey;
  readonly path: string;
  readonly month: Month;
  readonly branch: number;
  readonly base: bigint;
  /** Above every offset in it, and not above the base of the segment behind it. */
  readonly next: bigint;
}

/** The closed segments that no pack holds, in reading order. */
export async function segmentsToSeal(
  disk: Disk,
  localFolder: string,
  { cut, row }: { cut: CutPartition; row: PartitionRow | undefined },
): Promise<SegmentToSeal[]> {
  if (row !== undefined && isUnchanged(cut.coverage, row)) return [];
  const end = endOf(cut.coverage) ?? 0n;
  const current = cut.coverage.truncations.at(-1)?.epoch ?? 0;
  const segments = await listSegments(disk, partitionFolder(localFolder, cut));
  const toSeal: SegmentToSeal[] = [];
  for (const [index, segment] of segments.entries()) {
    if (segment.branch === current && segment.base >= end) continue; // begun behind the cut
    const following = segments[index + 1];
    const known = following?.branch === segment.branch && following.base < end ? following.base : undefined;
    const bound = known ?? (segment.branch === current ? end : undefined);
    const next = await unsealedEnd(disk, segment, { bound, row });
    if (next === undefined) continue;
    const { topic, topicId, partition } = cut;
    const { path, month, branch, base } = segment;
    toSeal.push({ key: { topic, topicId, partition }, path, month, branch, base, next });
  }
  return toSeal;
}

/** Nothing can have been added: no list of files is needed. */
export function isUnchanged(coverage: Coverage, row: PartitionRow): boolean {
  if (coverage.truncations.length !== row.coverage.truncations.length) return false;
  const range = coverage.ranges.at(-1);
  if (range === undefined) return row.sealed.length === 0;
  const current = coverage.truncations.at(-1)?.epoch ?? 0;
  if (range.from === range.to && row.sealed.length === 0) return true;
  return row.sealed.some(({ branch, to }) => branch === current && to === range.to) && isWhole(row);
}

/** One sealed piece per branch, from the very beginning: nothing was left out because it was damaged. */
function isWhole({ sealed, coverage }: PartitionRow): boolean {
  const first = coverage.ranges[0];
  const isFromStart = sealed[0] !== undefined && first !== undefined && sealed[0].from <= first.from;
  return isFromStart && new Set(sealed.map(({ branch }) => branch)).size === sealed.length;
}

/** Where the segment ends, if it is to be sealed. Only where its end is in doubt is the file itself asked. */
async function unsealedEnd(
  disk: Disk,
  segment: SegmentFile,
  { bound, row }: { bound: bigint | undefined; row: PartitionRow | undefined },
): Promise<bigint | undefined> {
  const sealedTo = row && sealedFrom(row.sealed, segment.branch, segment.base);
  if (sealedTo === undefined) return bound ?? (await measureSegmentFile(disk, segment));
  if (bound !== undefined && bound <= sealedTo) return undefined;
  // What was filtered out behind a segment lets its neighbour begin later than it was sealed to.
  const own = await measureSegmentFile(disk, segment);
  if (own === undefined || own <= sealedTo) return undefined;
  return bound ?? own;
}
