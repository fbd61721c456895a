import { isFuture } from '../schedule/schedule.ts';
import type { MarkFile } from './marks.ts';

/** So many results of drills stay: a year of weeks, and more than anybody looks at. */
const drillsKept = 60;

/**
 * Marks that say nothing any more, so that their number hangs on what is kept and not on its age. One of packs stays as
 * long as it has the last word on a pack that a snapshot holds; a pin, until a later mark or the end of its snapshot. Pure.
 */
export function obsoleteMarks(
  /** The oldest first. */
  files: readonly MarkFile[],
  o: {
    readonly snapshots: ReadonlySet<string>;
    /** When a manifest says that a pack was read last; undefined where no snapshot holds it. */
    readonly notedMs: (sha256: string) => number | undefined;
    readonly nowMs: number;
  },
): MarkFile[] {
  const latest = new Map<string, MarkFile>();
  // Damage that is dated in the future goes with what was said of it again since.
  const isAhead = ({ type, atMs }: MarkFile): boolean => type === 'damaged' && isFuture(atMs, o.nowMs);
  for (const file of files) if (!isAhead(file)) for (const key of keysOf(file)) latest.set(key, file);
  const drills = files.filter(({ type }) => type === 'drill').slice(-drillsKept);
  const isLatest = (file: MarkFile, key: string): boolean => latest.get(key) === file;
  return files.filter((file) => {
    const { type, snapshot, atMs } = file;
    if (type === 'drill') return !drills.includes(file);
    if (type === 'pinned' || type === 'unpinned')
      return !o.snapshots.has(snapshot) || !isLatest(file, `pin ${snapshot}`);
    if (type === 'misdated') return !o.snapshots.has(snapshot) || !isLatest(file, `date ${snapshot}`);
    if (type === 'retired' || type === 'unretired') return !isLatest(file, retirement);
    return file.packs.every(({ sha256 }) => {
      const notedMs = o.notedMs(sha256);
      if (notedMs === undefined) return true;
      const last = latest.get(`${type} ${sha256}`);
      if (last !== file && !isAhead(file)) return true;
      if (type === 'checked') return atMs <= notedMs;
      return Math.max(notedMs, latest.get(`checked ${sha256}`)?.atMs ?? 0) > (last?.atMs ?? atMs);
    });
  });
}

const retirement = 'retirement';

function keysOf({ type, snapshot, packs }: MarkFile): string[] {
  if (type === 'pinned' || type === 'unpinned') return [`pin ${snapshot}`];
  if (type === 'misdated') return [`date ${snapshot}`];
  if (type === 'retired' || type === 'unretired') return [retirement];
  return packs.map(({ sha256 }) => `${type} ${sha256}`);
}
