import { VarveError } from '../errors.ts';
import { codeOf, type Disk } from '../host/host.ts';
import { lastOffsetOf, nextOffsetOf, type BatchHeader } from '../log/log.ts';
import { nothingCovered, type Coverage } from './coverage.ts';
import { journalledMs, readJournal } from './journal.ts';
import { keyText, partitionFolder, type PartitionKey } from './layout.ts';
import { listSegments, type SegmentFile } from './recover.ts';
import { measureSegmentFile, walkSegment } from './segment.ts';

/** A batch, and the offsets that a reader takes from it: the batch may reach beyond what is covered. */
export interface CoveredBatch {
  readonly bytes: Buffer;
  readonly header: BatchHeader;
  readonly from: bigint;
  /** The offset behind the last one to take. */
  readonly to: bigint;
  /** The file that holds it. */
  readonly path: string;
}

/**
 * What the files cover, also behind the journal: a process that was killed may have written what it could not note any
 * more. Without a journal all that is there counts.
 */
export async function coverageOfFiles(disk: Disk, localFolder: string, key: PartitionKey): Promise<Coverage> {
  const folder = partitionFolder(localFolder, key);
  const coverage = await readJournal(disk, folder);
  const segments = await listSegments(disk, folder);
  const newest = segments.at(-1);
  if (newest === undefined) return coverage ?? nothingCovered;
  const range = coverage?.ranges.at(-1) ?? { from: segments[0]?.base ?? 0n, to: newest.base };
  const writtenMs = (await disk.stat(newest.path))?.modifiedMs ?? 0;
  // File systems tell times in steps.
  const isBehind = writtenMs >= ((await journalledMs(disk, folder)) ?? 0) && newest.base <= range.to;
  const next = isBehind ? await measureSegmentFile(disk, newest) : undefined;
  if (coverage !== undefined && (next === undefined || next <= range.to)) return coverage;
  const to = next !== undefined && next > range.to ? next : range.to;
  const known = coverage ?? nothingCovered;
  return { ...known, ranges: [...known.ranges.slice(0, -1), { from: range.from, to }] };
}

/** A piece [from, to) of the partition, and the branch of files that holds it. */
interface Stretch {
  readonly from: bigint;
  readonly to: bigint;
  readonly branch: number;
}

/** Above every offset. */
const endless = 2n ** 63n;

/**
 * Reads what one partition's local files hold, in offset order, each offset once, while a sink may be writing them.
 * Throws `damage` for a batch that is not what was written; the torn end of the newest file is not damage. A batch
 * stays as it is until the next one is asked for.
 */
export async function* readPartition(
  disk: Disk,
  localFolder: string,
  key: PartitionKey,
  range: { readonly first?: bigint; readonly below?: bigint } = {},
): AsyncGenerator<CoveredBatch, void, undefined> {
  const folder = partitionFolder(localFolder, key);
  // The journal first: the files listed after it hold all that it tells of.
  const coverage = await readJournal(disk, folder);
  const segments = await listSegments(disk, folder);
  const journalled = coverage?.ranges.at(-1)?.to ?? 0n;
  const { first = 0n, below = endless } = range;
  for (const all of stretchesOf(coverage ?? nothingCovered)) {
    if (all.to <= first || all.from >= below) continue;
    const stretch = {
      ...all,
      from: all.from > first ? all.from : first,
      to: all.to < below ? all.to : below,
    };
    const inBranch = segments.filter((segment) => segment.branch === stretch.branch);
    yield* readStretch(disk, { key, segments: inBranch, newest: segments.at(-1), journalled }, stretch);
  }
}

/**
 * Which piece to take from which branch. A truncation ends every older stretch where the new branch begins; the last
 * range is open, since the files may be ahead of the journal. Without a journal all that is there is taken.
 */
export function stretchesOf(coverage: Coverage): Stretch[] {
  if (coverage.ranges.length === 0) return [{ from: 0n, to: endless, branch: 0 }];
  const truncations = [...coverage.truncations];
  let stretches: Stretch[] = [];
  let branch = 0;
  for (const [index, range] of coverage.ranges.entries()) {
    const previous = coverage.ranges[index - 1];
    const next = truncations[0];
    if (
      next !== undefined &&
      previous !== undefined &&
      range.from === next.offset &&
      previous.to >= range.from
    ) {
      truncations.shift();
      branch = next.epoch;
      stretches = stretches.flatMap((older) =>
        older.from >= next.offset ? [] : { ...older, to: older.to < next.offset ? older.to : next.offset },
      );
    }
    const isLast = index === coverage.ranges.length - 1;
    stretches.push({ from: range.from, to: isLast ? endless : range.to, branch });
  }
  return stretches;
}

interface Files {
  readonly key: PartitionKey;
  readonly segments: readonly SegmentFile[];
  /** May be growing, or end in what a crash tore. */
  readonly newest: SegmentFile | undefined;
  /** Below this offset nothing may be torn: the journal says that it was durable. */
  readonly journalled: bigint;
}

async function* readStretch(
  disk: Disk,
  files: Files,
  stretch: Stretch,
): AsyncGenerator<CoveredBatch, void, undefined> {
  let next = stretch.from;
  for (const [index, segment] of files.segments.entries()) {
    const following = files.segments[index + 1];
    if (following !== undefined && following.base <= next) continue;
    if (segment.base >= stretch.to) return;
    for await (const { bytes, header } of wholeBatches(disk, segment, files)) {
      const behind = nextOffsetOf(header);
      if (following !== undefined && behind > following.base) {
        throw damaged(
          files.key,
          segment,
          `a batch ends at ${behind}, and the next file begins at ${following.base}`,
        );
      }
      const from = header.baseOffset > next ? header.baseOffset : next;
      const to = behind < stretch.to ? behind : stretch.to;
      if (lastOffsetOf(header) < next) continue;
      if (from >= to) return;
      yield { bytes, header, from, to, path: segment.path };
      next = to;
    }
  }
}

async function* wholeBatches(
  disk: Disk,
  segment: SegmentFile,
  { key, newest, journalled }: Files,
): AsyncGenerator<{ bytes: Buffer; header: BatchHeader }, void, undefined> {
  let file;
  try {
    file = await disk.open(segment.path, 'read');
  } catch (error) {
    // A recovery may have removed what was never acknowledged between the listing and now.
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  let next = segment.base;
  try {
    const walk = walkSegment(file, segment.base);
    for (;;) {
      const step = await walk.next();
      if (!step.done) {
        next = nextOffsetOf(step.value.header);
        yield step.value;
        continue;
      }
      const { problem, problemBase, isDisorder } = step.value;
      if (problem === undefined && next === segment.base && segment.base < journalled) {
        throw damaged(key, segment, 'it is empty, and the journal says that its first batch was durable');
      }
      const mayBeTorn = next >= journalled || (problemBase ?? -1n) >= journalled;
      const isTorn = segment === newest && !isDisorder && mayBeTorn;
      if (problem === undefined || isTorn) return;
      throw damaged(key, segment, problem);
    }
  } finally {
    await file.close();
  }
}

function damaged(key: PartitionKey, segment: SegmentFile, problem: string): VarveError {
  return new VarveError('damage', `${keyText(key)}: ${segment.path}: ${problem}`, {
    hint: 'the file is not what was written: read another copy of it, or back the topic up anew',
  });
}
