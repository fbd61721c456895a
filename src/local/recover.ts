import { dirname, join } from 'node:path';
import type { Disk } from '../host/host.ts';
import { parseMonth, type Month } from '../schedule/schedule.ts';
import { beginAt, branchOf, extend, nothingCovered, positionOf, type Coverage } from './coverage.ts';
import { readJournal } from './journal.ts';
import { monthFolder, parseSegmentFileName, type SegmentName } from './layout.ts';
import { measureSegment, writeAgain, type SegmentEnds } from './segment.ts';

export interface SegmentFile extends SegmentName {
  readonly path: string;
  readonly month: Month;
}

/** The segment files of a partition in reading order: branch by branch, by base offset. */
export async function listSegments(disk: Disk, partitionFolder: string): Promise<SegmentFile[]> {
  const segments: SegmentFile[] = [];
  for (const entry of (await disk.list(partitionFolder)) ?? []) {
    const month = parseMonth(entry.name);
    if (month === undefined || entry.kind !== 'folder') continue;
    const folder = monthFolder(partitionFolder, month);
    for (const file of (await disk.list(folder)) ?? []) {
      const name = parseSegmentFileName(file.name);
      if (name !== undefined && file.kind === 'file') {
        segments.push({ ...name, month, path: join(folder, file.name) });
      }
    }
  }
  return segments.toSorted(inReadingOrder);
}

function inReadingOrder(a: SegmentFile, b: SegmentFile): number {
  if (a.branch !== b.branch) return a.branch - b.branch;
  if (a.base !== b.base) return a.base < b.base ? -1 : 1;
  return a.month - b.month;
}

/** What was done to a partition's files so that they hold whole batches only. */
export type Repair =
  | { readonly kind: 'torn-tail'; readonly path: string; readonly cutBytes: number; readonly problem: string }
  | { readonly kind: 'empty-file'; readonly path: string }
  /** Left as it is: what is broken in it was durable, so no crash has torn it. */
  | { readonly kind: 'damaged-file'; readonly path: string; readonly problem: string }
  | { readonly kind: 'unconnected-file'; readonly path: string };

export interface Recovered {
  readonly coverage: Coverage;
  /** The newest month laid so far. */
  readonly month: Month | undefined;
  readonly repairs: readonly Repair[];
}

/**
 * Brings one partition's files back to what is known to be whole, after any kind of end.
 *
 * The journal tells what was durable when it was last written. Behind that, the file it ends in and those that connect
 * to it offset by offset are kept as far as their batches are whole, and written once more, since a sync of theirs may
 * have failed; a torn tail is cut off, an empty file removed, but
 * nothing of what the journal vouches for: that is damage, and left for who can mend it. A
 * file that does not connect was never acknowledged (a power cut can keep a later file and lose the end of an earlier
 * one), so it is removed and fetched again. Without a journal every file is believed.
 */
export async function recoverPartition(disk: Disk, partitionFolder: string): Promise<Recovered> {
  const journalled = await readJournal(disk, partitionFolder);
  const all = await listSegments(disk, partitionFolder);
  const month = all.length === 0 ? undefined : Math.max(...all.map((segment) => segment.month));
  const branch = branchOf(journalled ?? nothingCovered);
  const segments = all.filter((segment) => segment.branch === branch);
  const first = segments[0];
  let coverage = journalled ?? (first === undefined ? nothingCovered : beginAt(nothingCovered, first.base));
  const durable = positionOf(coverage)?.offset ?? 0n;
  const repairs: Repair[] = [];
  const doubtful = unproven(segments, journalled === undefined ? 0n : durable);
  for (const segment of doubtful) {
    const at = positionOf(coverage)?.offset ?? 0n;
    if (journalled !== undefined && segment.base > at) {
      await disk.removeFile(segment.path);
      repairs.push({ kind: 'unconnected-file', path: segment.path });
      continue;
    }
    const ends = await mend(disk, segment, { durable, isJournalled: journalled !== undefined, repairs });
    if (ends.next !== undefined && ends.next > at) coverage = extend(coverage, ends.next, ends.epochStarts);
  }
  if (doubtful.length > 0) await syncFolders(disk, partitionFolder, doubtful);
  return { coverage, month, repairs };
}

/** The files that the journal does not vouch for: the one its end lies in, and all behind it. */
function unproven(segments: readonly SegmentFile[], durable: bigint): readonly SegmentFile[] {
  const behind = segments.findIndex((segment) => segment.base >= durable);
  const from = behind === -1 ? segments.length : behind;
  return segments.slice(Math.max(0, from - 1));
}

async function mend(
  disk: Disk,
  segment: SegmentFile,
  { durable, isJournalled, repairs }: { durable: bigint; isJournalled: boolean; repairs: Repair[] },
): Promise<SegmentEnds> {
  const file = await disk.open(segment.path, 'update');
  let ends;
  try {
    ends = await measureSegment(file, segment.base, durable);
    const problem = damageIn(ends, segment, durable);
    if (problem !== undefined) {
      repairs.push({ kind: 'damaged-file', path: segment.path, problem });
      return ends;
    }
    if (ends.problem !== undefined && ends.validBytes > 0) {
      await file.truncate(ends.validBytes);
      const cutBytes = ends.fileBytes - ends.validBytes;
      repairs.push({ kind: 'torn-tail', path: segment.path, cutBytes, problem: ends.problem });
    }
    // What a killed process had written is in the page cache only: from here on it counts as durable.
    if (isJournalled) await writeAgain(file, { from: ends.belowBytes, to: ends.validBytes });
    await file.sync();
  } finally {
    await file.close();
  }
  if (ends.validBytes === 0) {
    await disk.removeFile(segment.path);
    repairs.push({ kind: 'empty-file', path: segment.path });
  }
  return ends;
}

/**
 * What is wrong below the journal's end. What stands where a batch should and is none, or one of a later offset, may
 * be the torn tail behind a stretch that was filtered out, which the journal covers and no file shows.
 */
function damageIn(ends: SegmentEnds, segment: SegmentFile, durable: bigint): string | undefined {
  const next = ends.next ?? segment.base;
  if (next >= durable) return undefined;
  if (ends.next === undefined) return ends.problem ?? 'it is empty';
  const at = ends.problemBase;
  return at !== undefined && at >= next && at < durable ? ends.problem : undefined;
}

/** The names too: of a file that a killed process had made, and of one that was removed just now. */
async function syncFolders(
  disk: Disk,
  partitionFolder: string,
  files: readonly SegmentFile[],
): Promise<void> {
  for (const folder of new Set(files.map((file) => dirname(file.path)))) await disk.syncFolder(folder);
  await disk.syncFolder(partitionFolder);
}
