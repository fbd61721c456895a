/**
 * Everything that can be read of a backup, as one: the local files and the snapshots at hand, by topic, life and
 * partition, each with every copy of it.
 *
 * It promises: what is covered and cannot be read here is told as absent; nothing is read before it is asked for.
 * It never touches the repository itself: the process that reads snapshots is handed in, and the caller's to end.
 */
import { VarveError } from '../errors.ts';
import type { Disk, Host } from '../host/host.ts';
import {
  coverageOfFiles,
  listIncarnations,
  listSegments,
  partitionFolder,
  readIdentity,
  readPartition,
  type CoveredBatch,
  type Incarnation,
} from '../local/local.ts';
import { readMemory } from '../repository/repository.ts';
import type { Backup, Copy, Life, Range, ReadRange } from '../restore/restore.ts';
import type { ReadingSession, SnapshotDetail } from '../target/target.ts';

export interface LocalFacts {
  readonly folder: string;
  readonly cluster: string | undefined;
  readonly incarnations: readonly Incarnation[];
  /** Files are freed only once a snapshot holds them. */
  readonly mayBeFreed: boolean;
}

export async function lookAtLocal(host: Host, folder: string): Promise<LocalFacts> {
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

export interface ReadableSnapshot extends SnapshotDetail {
  readonly reading: ReadingSession;
}

export class OpenBackup implements Backup {
  readonly #disk: Disk;
  readonly #local: LocalFacts | undefined;
  readonly #details: readonly ReadableSnapshot[];

  /** The installations of instances that are retired. */
  readonly retired: ReadonlySet<string>;

  constructor(
    disk: Disk,
    o: {
      local: LocalFacts | undefined;
      snapshots: readonly ReadableSnapshot[];
      retired?: ReadonlySet<string>;
    },
  ) {
    this.#disk = disk;
    this.retired = o.retired ?? new Set();
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
      read: (range) =>
        unlessFreed(readPartition(disk, folder, key, range), range, async () => {
          const [oldest] = await listSegments(disk, partitionFolder(folder, key));
          return oldest !== undefined && oldest.base > base ? oldest.base : undefined;
        }),
    };
  }

  #sealedCopy(
    { row, manifest, reading }: ReadableSnapshot,
    key: { topicId: string; partition: number },
  ): Copy {
    const found = manifest.incarnations
      .find(({ topicId }) => topicId === key.topicId)
      ?.partitions.find(({ partition }) => partition === key.partition);
    const expired = manifest.expired
      .filter(({ topicId, partition }) => topicId === key.topicId && partition === key.partition)
      .map(({ from, to }) => ({ from, to }));
    return {
      name: `snapshot ${row.id} of instance ${row.instance}`,
      coverage: found?.coverage ?? { ranges: [], epochs: [], gaps: [], truncations: [] },
      absent: expired,
      expired,
      read: (range) => reading.read({ ...key, instance: row.instance, snapshot: row.id, ...range }),
    };
  }
}

/**
 * A cycle may free files while they are read: what is passed over then is in another copy. A hole between two files is
 * the only place where that can show. `freedBelow` is undefined as long as nothing went.
 */
async function* unlessFreed(
  batches: AsyncGenerator<CoveredBatch, void, undefined>,
  { first, below }: ReadRange,
  freedBelow: () => Promise<bigint | undefined>,
): AsyncGenerator<CoveredBatch, void, undefined> {
  let next = first;
  let path: string | undefined;
  const assertThere = async (): Promise<void> => {
    const freed = await freedBelow();
    if (freed === undefined || next >= freed) return;
    throw new VarveError('damage', `the local file with offset ${next} was freed while it was read`, {
      hint: 'run the command again: what was freed is read from the repository then',
    });
  };
  for await (const batch of batches) {
    if (batch.path !== path && batch.from > next) await assertThere();
    yield batch;
    next = batch.to;
    path = batch.path;
  }
  if (next < below) await assertThere();
}

/** Above every offset. */
const endless = 2n ** 63n - 1n;

async function firstTimeOf(copy: Copy): Promise<bigint | undefined> {
  const first = copy.absent.at(-1)?.to ?? copy.coverage.ranges[0]?.from;
  if (first === undefined) return undefined;
  try {
    for await (const { header } of copy.read({ first, below: endless, fromMs: undefined, toMs: undefined }))
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
