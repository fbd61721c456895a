import { createServer } from 'node:net';
import type { Clock, Host, SocketFolder } from '../../src/host/host.ts';
import type {
  Cluster,
  EpochEnd,
  EpochQuestion,
  FetchedPartition,
  Fetcher,
  FetchRequest,
  FetchResponse,
  ListedOffset,
  Metadata,
  OffsetQuestion,
  OffsetToCommit,
} from '../../src/kafka/kafka.ts';
import { join } from 'node:path';
import { control, encodeBatch, record, transactional } from '../log/encoder.ts';
import type { FaultyDisk } from '../host/faulty-disk.ts';
import { numbersFrom } from '../local/simulation.ts';

/** Time that goes on to the next thing that waits for it as soon as nothing else is left to do. */
export class QuickClock implements Clock {
  #nowMs: number;
  #setMs = 0;
  #isPumping = false;
  readonly #waiting = new Set<{ readonly atMs: number; readonly run: () => void }>();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs + this.#setMs;
  }

  steadyMs(): number {
    return this.#nowMs;
  }

  /** Somebody sets the wall clock: what waits goes on waiting as it did. */
  set(byMs: number): void {
    this.#setMs += byMs;
  }

  move(byMs: number): void {
    this.#nowMs += byMs;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#waiting.add(timer);
    this.#pump();
    return { cancel: () => this.#waiting.delete(timer) };
  }

  #pump(): void {
    if (this.#isPumping || this.#waiting.size === 0) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      const [next] = [...this.#waiting].toSorted((a, b) => a.atMs - b.atMs);
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      this.#pump();
    });
  }
}

/** A host without anything real in it; who held a folder before is always dead. */
export function hostOn(disk: FaultyDisk, clock: Clock): Host {
  const number = numbersFrom(1);
  const openSocketFolder = async (folder: string): Promise<SocketFolder> => ({
    async listen(name) {
      const file = await disk.open(join(folder, name), 'create');
      await file.close();
      return createServer(); // it need not listen to be closed
    },
    async connect() {
      throw Object.assign(new Error('nobody listens'), { code: 'ECONNREFUSED' });
    },
    [Symbol.asyncDispose]: async () => undefined,
  });
  return {
    disk,
    clock,
    random: {
      bytes: (count) => Buffer.from(Array.from({ length: count }, () => Math.floor(number() * 256))),
      uuid: () => '11111111-1111-4111-8111-111111111111',
    },
    openSocketFolder,
  };
}

export interface StoredBatch {
  readonly from: bigint;
  readonly to: bigint;
  readonly epoch: number;
  readonly bytes: Buffer;
  /** False for a transaction marker, which no reader sees. */
  readonly isData: boolean;
}

/** One partition as its leader has it. */
export class StoredLog {
  batches: StoredBatch[] = [];
  /** What a backup has to hold: those too that are deleted by now. */
  wanted: StoredBatch[] = [];
  start = 0n;
  end = 0n;
  epoch = 0;
  /** What the leader answers instead, for as long as it is not 0. */
  errorCode = 0;

  produce(batches: number, atMs: number): void {
    for (let count = 0; count < batches; count += 1) this.#add(atMs, true);
    this.#add(atMs, false);
  }

  /** Retention takes everything, also what lies behind this offset and nobody has read. */
  deleteAll(readUpTo: bigint): void {
    this.start = this.end;
    this.batches = [];
    this.wanted = this.wanted.filter(({ to }) => to <= readUpTo);
  }

  /** A leader that had not seen the last batches takes over. */
  loseLast(count: number): void {
    const end = this.batches.at(-count)?.from ?? this.end;
    this.batches = this.batches.filter(({ to }) => to <= end);
    this.wanted = this.wanted.filter(({ to }) => to <= end);
    this.end = end;
    this.epoch += 1;
  }

  /** The largest epoch that is not above this one, and where it ends. */
  endOf(epoch: number): { epoch: number; endOffset: bigint } {
    const last = this.batches.findLast((batch) => batch.epoch <= epoch);
    return last === undefined
      ? { epoch: -1, endOffset: -1n }
      : { epoch: last.epoch, endOffset: last.epoch === this.epoch ? this.end : last.to };
  }

  #add(atMs: number, isData: boolean): void {
    const from = this.end;
    const count = isData ? 3n : 1n;
    const value = Buffer.alloc(40, Number(from % 251n));
    const marker = { key: Buffer.from([0, 0, 0, 1]), value: Buffer.alloc(6) };
    const records = isData
      ? [0, 1, 2].map((offsetDelta) => record({ offsetDelta, value }))
      : [record(marker)];
    const kind = isData ? {} : { attributes: transactional | control, producerId: 7n };
    const bytes = encodeBatch({
      baseOffset: from,
      leaderEpoch: this.epoch,
      baseTimestamp: BigInt(atMs),
      maxTimestamp: BigInt(atMs),
      records,
      ...kind,
    });
    this.end = from + count;
    const batch = { from, to: this.end, epoch: this.epoch, bytes, isData };
    this.batches.push(batch);
    this.wanted.push(batch);
  }
}

const unused = async (): Promise<never> => {
  throw new Error('a sink does not ask for this');
};

const batchesPerAnswer = 3;

/** Memory that nobody counts is given back by letting go of it. */
const held = (): void => undefined;

/** One broker that leads every partition of one topic. */
export class MemoryCluster implements Cluster {
  readonly clusterId = 'memory';
  readonly topic = 'orders';
  readonly topicId = 'AAAAAAAAAAAAAAAAAAAAAQ';
  readonly logs = [new StoredLog(), new StoredLog()];
  /** What the group says, by partition. */
  readonly committed = new Map<number, bigint>();
  readonly #clock: Clock;

  readonly savedGroups = unused;
  readonly access = unused;
  readonly topicConfigs = unused;
  readonly effectiveConfigs = unused;
  readonly createTopics = unused;
  readonly deleteTopics = unused;
  readonly deleteRecords = unused;
  readonly deleteOffsets = unused;
  readonly changeTopicConfigs = unused;
  readonly producerIdentity = unused;
  readonly groupNames = unused;
  readonly groupStates = unused;
  readonly producer = unused;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async metadata(): Promise<Metadata> {
    const partitions = this.logs.map(({ epoch }, partition) => ({
      errorCode: 0,
      partition,
      leaderId: 1,
      leaderEpoch: epoch,
      replicas: [1],
      isr: [1],
      offline: [],
    }));
    const topic = { errorCode: 0, name: this.topic, topicId: this.topicId, isInternal: false, partitions };
    const broker = { id: 1, host: 'memory', port: 9092, rack: undefined };
    return { clusterId: this.clusterId, controllerId: 1, brokers: [broker], topics: [topic] };
  }

  async listOffsets(questions: readonly OffsetQuestion[]): Promise<ListedOffset[]> {
    return questions.map(({ topic, partition, timestamp }) => {
      const log = this.#log(partition);
      const offset = timestamp === -2n ? log.start : log.end;
      return { topic, partition, errorCode: 0, offset, timestamp: -1n, leaderEpoch: log.epoch };
    });
  }

  async endOffsetForEpoch(questions: readonly EpochQuestion[]): Promise<EpochEnd[]> {
    return questions.map(({ topic, partition, epoch }) => {
      return { topic, partition, errorCode: 0, ...this.#log(partition).endOf(epoch) };
    });
  }

  async committedOffsets(): Promise<[]> {
    return [];
  }

  async commitOffsets(_group: string, rows: readonly OffsetToCommit[]): ReturnType<Cluster['commitOffsets']> {
    for (const { partition, offset } of rows) this.committed.set(partition, offset);
    return rows.map(({ topic, partition }) => ({ topic, partition, errorCode: 0 }));
  }

  async fetcher(brokerId: number): Promise<Fetcher> {
    return {
      brokerId,
      fetch: async (request, signal) => this.#fetch(request, signal),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #fetch(request: FetchRequest, signal?: AbortSignal): Promise<FetchResponse> {
    let partitions = this.#answer(request);
    if (partitions.every((row) => row.records.length === 0 && row.errorCode === 0 && !row.diverging)) {
      await new Promise<void>((resolve) => {
        this.#clock.after(request.maxWaitMs, resolve);
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
      partitions = this.#answer(request);
    }
    if (signal?.aborted) throw new Error('the fetch was given up');
    const byteLength = partitions.reduce((sum, { records }) => sum + records.length, 0);
    return { errorCode: 0, throttleMs: 0, partitions, isWhole: true, byteLength, release: held };
  }

  #answer(request: FetchRequest): FetchedPartition[] {
    return request.partitions.map(({ topicId, partition, offset, lastEpoch }) => {
      const log = this.#log(partition);
      const row = {
        topicId,
        partition,
        errorCode: 0,
        highWatermark: log.end,
        lastStableOffset: log.end,
        logStartOffset: log.start,
        aborted: [],
        preferredReadReplica: -1,
        records: Buffer.alloc(0),
      };
      const shared = lastEpoch < 0 ? undefined : log.endOf(lastEpoch);
      if (log.errorCode !== 0) return { ...row, errorCode: log.errorCode };
      if (offset < log.start) return { ...row, errorCode: 1 };
      if (shared !== undefined && (shared.epoch < lastEpoch || shared.endOffset < offset))
        return { ...row, diverging: shared };
      if (offset > log.end) return { ...row, errorCode: 1 };
      const batches = log.batches.filter(({ to }) => to > offset).slice(0, batchesPerAnswer);
      return { ...row, records: Buffer.concat(batches.map(({ bytes }) => bytes)) };
    });
  }

  #log(partition: number): StoredLog {
    const log = this.logs[partition];
    if (log === undefined) throw new Error(`the cluster has no partition ${partition}`);
    return log;
  }
}
