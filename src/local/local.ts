/**
 * The local folder: Kafka's own batches in month segments, a journal of what they cover, and whose they are.
 *
 * It promises: what it calls durable is on disk; after any crash the files hold whole batches only and every durable
 * record; one process at a time writes in a folder, and a folder belongs to one cluster and one installation.
 * Readers need no lock. It never talks to Kafka and never changes a segment that was closed.
 */
import { messageOf, VarveError } from '../errors.ts';
import { ensureFolder, isDiskFull, type Host } from '../host/host.ts';
import { readIdentity, writeIdentity, type Identity } from './identity.ts';
import { noteIncarnation } from './incarnation.ts';
import { keyText, type PartitionKey } from './layout.ts';
import { lockFolder, type FolderLock, type Serve } from './lock.ts';
import { PartitionLog, type PartitionOptions } from './partition.ts';

export {
  branchOf,
  commonEnd,
  positionOf,
  type Coverage,
  type EpochStart,
  type Gap,
  type Position,
  type Truncation,
} from './coverage.ts';
export { acceptGaps, gapId, listGaps, readAccepted, type FoundGap } from './gaps.ts';
export { readIdentity, type Identity } from './identity.ts';
export { incarnationsOf, listIncarnations, type Incarnation } from './incarnation.ts';
export { keyText, partitionFolder, type PartitionKey } from './layout.ts';
export { askHolder, lockFolder, type FolderLock, type Serve } from './lock.ts';
export { PartitionLog, type Append, type PartitionOptions } from './partition.ts';
export { listSegments, type Repair, type SegmentFile } from './recover.ts';
export { coverageOfFiles, readPartition, type CoveredBatch } from './reader.ts';
export { readCoverage } from './gaps.ts';
export { measureSegmentFile, walkSegment } from './segment.ts';

/** Makes the folder and its identity where they are missing. Harmless when repeated. */
export async function initLocalFolder(host: Host, folder: string, instance: string): Promise<Identity> {
  try {
    // One that is there may be a mount, in a folder that this user may not even open.
    if ((await host.disk.stat(folder)) === undefined) await ensureFolder(host.disk, folder);
    const known = await readIdentity(host.disk, folder);
    if (known !== undefined) return assertInstance(folder, known, instance);
    const installation = host.random.uuid();
    const identity: Identity = { format: 1, installation, instance, cluster: null, repository: null };
    await writeIdentity(host, folder, identity);
    return identity;
  } catch (error) {
    if (error instanceof VarveError) throw error;
    throw unusable(folder, error);
  }
}

function assertInstance(folder: string, identity: Identity, instance: string): Identity {
  if (identity.instance === instance) return identity;
  const found = `expected instance ${instance}, got ${identity.instance}`;
  throw new VarveError(
    'foreign-installation',
    `local folder ${folder} belongs to another instance: ${found}`,
    {
      hint: 'give each instance a local.dir of its own, or set `instance` back to the name in its varve.json',
    },
  );
}

function unusable(folder: string, cause: unknown): VarveError {
  const isFull = isDiskFull(cause);
  const hint = isFull
    ? 'make room on the disk of local.dir'
    : 'local.dir must be a folder that this user may write in: check its owner, its mode and its mount';
  const message = `local folder ${folder} cannot be used: ${messageOf(cause)}`;
  return new VarveError(isFull ? 'no-space' : 'target-unusable', message, { hint, cause });
}

/** A local folder that this process holds. */
export class LocalFolder implements AsyncDisposable {
  readonly path: string;
  readonly #host: Host;
  readonly #lock: FolderLock;
  #identity: Identity;
  readonly #noted = new Set<string>();

  private constructor(path: string, host: Host, lock: FolderLock, identity: Identity) {
    this.path = path;
    this.#host = host;
    this.#lock = lock;
    this.#identity = identity;
  }

  /** Takes the folder: throws `locked`, naming the holder, where another process has it. */
  static async open(host: Host, path: string, o: { instance: string; serve: Serve }): Promise<LocalFolder> {
    const identity = await initLocalFolder(host, path, o.instance);
    let lock;
    try {
      lock = await lockFolder(host, path, o.serve);
    } catch (error) {
      if (error instanceof VarveError) throw error;
      throw unusable(path, error);
    }
    return new LocalFolder(path, host, lock, identity);
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Notes whose records these are on the first contact; refuses another cluster ever after. */
  async bindCluster(clusterId: string): Promise<void> {
    const { cluster } = this.#identity;
    if (cluster === clusterId) return;
    if (cluster !== null) {
      const found = `expected ${cluster}, got ${clusterId}`;
      throw new VarveError(
        'wrong-cluster',
        `local folder ${this.path} belongs to another Kafka cluster: ${found}`,
        {
          hint: 'point kafka.brokers at the cluster these files come from, or give this cluster a local.dir of its own',
        },
      );
    }
    await this.#identify({ ...this.#identity, cluster: clusterId });
  }

  /** Notes to which repository these files are published. */
  async bindRepository(repository: string): Promise<void> {
    if (this.#identity.repository === repository) return;
    await this.#identify({ ...this.#identity, repository });
  }

  /** Believed once it is on disk: what only this process knows is forgotten with it. */
  async #identify(identity: Identity): Promise<void> {
    try {
      await writeIdentity(this.#host, this.path, identity);
    } catch (error) {
      throw unusable(this.path, error);
    }
    this.#identity = identity;
  }

  async openPartition(key: PartitionKey, options: PartitionOptions): Promise<PartitionLog> {
    return await PartitionLog.open(this.path, key, this.#host, options);
  }

  /** Notes when this life of the topic was first seen, once. */
  async noteIncarnation(key: Omit<PartitionKey, 'partition'>): Promise<void> {
    if (this.#noted.has(keyText({ ...key, partition: 0 }) + key.topicId)) return;
    this.#noted.add(keyText({ ...key, partition: 0 }) + key.topicId);
    const firstSeen = new Date(this.#host.clock.nowMs()).toISOString();
    await noteIncarnation(this.#host, this.path, { topic: key.topic, topicId: key.topicId, firstSeen });
  }

  async assertHeld(): Promise<void> {
    await this.#lock.assertHeld();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lock[Symbol.asyncDispose]();
  }
}
