import { randomBytes, createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { BlockPool, stretchByArgon2 } from '../../src/crypto/crypto.ts';
import { systemHost, type Disk, type Host } from '../../src/host/host.ts';
import { initLocalFolder, PartitionLog, type PartitionKey } from '../../src/local/local.ts';
import { nextOffsetOf, scanBatches } from '../../src/log/log.ts';
import {
  initRepository,
  readMemory,
  Repository,
  type RepositoryPlace,
} from '../../src/repository/repository.ts';
import {
  runCycle,
  verifyRepository,
  type CycleEvent,
  type CyclePorts,
  type CycleReport,
  type CycleRequest,
  type SeenTopic,
  type SnapshotSettings,
  type VerifyLevel,
  type VerifyReport,
} from '../../src/snapshot/snapshot.ts';
import { encodeBatch, record } from '../log/encoder.ts';

export const dayMs = 86_400_000;
export const november = Date.UTC(2026, 10, 1, 3);
export const cluster = 'k3PN8zE1QCa7mL0rT5wXyA';

export function topicId(name: string): string {
  return createHash('sha256').update(name).digest().subarray(0, 16).toString('base64url');
}

export function keyOf(topic: string, partition = 0, id = topicId(topic)): PartitionKey {
  return { topic, topicId: id, partition };
}

/** Of all stores of a file: the starting of threads takes most of the time of a small cycle. */
let pool: BlockPool | undefined;
afterAll(async () => pool?.[Symbol.asyncDispose]());

/** A repository and a local folder, in one temporary folder or on a disk of the test's own. */
export class Store implements AsyncDisposable {
  readonly folder: string;
  readonly host: Host;
  readonly local: string;
  readonly target: string;
  readonly keyFile: string;
  readonly events: CycleEvent[] = [];
  readonly topics = new Map<string, SeenTopic>();
  settings: SnapshotSettings;
  /** Whether its cycles start threads of their own, as they do outside of tests. */
  startsThreads = false;
  readonly installation = '5f0c3a52-97b1-4f0e-8a55-0d3f1b2c4e6a';
  readonly #clock: { nowMs: number };
  readonly #remove: () => Promise<void>;
  readonly #ends = new Map<string, bigint>();

  private constructor(o: {
    folder: string;
    target?: string;
    disk: Disk;
    remove: () => Promise<void>;
    clock: { nowMs: number };
  }) {
    this.#clock = o.clock;
    this.folder = o.folder;
    this.#remove = o.remove;
    this.local = join(o.folder, 'local');
    this.target = o.target ?? join(o.folder, 'target');
    this.keyFile = join(o.folder, 'key');
    this.host = {
      ...systemHost,
      disk: o.disk,
      clock: { nowMs: () => this.nowMs, after: () => ({ cancel: () => undefined }) },
    };
    this.settings = {
      instance: 'main',
      repository: { dir: this.target, keyFile: this.keyFile, plainNames: false, level: 3 },
      retain: { hourly: 0, daily: 7, weekly: 4, monthly: 12, minimum: 2, minAge: dayMs },
      archive: { keep: 'forever', topics: {} },
      verify: { maxAge: 35 * dayMs },
      cycle: { schedule: '0 3 * * *', timezone: 'UTC', onStart: false },
      topics: { include: ['*'], exclude: [] },
    };
  }

  /** `over` lays something over the real disk. */
  static async make(o: { disk?: Disk; over?: (disk: Disk) => Disk } = {}): Promise<Store> {
    const folder = o.disk === undefined ? await mkdtemp(join(tmpdir(), 'varve-snapshot-')) : '/store';
    const clock = { nowMs: november };
    const { over = (disk: Disk): Disk => disk } = o;
    const disk = o.disk ?? over(datedDisk(clock));
    const remove = async (): Promise<void> => {
      if (o.disk === undefined) await rm(folder, { recursive: true, force: true });
    };
    if (o.disk !== undefined) await disk.makeFolder(folder);
    const store = new Store({ folder, disk, remove, clock });
    const key = await disk.open(store.keyFile, 'create');
    await key.write([Buffer.alloc(32, 7)], 0);
    await key.sync();
    await key.close();
    await initLocalFolder(store.host, store.local, 'main');
    await store.init();
    return store;
  }

  /** What the test says that it is, for the daemon and for the target. */
  get nowMs(): number {
    return this.#clock.nowMs;
  }

  set nowMs(nowMs: number) {
    this.#clock.nowMs = nowMs;
  }

  /** This store as it stands, on another disk that holds the same. */
  on(disk: Disk): Store {
    const { folder } = this;
    const store = new Store({ folder, disk, remove: async () => undefined, clock: { nowMs: this.nowMs } });
    store.settings = this.settings;
    for (const [name, topic] of this.topics) store.topics.set(name, topic);
    return store;
  }

  /** With another folder as the repository. */
  elsewhere(target: string): Store {
    const { folder } = this;
    const { disk } = this.host;
    return new Store({ folder, target, disk, remove: async () => undefined, clock: { nowMs: this.nowMs } });
  }

  get place(): RepositoryPlace {
    return { folder: this.target, instance: this.settings.instance };
  }

  async init(): Promise<void> {
    const secret = { keyFile: this.keyFile };
    await initRepository(this.host, this.place, { secret, stretch: stretchByArgon2 });
  }

  async open(instance = this.settings.instance): Promise<Repository> {
    const place = { folder: this.target, instance };
    return await Repository.open(this.host, place, { keyFile: this.keyFile }, { stretch: stretchByArgon2 });
  }

  /** Lets the cluster have the topic, with so many partitions. */
  see(topic: string, partitions = 1, id = topicId(topic)): void {
    const settings = { readMs: this.nowMs, partitions, replicationFactor: 1, configs: [] };
    this.topics.set(topic, { topic, topicId: id, settings });
  }

  /** Appends so many records, a batch of ten each, as the sink does, and closes the files. */
  async append(
    key: PartitionKey,
    count: number,
    o: {
      valueBytes?: number;
      atMs?: number;
      /** So much later is each batch than the one before. */
      stepMs?: number;
      /** Of the third record of each batch, in place of `atMs`. */
      lateMs?: number;
      segmentBytes?: number;
      batchRecords?: number;
      codec?: number;
    } = {},
  ): Promise<bigint> {
    if (!this.topics.has(key.topic)) this.see(key.topic, key.partition + 1, key.topicId);
    let atMs = BigInt(o.atMs ?? this.nowMs);
    const { disk, random, clock } = this.host;
    const options = {
      segmentBytes: o.segmentBytes ?? 2 ** 28,
      onRefusal: async (error: unknown): Promise<void> => {
        throw error;
      },
    };
    const place = `${key.topicId}/${key.partition}`;
    await using log = await PartitionLog.open(this.local, key, { disk, random, clock }, options);
    if (log.durable === undefined) await log.begin(0n);
    let base = log.durable?.offset ?? 0n;
    const { batchRecords = 10 } = o;
    for (let left = Math.floor(count); left > 0; left -= batchRecords) {
      const records = Array.from({ length: Math.min(batchRecords, left) }, (_, index) =>
        record({
          offsetDelta: index,
          timestampDelta: index === 2 && o.lateMs !== undefined ? BigInt(o.lateMs) - atMs : 0n,
          key: Buffer.from(`key-${base + BigInt(index)}`),
          value: someBytes(o.valueBytes ?? 100),
        }),
      );
      const times = { baseTimestamp: atMs, maxTimestamp: atMs };
      const bytes = encodeBatch({ baseOffset: base, attributes: o.codec ?? 0, ...times, records });
      atMs += BigInt(o.stepMs ?? 0);
      const batches = scanBatches(bytes).batches;
      const last = batches.at(-1);
      base = last === undefined ? base : nextOffsetOf(last);
      await log.append({
        bytes,
        batches,
        end: { offset: base, epoch: 0 },
        epochStarts: [{ epoch: 0, from: 0n }],
      });
    }
    this.#ends.set(place, base);
    return base;
  }

  async cycle(
    o: Partial<CycleRequest> & { onStep?: CyclePorts['onStep']; signal?: AbortSignal } = {},
  ): Promise<CycleReport> {
    const { onStep, signal = new AbortController().signal, ...request } = o;
    return await runCycle(this.settings, this.request(request), {
      host: this.host,
      emit: (event) => this.events.push(event),
      signal,
      stretch: stretchByArgon2,
      ...(onStep === undefined ? {} : { onStep }),
      ...(!this.startsThreads && { pool: (pool ??= new BlockPool({ threads: 2, level: 3 })) }),
    });
  }

  request(o: Partial<CycleRequest>): CycleRequest {
    return {
      localFolder: this.local,
      localKeepMs: 35 * dayMs,
      localMinFreeBytes: 0,
      installation: this.installation,
      cluster,
      tool: 'varve test',
      cut: [],
      busy: [],
      topics: [...this.topics.values()],
      groups: { readMs: this.nowMs, groups: [] },
      access: null,
      unread: [],
      accept: { rollback: false, cluster: false, shrink: false, clock: false },
      ...o,
    };
  }

  /** By the real clock: for what happens in another process. */
  realAfter(delayMs: number, run: () => void): { cancel(): void } {
    return systemHost.clock.after(delayMs, run);
  }

  async verify(level: VerifyLevel = 'deep'): Promise<VerifyReport> {
    return await verifyRepository(
      { host: this.host, emit: () => undefined, signal: new AbortController().signal },
      {
        folder: this.target,
        repository: (await this.open()).identity.repository,
        instance: undefined,
        memory: await readMemory(this.host, this.local),
        localFolder: this.local,
        level,
        subset: undefined,
        open: async (instance) => this.open(instance),
        onRead: async () => undefined,
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remove();
  }
}

/** The real disk, whose files carry the time of the test: ages are told by the target's own clock. */
function datedDisk(clock: { readonly nowMs: number }): Disk {
  const { disk } = systemHost;
  const dates = new Map<bigint, number>();
  return {
    ...disk,
    async open(path, mode) {
      const file = await disk.open(path, mode);
      const stat = mode === 'create' ? await disk.stat(path) : undefined;
      if (stat !== undefined) dates.set(stat.inode, clock.nowMs);
      return file;
    },
    async stat(path) {
      const stat = await disk.stat(path);
      return stat && { ...stat, modifiedMs: dates.get(stat.inode) ?? stat.modifiedMs };
    },
  };
}

/** Half of it compresses. */
export function someBytes(count: number): Buffer {
  return Buffer.concat([randomBytes(count >> 1), Buffer.alloc(count - (count >> 1), 'varve ')]);
}
