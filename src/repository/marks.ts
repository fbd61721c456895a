/** What is noted of a snapshot after its publication: sealed files that are made once and never changed. */
import { join } from 'node:path';
import { z } from 'zod';
import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { isFuture } from '../schedule/schedule.ts';
import { markFileName, marksFolder, parseMarkFileName, type MarkName, type MarkType } from './layout.ts';
import type { Repository } from './open.ts';
import { placeFile } from './links.ts';
import { digest } from './shapes.ts';
import { ignoring, readIfThere } from './steps.ts';

export interface MarkedPacks {
  readonly atMs: number;
  readonly packs: readonly { readonly sha256: string }[];
}

/** What a drill came to: a restore from a snapshot that was rehearsed. */
export interface DrillResult {
  readonly passed: boolean;
  /** Why it did not. */
  readonly code: string | null;
  readonly message: string | null;
  /** `restore`: into scratch topics, and compared. `checks`: opened and checked, without a broker. */
  readonly kind: 'restore' | 'checks';
  /** All topics of the snapshot with all of their records, and not a sample. */
  readonly isWhole: boolean;
  readonly topics: number;
  readonly partitions: number;
  readonly records: number;
  readonly bytes: number;
  readonly tookMs: number;
}

export interface DrillMark extends DrillResult {
  readonly snapshot: string;
  readonly atMs: number;
}

export interface Marks {
  /** When they were read: what is dated later was dated by a clock that was ahead, and proves nothing yet. */
  readonly readMs: number;
  readonly pinned: ReadonlyMap<string, { readonly atMs: number; readonly reason: string | null }>;
  /** None that is dated in the future. */
  readonly checked: readonly MarkedPacks[];
  /** One that is dated in the future, unless it was said again since the clock is right. */
  readonly damaged: readonly MarkFile[];
  /** The newest last. */
  readonly drills: readonly DrillMark[];
  /** The snapshot that was the newest when somebody said that the instance's daemon is gone for good, if it was said last. */
  readonly retiredAt: string | undefined;
  /** Snapshots that a clock dated which was ahead. */
  readonly misdated: ReadonlySet<string>;
  /** Marks that do not open, in words. */
  readonly problems: readonly string[];
  /** Everything that opened, the oldest first. */
  readonly files: readonly MarkFile[];
}

/** A mark as it lies in its folder. */
export interface MarkFile extends MarkName, MarkedPacks {
  readonly name: string;
}

const count = z.number().int().nonnegative();

const drillSchema = z.object({
  passed: z.boolean(),
  code: z.string().nullable(),
  message: z.string().nullable(),
  kind: z.enum(['restore', 'checks']),
  isWhole: z.boolean(),
  topics: count,
  partitions: count,
  records: count,
  bytes: count,
  tookMs: count,
});

const contentSchema = z.object({
  format: z.literal(1),
  snapshot: z.string(),
  type: z.string(),
  atMs: z.number().int().nonnegative(),
  packs: z.array(digest),
  reason: z.string().nullable(),
  drill: drillSchema.optional(),
});

export interface NewMark extends MarkName {
  readonly packs?: readonly { readonly sha256: string }[];
  readonly reason?: string;
  readonly drill?: DrillResult;
}

export async function writeMark(host: Host, repository: Repository, mark: NewMark): Promise<void> {
  const { snapshot, type, atMs, packs = [], reason = null, drill } = mark;
  const shas = packs.map(({ sha256 }) => sha256);
  const content = { format: 1, snapshot, type, atMs, packs: shas, reason, ...(drill && { drill }) };
  const sealed = repository.seal(identityOf(repository, mark), Buffer.from(JSON.stringify(content)));
  const folder = marksFolder(repository.place);
  await placeFile(host, join(folder, markFileName(host.random, mark)), sealed, { mode: 0o440 });
}

export async function readMarks(host: Pick<Host, 'disk' | 'clock'>, repository: Repository): Promise<Marks> {
  const readMs = host.clock.nowMs();
  const folder = marksFolder(repository.place);
  const found: (z.infer<typeof contentSchema> & { name: string; known: MarkType })[] = [];
  const problems: string[] = [];
  for (const { name } of (await host.disk.list(folder)) ?? []) {
    const mark = parseMarkFileName(name);
    if (mark === undefined) continue;
    try {
      const sealed = await readIfThere(host.disk, join(folder, name));
      // A cycle has let go of it since it was listed: it had the last word on nothing.
      if (sealed === undefined) continue;
      const raw = repository.openSealed(identityOf(repository, mark), sealed);
      found.push({ ...contentSchema.parse(JSON.parse(raw.toString('utf8'))), name, known: mark.type });
    } catch (error) {
      const isKnown =
        error instanceof VarveError || error instanceof z.ZodError || error instanceof SyntaxError;
      if (!isKnown) throw error;
      problems.push(
        `mark ${name} does not open: ${error instanceof VarveError ? error.message : 'it is no mark'}`,
      );
    }
  }
  found.sort((a, b) => a.atMs - b.atMs || (a.name < b.name ? -1 : 1));
  const pinned = new Map<string, { atMs: number; reason: string | null }>();
  for (const { type, snapshot, atMs, reason } of found) {
    if (type === 'pinned') pinned.set(snapshot, { atMs, reason });
    if (type === 'unpinned') pinned.delete(snapshot);
  }
  const files = found.map(({ name, known: type, snapshot, atMs, packs }): MarkFile => {
    return { name, type, snapshot, atMs, packs: packs.map((sha256) => ({ sha256 })) };
  });
  const ofType = (wanted: MarkType): MarkFile[] => files.filter(({ type }) => type === wanted);
  const drills = found.flatMap(({ snapshot, atMs, drill }) => (drill ? [{ snapshot, atMs, ...drill }] : []));
  const word = files.findLast(({ type }) => type === 'retired' || type === 'unretired');
  return {
    readMs,
    pinned,
    checked: ofType('checked').filter(({ atMs }) => !isFuture(atMs, readMs)),
    damaged: believed(ofType('damaged'), readMs),
    drills,
    retiredAt: word?.type === 'retired' ? word.snapshot : undefined,
    misdated: new Set(files.filter(({ type }) => type === 'misdated').map(({ snapshot }) => snapshot)),
    problems,
    files,
  };
}

function believed(damaged: readonly MarkFile[], readMs: number): MarkFile[] {
  const now = damaged.filter(({ atMs }) => !isFuture(atMs, readMs));
  const said = new Set(now.flatMap(({ packs }) => packs.map(({ sha256 }) => sha256)));
  return damaged.flatMap((file) => {
    if (now.includes(file)) return file;
    const packs = file.packs.filter(({ sha256 }) => !said.has(sha256));
    return packs.length === 0 ? [] : { ...file, packs };
  });
}

/** Lets go of marks that say nothing any more. Those that were made since these were read stay. Needs the lock. */
export async function sweepMarks(
  host: Pick<Host, 'disk'>,
  { place }: Pick<Repository, 'place'>,
  obsolete: readonly MarkFile[],
): Promise<void> {
  for (const { name } of obsolete)
    await ignoring(['ENOENT'], async () => host.disk.removeFile(join(marksFolder(place), name)));
}

function identityOf(
  { identity, place }: Repository,
  { snapshot, type }: MarkName,
): { kind: 'mark'; repository: string; instance: string; snapshot: string; type: string } {
  return { kind: 'mark', repository: identity.repository, instance: place.instance, snapshot, type };
}
