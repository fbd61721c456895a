/** Orders that look: they take no lock and write nothing but the marks of a verification. */
import { VarveError } from '../errors.ts';
import {
  assertInstance,
  listInstances,
  openManifest,
  probeTarget,
  readRepositoryIdentity,
  Repository,
  secretOf,
  writeMark,
  type Manifest,
  type Memory,
  type ProbeFinding,
} from '../repository/repository.ts';
import {
  chooseSnapshot,
  overviewOf,
  strataOf,
  topicsOf,
  verifyRepository,
  type Layers,
  type Overview,
  type Strata,
  type Subset,
  type TopicRow,
  type VerifyLevel,
  type VerifyReport,
} from '../snapshot/snapshot.ts';
import type { OrderContext } from './context.ts';

export interface SnapshotChoice {
  /** An id, a view, `latest`, or the moment below. */
  readonly text: string;
  readonly timeMs: number | undefined;
}

export interface SnapshotDetail {
  readonly row: Overview['snapshots'][number];
  readonly manifest: Manifest;
  readonly topics: readonly TopicRow[];
}

/** Every snapshot of one instance, or of all. */
export async function list(
  context: OrderContext,
  asked: Pick<OverviewRequest, 'instance' | 'memory' | 'localFolder'>,
): Promise<Overview> {
  const { host, settings } = context;
  return await overviewOf(host, settings, { ...asked, open: opener(context) });
}

/** One snapshot with its manifest; what it could be is chosen among those of the instance. */
export async function show(context: OrderContext, choice: SnapshotChoice): Promise<SnapshotDetail> {
  const { host, settings } = context;
  const open = opener(context);
  const found = await overviewOf(host, settings, { instance: settings.instance, memory: undefined, open });
  const row = chosen(found, choice);
  const repository = await open(settings.instance);
  const { manifest } = await openManifest(host.disk, repository, row.id, { seqGuess: row.seq });
  return { row, manifest, topics: topicsOf(manifest) };
}

export interface OverviewRequest {
  readonly instance: string | undefined;
  /** Somebody typed it: refused where there is no such instance. */
  readonly isTyped?: boolean;
  readonly memory: Memory | undefined;
  /** Where the copy of `keys/` is. */
  readonly localFolder?: string | undefined;
  readonly choice?: SnapshotChoice;
}

/**
 * The list, and what the newest snapshot of each instance holds. With a choice, which is made among the snapshots of
 * this instance, the newest of each that is not later.
 */
export async function overview(
  context: OrderContext,
  asked: OverviewRequest,
  open: OpenInstance = opener(context),
): Promise<{ overview: Overview; newest: readonly SnapshotDetail[] }> {
  const { host, settings } = context;
  if (asked.isTyped === true) await assertThere(context, asked.instance);
  const found = await overviewOf(host, settings, { ...asked, open });
  const newest: SnapshotDetail[] = [];
  const untilMs = asked.choice === undefined ? Infinity : momentOf(context, found, asked.choice);
  for (const name of new Set(found.snapshots.map((row) => row.instance))) {
    const row = found.snapshots.findLast(
      (snapshot) => snapshot.instance === name && snapshot.takenMs <= untilMs,
    );
    if (row === undefined) continue;
    const { manifest } = await openManifest(host.disk, await open(name), row.id, { seqGuess: row.seq });
    newest.push({ row, manifest, topics: topicsOf(manifest) });
  }
  return { overview: found, newest };
}

async function assertThere({ host, settings }: OrderContext, instance: string | undefined): Promise<void> {
  if (instance === undefined) return;
  await assertInstance(host.disk, { folder: settings.repository.dir ?? '', instance });
}

/** What the page shows of the repository. */
export async function strata(
  context: OrderContext,
  o: { memory: Memory | undefined; localFolder: string | undefined; known: Layers | undefined },
): Promise<Strata> {
  const { host, settings } = context;
  const repository = await opener(context)(settings.instance);
  return await strataOf(host, settings, { ...o, repository });
}

function momentOf({ settings }: OrderContext, found: Overview, choice: SnapshotChoice): number {
  if (choice.text === 'latest') return Infinity;
  const own = found.snapshots.filter(({ instance }) => instance === settings.instance);
  const named = found.snapshots.filter(({ id }) => id === choice.text);
  return chosen({ ...found, snapshots: own.length === 0 || named.length > 0 ? found.snapshots : own }, choice)
    .takenMs;
}

export async function instances({ host, settings }: OrderContext): Promise<readonly string[]> {
  return await listInstances(host.disk, settings.repository.dir ?? '');
}

/** Tries what a cycle does, for `doctor`. */
export async function probe(
  { host, settings }: OrderContext,
  { memory }: { memory: Memory | undefined },
): Promise<readonly ProbeFinding[]> {
  const expected = memory?.repository === '' ? undefined : memory?.repository;
  return await probeTarget(host, settings.repository.dir ?? '', expected);
}

export async function verify(
  context: OrderContext,
  o: {
    level: VerifyLevel;
    instance: string | undefined;
    subset: Subset | undefined;
    memory: Memory | undefined;
    localFolder: string | undefined;
    secondOpener: boolean;
  },
): Promise<VerifyReport> {
  const { host, settings, emit, signal } = context;
  await assertThere(context, o.instance);
  const { repository: uuid } = await readRepositoryIdentity(host.disk, settings.repository.dir ?? '');
  return await verifyRepository(
    { host, emit, signal },
    {
      folder: settings.repository.dir ?? '',
      repository: uuid,
      ...o,
      open: opener(context),
      onRead: async (repository, { clean, damaged, newest }) => {
        if (newest === undefined) return;
        const atMs = host.clock.nowMs();
        const mark = async (type: 'checked' | 'damaged', shas: ReadonlySet<string>): Promise<void> => {
          const packs = [...shas].map((sha256) => ({ sha256 }));
          if (packs.length > 0) await writeMark(host, repository, { snapshot: newest, type, atMs, packs });
        };
        try {
          await mark('checked', clean);
          await mark('damaged', damaged);
        } catch (error) {
          // A mount that is read only can be verified as well: what was found is told, though not noted.
          if (!isReadOnly(error)) throw error;
        }
      },
    },
  );
}

type OpenInstance = (instance: string) => Promise<Repository>;

/** Opens each instance once. */
export function opener({ host, settings, stretch }: OrderContext): OpenInstance {
  const opened = new Map<string, Promise<Repository>>();
  return async (instance) => {
    const known = opened.get(instance);
    if (known !== undefined) {
      const repository = await known;
      await repository.renewKeyring(host.disk);
      return repository;
    }
    const place = { folder: settings.repository.dir ?? '', instance };
    const opening = Repository.open(host, place, secretOf(settings.repository), { stretch });
    opened.set(instance, opening);
    return await opening;
  };
}

export function chosen(
  { snapshots, problems }: Overview,
  choice: SnapshotChoice,
): Overview['snapshots'][number] {
  const row = chooseSnapshot(snapshots, choice);
  if (row !== undefined) return row;
  const damaged = problems.find(({ id }) => id === choice.text);
  if (damaged !== undefined) throw new VarveError('damage', damaged.problem, { hint: 'run varve verify' });
  throw new VarveError('nothing-selected', `there is no snapshot ${choice.text}`, {
    hint: 'varve list shows those that are there, and their views',
  });
}

function isReadOnly(error: unknown): boolean {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return code === 'EROFS' || code === 'EACCES' || code === 'EPERM';
}
