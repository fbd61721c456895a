/** Orders that look: they take no lock and write nothing but the marks of a verification. */
import { VarveError } from '../errors.ts';
import {
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
  SnapshotSource,
  topicsOf,
  verifyRepository,
  type Overview,
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
  asked: { instance: string | undefined; memory: Memory | undefined },
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

/** What `info` and `check` ask in one go: the list, and what the newest snapshot of each instance holds. */
export async function overview(
  context: OrderContext,
  asked: { instance: string | undefined; memory: Memory | undefined },
): Promise<{ overview: Overview; newest: readonly SnapshotDetail[] }> {
  const { host, settings } = context;
  const open = opener(context);
  const found = await overviewOf(host, settings, { ...asked, open });
  const newest: SnapshotDetail[] = [];
  for (const name of new Set(found.snapshots.map((row) => row.instance))) {
    const row = found.snapshots.findLast((snapshot) => snapshot.instance === name);
    if (row === undefined) continue;
    const { manifest } = await openManifest(host.disk, await open(name), row.id, { seqGuess: row.seq });
    newest.push({ row, manifest, topics: topicsOf(manifest) });
  }
  return { overview: found, newest };
}

export async function instances({ host, settings }: OrderContext): Promise<readonly string[]> {
  return await listInstances(host.disk, settings.repository.dir ?? '');
}

/** Tries what a cycle does, for `doctor`. */
export async function probe({ host, settings }: OrderContext): Promise<readonly ProbeFinding[]> {
  return await probeTarget(host, settings.repository.dir ?? '');
}

export async function verify(
  context: OrderContext,
  o: {
    level: VerifyLevel;
    instance: string | undefined;
    subset: Subset | undefined;
    memory: Memory | undefined;
  },
): Promise<VerifyReport> {
  const { host, settings, emit, signal } = context;
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

export interface PartitionToRead {
  readonly partition: number;
  /** Only offsets below this one. */
  readonly below: bigint | undefined;
}

/** One batch on its way to the parent. */
export interface ReadBatch {
  readonly partition: number;
  readonly bytes: Buffer;
  readonly from: bigint;
  readonly to: bigint;
  readonly path: string;
}

/** Gives the batches of the chosen partitions, in order, to the parent. */
export async function read(
  context: OrderContext,
  o: {
    choice: SnapshotChoice;
    topicId: string;
    partitions: readonly PartitionToRead[];
    fromMs: bigint | undefined;
  },
): Promise<number> {
  const { host } = context;
  const { manifest } = await show(context, o.choice);
  const repository = await opener(context)(context.settings.instance);
  const source = new SnapshotSource(host.disk, repository, manifest);
  let batches = 0;
  for (const { partition, below } of o.partitions) {
    const range = {
      ...(o.fromMs === undefined ? {} : { fromMs: o.fromMs }),
      ...(below === undefined ? {} : { below }),
    };
    for await (const { bytes, header, from, to, path } of source.read(
      { topicId: o.topicId, partition },
      range,
    )) {
      context.signal.throwIfAborted();
      const { position, byteLength } = header;
      // What is sent is copied as it stands, with all the memory behind a view.
      const own = Buffer.from(bytes.subarray(position, position + byteLength));
      await context.give({ partition, bytes: own, from, to, path } satisfies ReadBatch);
      batches += 1;
    }
  }
  return batches;
}

function opener({ host, settings, stretch }: OrderContext): (instance: string) => Promise<Repository> {
  const opened = new Map<string, Promise<Repository>>();
  return async (instance) => {
    const known = opened.get(instance);
    if (known !== undefined) return await known;
    const place = { folder: settings.repository.dir ?? '', instance };
    const opening = Repository.open(host, place, secretOf(settings.repository), { stretch });
    opened.set(instance, opening);
    return await opening;
  };
}

function chosen({ snapshots, problems }: Overview, choice: SnapshotChoice): Overview['snapshots'][number] {
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
