import { localFolderOf, type Config } from '../config/config.ts';
import { VarveError } from '../errors.ts';
import { snapshotSettings } from '../daemon/daemon.ts';
import type { Disk, Host } from '../host/host.ts';
import {
  coverageOfFiles,
  listIncarnations,
  listSegments,
  partitionFolder,
  readIdentity,
  readPartition,
  type Incarnation,
} from '../local/local.ts';
import { readMemory } from '../repository/repository.ts';
import type { Backup, Copy, Life, Range } from '../restore/restore.ts';
import { ReadingSession, type SnapshotChoice, type SnapshotDetail } from '../target/target.ts';
import type { CommandContext } from './command.ts';
import { recall } from './repository.ts';
import { snapshotChoice } from './snapshot-choice.ts';

export interface SourceChoice {
  /** Read snapshots of this moment alone, not the local files. */
  readonly snapshot: string | undefined;
  readonly instance: string | undefined;
}

/** Before anything is loaded: what cannot both be meant. */
export function checkChoice({
  localOnly,
  snapshot,
}: {
  localOnly: boolean;
  snapshot: string | undefined;
}): void {
  if (!localOnly || snapshot === undefined) return;
  throw new VarveError('usage', 'expected --snapshot or --local-only, got both', {
    hint: 'a snapshot is in the repository: leave --local-only out',
  });
}

/** A process for the repository, if it will be looked at: it starts while the caller does something else. */
export function startReading(
  { host, signal }: CommandContext,
  config: Config,
  { localOnly }: { localOnly: boolean },
): ReadingSession | undefined {
  if (config.repository.dir === undefined || localOnly) return undefined;
  return new ReadingSession(host, { settings: snapshotSettings(config), signal });
}

/**
 * All that can be read: the local files and the newest snapshot of each instance, or what was chosen of them. The
 * process that reads snapshots is the caller's to end.
 */
export async function openBackup(
  context: CommandContext,
  config: Config,
  o: SourceChoice & { warn: (message: string) => void; reading: ReadingSession | undefined },
): Promise<OpenBackup> {
  const hasLocal = config.local.dir !== undefined && o.snapshot === undefined;
  const { reading } = o;
  if (!hasLocal && reading === undefined) {
    throw new VarveError(
      'config',
      'there is nothing to read from: neither local.dir nor repository.dir is set',
      {
        hint: 'set repository.dir and its key, or local.dir',
      },
    );
  }
  const local = hasLocal ? await lookAtLocal(context.host, localFolderOf(config)) : undefined;
  const choice = o.snapshot === undefined ? undefined : snapshotChoice(o.snapshot, '--snapshot');
  const snapshots =
    reading === undefined ? [] : await lookAtSnapshots(context, { config, choice, ...o, reading });
  return new OpenBackup(context.host.disk, { local, snapshots });
}

interface LocalFacts {
  readonly folder: string;
  readonly cluster: string | undefined;
  readonly incarnations: readonly Incarnation[];
  /** Files are freed only once a snapshot holds them. */
  readonly mayBeFreed: boolean;
}

async function lookAtLocal(host: Host, folder: string): Promise<LocalFacts> {
  const { disk } = host;
  const identity = await readIdentity(disk, folder); // refuses a format that is newer than this program
  const mayBeFreed = ((await readMemory(host, folder))?.newest ?? null) !== null;
  return {
    folder,
    cluster: identity?.cluster ?? undefined,
    incarnations: await listIncarnations(disk, folder),
    mayBeFreed,
  };
}

interface ReadableSnapshot extends SnapshotDetail {
  readonly reading: ReadingSession;
}

async function lookAtSnapshots(
  context: CommandContext,
  o: {
    config: Config;
    choice: SnapshotChoice | undefined;
    instance: string | undefined;
    warn: (message: string) => void;
    reading: ReadingSession;
  },
): Promise<readonly ReadableSnapshot[]> {
  const { config, choice, instance, warn, reading } = o;
  const memory = await recall(context, config);
  const asked = { instance, memory, ...(choice !== undefined && { choice }) };
  const { overview, newest } = await reading.overview(asked);
  for (const { instance: name, id, problem } of overview.problems) warn(`${name}/${id}: ${problem}`);
  if (choice !== undefined && newest.length === 0) {
    throw new VarveError('nothing-selected', `there is no snapshot ${choice.text}`, {
      hint: 'varve list shows those that are there, and their views',
    });
  }
  return newest.map((detail) => ({ ...detail, reading })).toSorted((a, b) => b.row.takenMs - a.row.takenMs);
}

export class OpenBackup implements Backup {
  readonly #disk: Disk;
  readonly #local: LocalFacts | undefined;
  readonly #details: readonly ReadableSnapshot[];

  constructor(disk: Disk, o: { local: LocalFacts | undefined; snapshots: readonly ReadableSnapshot[] }) {
    this.#disk = disk;
    this.#local = o.local;
    this.#details = o.snapshots;
  }

  get topics(): readonly string[] {
    const names = new Set(this.#local?.incarnations.map(({ topic }) => topic));
    for (const { manifest } of this.#details) for (const { topic } of manifest.incarnations) names.add(topic);
    return [...names].toSorted();
  }

  get snapshots(): Backup['snapshots'] {
    return this.#details.map(({ row: { instance, id } }) => ({ instance, id }));
  }

  get groups(): Backup['groups'] {
    return this.#savedGroups?.groups;
  }

  get groupsReadMs(): number | undefined {
    return this.#savedGroups?.readMs;
  }

  async lives(topic: string): Promise<readonly Life[]> {
    const ids = new Map<string, { firstSeen: string | undefined }>();
    const note = (topicId: string, firstSeen: string | undefined): void => {
      const known = ids.get(topicId)?.firstSeen;
      const isEarlier = known === undefined || (firstSeen !== undefined && firstSeen < known);
      ids.set(topicId, { firstSeen: isEarlier ? firstSeen : known });
    };
    for (const life of this.#local?.incarnations ?? [])
      if (life.topic === topic) note(life.topicId, life.firstSeen);
    for (const { manifest } of this.#details)
      for (const life of manifest.incarnations)
        if (life.topic === topic) note(life.topicId, life.firstSeen ?? undefined);
    const lives: Life[] = [];
    for (const [topicId, { firstSeen }] of ids) lives.push(await this.#life({ topic, topicId, firstSeen }));
    return lives.toSorted((a, b) => ((a.firstSeen ?? '') < (b.firstSeen ?? '') ? -1 : 1));
  }

  get #savedGroups(): SnapshotDetail['manifest']['groups'] | undefined {
    return this.#details.find(({ manifest }) => manifest.groups !== null)?.manifest.groups ?? undefined;
  }

  async #life(head: { topic: string; topicId: string; firstSeen: string | undefined }): Promise<Life> {
    const { topic, topicId } = head;
    const local = this.#local?.incarnations.find((life) => life.topic === topic && life.topicId === topicId);
    const held = this.#details.flatMap((detail) => {
      const row = detail.manifest.incarnations.find((life) => life.topicId === topicId);
      return row === undefined ? [] : [{ detail, row }];
    });
    const numbers = new Set(local?.partitions);
    for (const { row } of held) for (const { partition } of row.partitions) numbers.add(partition);
    const partitions = [];
    let firstMs: bigint | undefined;
    let lastMs: bigint | undefined;
    for (const partition of [...numbers].toSorted((a, b) => a - b)) {
      const copies: Copy[] = [];
      if (local?.partitions.includes(partition) === true) {
        const copy = await this.#localCopy({ topic, topicId, partition });
        copies.push(copy);
        firstMs = least(firstMs, await firstTimeOf(copy));
      }
      for (const { detail, row } of held) {
        const found = row.partitions.find((one) => one.partition === partition);
        if (found === undefined) continue;
        copies.push(this.#sealedCopy(detail, { topicId, partition }));
        firstMs = least(firstMs, found.firstMs ?? undefined);
        if (found.lastMs !== null && (lastMs === undefined || found.lastMs > lastMs)) lastMs = found.lastMs;
      }
      partitions.push({ partition, copies });
    }
    const settings = held.find(({ row }) => row.settings !== null)?.row.settings ?? undefined;
    const cluster = held[0]?.detail.manifest.cluster ?? this.#local?.cluster;
    return { ...head, cluster, settings, partitions, firstMs, lastMs };
  }

  async #localCopy(key: { topic: string; topicId: string; partition: number }): Promise<Copy> {
    const disk = this.#disk;
    const folder = this.#local?.folder ?? '';
    const [segment] = await listSegments(disk, partitionFolder(folder, key));
    const coverage = await coverageOfFiles(disk, folder, key);
    // What the journal tells of and the files do not hold was freed, the oldest first.
    const base = segment?.base ?? coverage.ranges.at(-1)?.to ?? 0n;
    const ranges = this.#local?.mayBeFreed === true ? coverage.ranges : [];
    const absent = ranges.flatMap(({ from, to }): Range[] =>
      from < base ? [{ from, to: to < base ? to : base }] : [],
    );
    return {
      name: 'the local files',
      coverage,
      absent,
      read: ({ first, below }) => readPartition(disk, folder, key, { first, below }),
    };
  }

  #sealedCopy(
    { row, manifest, reading }: ReadableSnapshot,
    key: { topicId: string; partition: number },
  ): Copy {
    const found = manifest.incarnations
      .find(({ topicId }) => topicId === key.topicId)
      ?.partitions.find(({ partition }) => partition === key.partition);
    const absent = manifest.expired
      .filter(({ topicId, partition }) => topicId === key.topicId && partition === key.partition)
      .map(({ from, to }) => ({ from, to }));
    return {
      name: `snapshot ${row.id} of instance ${row.instance}`,
      coverage: found?.coverage ?? { ranges: [], epochs: [], gaps: [], truncations: [] },
      absent,
      read: ({ first, below, fromMs }) =>
        reading.read({ ...key, instance: row.instance, snapshot: row.id, first, below, fromMs }),
    };
  }
}

/** Above every offset. */
const endless = 2n ** 63n - 1n;

async function firstTimeOf(copy: Copy): Promise<bigint | undefined> {
  const first = copy.absent.at(-1)?.to ?? copy.coverage.ranges[0]?.from;
  if (first === undefined) return undefined;
  try {
    for await (const { header } of copy.read({ first, below: endless, fromMs: undefined }))
      return header.baseTimestamp;
  } catch (error) {
    if (!(error instanceof VarveError) || error.code !== 'damage') throw error; // told when it is read in earnest
  }
  return undefined;
}

function least(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}
