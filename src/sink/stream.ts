import { messageOf } from '../errors.ts';
import { codeOf } from '../host/host.ts';
import {
  branchOf,
  commonEnd,
  positionOf,
  type LocalFolder,
  type PartitionKey,
  type PartitionLog,
  type PartitionOptions,
  type Position,
} from '../local/local.ts';
import type { Located } from './accept.ts';
import type { Emit, StartedFrom, StopReason } from './events.ts';
import { SavedThrough } from './saved-through.ts';
import { Source } from './source.ts';

/**
 * One partition on its way from the broker to its files.
 *
 * States:  fetching ⇄ waiting (tried again at a time) · any → stopped (says why) · any ⇄ gone (the topic is)
 * `generation` changes with every step that is not "on behind the last batch", so that an answer to an older question
 * is thrown away. It must change together with `next`, and not where reading merely stops: an answer that was counted in
 * `next` and thrown away would be a hole.
 */
export type StreamState =
  | { readonly kind: 'fetching' }
  | {
      readonly kind: 'waiting';
      readonly untilMs: number;
      readonly sinceMs: number;
      readonly message: string;
      /** The broker cannot be reached at all, as against an answer that was an error. */
      readonly isBrokerLost: boolean;
    }
  | { readonly kind: 'stopped'; readonly reason: StopReason; readonly message: string }
  | { readonly kind: 'gone' };

export interface Leader {
  readonly brokerId: number;
  readonly epoch: number;
}

/** Where a partition begins that has no local files. */
export interface Start {
  readonly offset: bigint;
  readonly from: StartedFrom;
}

export interface StreamPorts {
  readonly local: LocalFolder;
  readonly partitionOptions: PartitionOptions;
  readonly emit: Emit;
  /** Where a partition without local files was left off, as far as anybody knows. */
  readonly startOf: (key: PartitionKey) => Start | undefined;
  /** The disk refused: resolves when it is to be tried again, rejects to give up. */
  readonly onRefusal: (error: unknown) => Promise<void>;
  /** Aborted when the sink stops. */
  readonly signal: AbortSignal;
  nowMs(): number;
  /** For what lasts. */
  steadyMs(): number;
}

const retryFirstMs = 200;
const retryMs = { growth: 2, max: 10_000 };
/** A batch that fails its checksum is asked for again this often: memory and networks flip bits, disks keep them. */
const doubtsMax = 3;
/** Transactions are short: one that is open for longer than this is worth a word. */
const openTransactionToldMs = 60_000;
const partitionBytesMin = 1024 * 1024;

export class PartitionStream {
  readonly key: PartitionKey;
  readonly #ports: StreamPorts;
  log: PartitionLog;
  leader: Leader;
  state: StreamState = { kind: 'fetching' };
  generation = 0;
  /** While an error is looked into, and what it meant is journalled: a second answer would have it done twice. */
  isSettling = false;
  /** What is asked for next; what lies before it was fetched, though perhaps not written yet. */
  next: Position;
  /** Where a catch-up ends; undefined: never. */
  target: bigint | undefined;
  /** Its leader's log may part from ours below the end: it is asked, wherever it ends, until it has answered. */
  isDoubted = false;
  partitionBytes = partitionBytesMin;
  records = 0;
  bytes = 0;
  /** How far the partition reaches, as its leader said last: for a reader of committed records, and at all. */
  ends:
    | {
        readonly stable: bigint;
        readonly highWatermark: bigint;
        readonly atMs: number;
        /** Since when the stable end has been where it is. */
        readonly sinceMs: number;
      }
    | undefined;
  /** When what had come was last made durable. */
  syncedMs: number | undefined;
  readonly #saved = new SavedThrough();
  #doubts = 0;
  readonly #source = new Source();
  #open: { readonly from: bigint; readonly sinceMs: number; readonly isTold: boolean } | undefined;
  #retries = 0;
  #reopening: Promise<void> | undefined;

  private constructor(
    at: { key: PartitionKey; leader: Leader; log: PartitionLog; next: Position },
    ports: StreamPorts,
  ) {
    this.key = at.key;
    this.leader = at.leader;
    this.log = at.log;
    this.next = at.next;
    this.#ports = ports;
  }

  /** Opens the partition's files and goes on where they end, or at the earliest record where there are none. */
  static async open(
    o: { key: PartitionKey; leader: Leader; earliest: bigint },
    ports: StreamPorts,
  ): Promise<PartitionStream> {
    const { key, leader } = o;
    const log = await ports.local.openPartition(key, ports.partitionOptions);
    for (const repair of log.repairs) ports.emit({ type: 'repaired', ...key, repair });
    let next = positionOf(log.coverage);
    let from: StartedFrom = 'local files';
    if (next === undefined) {
      const known = ports.startOf(key);
      from = known?.from ?? 'earliest';
      await ports.local.noteIncarnation(key);
      // Below the log's own start it is asked for all the same: what is missing then is a gap, and told as one.
      next = { offset: known?.offset ?? o.earliest, epoch: -1 };
      await log.begin(next.offset);
    }
    ports.emit({ type: 'started', ...key, offset: next.offset, from });
    return new PartitionStream({ key, leader, log, next }, ports);
  }

  isDone(): boolean {
    return this.target !== undefined && this.next.offset >= this.target && !this.isDoubted;
  }

  /** True where a request to this broker should ask for it now. */
  isAskable(brokerId: number, nowMs: number): boolean {
    const isBusy = this.isSettling || this.#reopening !== undefined;
    if (this.sourceAt(nowMs) !== brokerId || this.isDone() || isBusy) return false;
    return this.state.kind === 'fetching' || (this.state.kind === 'waiting' && this.state.untilMs <= nowMs);
  }

  /** Whom to ask: the leader, or the replica near us that it named. */
  sourceAt(nowMs: number): number {
    return this.#source.at(nowMs) ?? this.leader.brokerId;
  }

  /** The leader would rather have us ask a replica. */
  askReplica(brokerId: number): void {
    this.#source.prefer(brokerId, this.#ports.steadyMs());
  }

  /** Back to the leader, where it was a replica that was asked: its trouble is not the partition's. */
  askLeader(): boolean {
    return this.#source.leave(this.#ports.steadyMs());
  }

  /** False after a replica failed: the leader is asked without being told where we are. */
  mayAskReplica(nowMs: number): boolean {
    return this.#source.mayLeaveLeader(nowMs);
  }

  /** An answer came: what is asked for next lies behind it. */
  advance(located: Located): void {
    this.next = located.end;
    if (located.neededBytes !== undefined && located.neededBytes > this.partitionBytes) {
      this.partitionBytes = located.neededBytes;
    }
    for (const batch of located.batches) {
      if (batch.byteLength > this.partitionBytes) this.partitionBytes = batch.byteLength;
    }
    this.#claim(located);
  }

  /** Up to when everything that came is durable, as far as is known. */
  get savedThroughMs(): number | undefined {
    return this.#saved.at(this.log.durable?.offset);
  }

  /** At the end, what came until now was fetched; before it, what is as old as the newest record of the answer. */
  #claim({ end, batches }: Pick<Located, 'end' | 'batches'>): void {
    const { ends } = this;
    const last = batches.at(-1);
    const isAtEnd = ends !== undefined && end.offset >= ends.stable;
    if (!isAtEnd && last === undefined) return;
    const nowMs = this.#ports.nowMs();
    const newestMs = Number(last?.maxTimestamp ?? -1n);
    if (!isAtEnd && newestMs < 0) return;
    const atMs = isAtEnd ? nowMs : Math.min(newestMs, nowMs);
    this.#saved.claim(end.offset, { atMs, durable: this.log.durable?.offset });
  }

  /** All is well again after a retry. */
  settle(): void {
    this.#retries = 0;
    if (this.state.kind === 'waiting') this.state = { kind: 'fetching' };
  }

  accepted(records: number, bytes: number): void {
    this.#doubts = 0;
    this.records += records;
    this.bytes += bytes;
  }

  /** Something that may pass: ask again a little later, later each time. */
  retryLater(message: string, isBrokerLost = false): void {
    if (this.state.kind === 'stopped' || this.state.kind === 'gone') return;
    const nowMs = this.#ports.steadyMs();
    const delayMs = Math.min(retryFirstMs * retryMs.growth ** this.#retries, retryMs.max);
    this.#retries += 1;
    const sinceMs = this.state.kind === 'waiting' ? this.state.sinceMs : nowMs;
    if (this.state.kind === 'fetching') this.#ports.emit({ type: 'partition-retried', ...this.key, message });
    this.state = { kind: 'waiting', untilMs: nowMs + delayMs, sinceMs, message, isBrokerLost };
  }

  /** A batch was not what the broker stored, or an answer makes no sense: ask again, and stop after a few times. */
  doubt(from: Position, reason: StopReason, message: string): void {
    this.rewind(from);
    this.askLeader();
    this.#doubts += 1;
    if (this.#doubts < doubtsMax) this.retryLater(message);
    else this.stop(reason, `${message}; asked ${doubtsMax} times`);
  }

  /** Notes how far transactions have ended; one that stays open is named once. */
  noteStable(lastStableOffset: bigint, highWatermark: bigint): void {
    const nowMs = this.#ports.steadyMs();
    const sinceMs = this.ends?.stable === lastStableOffset ? this.ends.sinceMs : nowMs;
    this.ends = { stable: lastStableOffset, highWatermark, atMs: nowMs, sinceMs };
    if (this.#open?.from !== lastStableOffset || highWatermark <= lastStableOffset) {
      const isOpen = highWatermark > lastStableOffset;
      this.#open = isOpen
        ? { from: lastStableOffset, sinceMs: this.#ports.steadyMs(), isTold: false }
        : undefined;
      return;
    }
    if (this.#open.isTold || this.#ports.steadyMs() - this.#open.sinceMs < openTransactionToldMs) return;
    this.#open = { ...this.#open, isTold: true };
    this.#ports.emit({ type: 'open-transaction', ...this.key, from: lastStableOffset, to: highWatermark });
  }

  /** The broker has nothing new since its last answer. */
  stay(): void {
    this.settle();
    if (this.ends !== undefined) this.noteStable(this.ends.stable, this.ends.highWatermark);
    this.#claim({ end: this.next, batches: [] });
  }

  stop(reason: StopReason, message: string): void {
    if (this.state.kind === 'stopped' || this.state.kind === 'gone') return;
    this.state = { kind: 'stopped', reason, message };
    this.#ports.emit({ type: 'partition-stopped', ...this.key, reason, message });
  }

  markGone(): void {
    if (this.state.kind === 'gone') return;
    this.state = { kind: 'gone' };
    this.#ports.emit({ type: 'topic-gone', ...this.key });
  }

  /** A new leader may have what the old one could not give. */
  follow(leader: Leader): void {
    const isOther = leader.brokerId !== this.leader.brokerId || leader.epoch !== this.leader.epoch;
    this.leader = leader;
    if (!isOther) return;
    this.#source.forget();
    const { state } = this;
    const isCurable = state.kind === 'stopped' && state.reason !== 'older cluster' && state.reason !== 'disk';
    if (isCurable || state.kind === 'waiting') this.state = { kind: 'fetching' };
    this.#doubts = 0;
  }

  /** The topic can be read again; or it never went, and a broker that had not heard of it yet was asked. */
  allow(): void {
    const { state } = this;
    const wasRefused = state.kind === 'stopped' && state.reason === 'unauthorised';
    if (wasRefused || state.kind === 'gone') this.state = { kind: 'fetching' };
  }

  rewind(to: Position): void {
    this.generation += 1;
    this.next = to;
  }

  /** The records up to here are no longer in the cluster, and never were in the files. */
  async skipTo(offset: bigint): Promise<void> {
    const from = this.next.offset;
    this.generation += 1;
    await this.log.skipGap(from, offset);
    this.next = { offset, epoch: -1 };
    this.#ports.emit({ type: 'gap', ...this.key, from, to: offset });
  }

  /** The leader's log is another one from somewhere before our end. Keeps what was saved; begins a branch there. */
  async diverge(leader: { epoch: number; endOffset: bigint }): Promise<void> {
    this.generation += 1;
    await this.log.flush();
    const offset = commonEnd(this.log.coverage, leader);
    if (offset === undefined || offset >= this.next.offset) {
      this.doubt(
        this.next,
        'unknown error',
        `the leader's log parts from ours nowhere below ${this.next.offset}`,
      );
      return;
    }
    const lastEpoch = this.log.coverage.epochs.at(-1)?.epoch ?? 0;
    const epoch = Math.max(lastEpoch, branchOf(this.log.coverage)) + 1;
    await this.log.truncate(offset, epoch);
    this.#saved.forget();
    this.next = { offset, epoch: this.log.coverage.epochs.at(-1)?.epoch ?? -1 };
    this.#ports.emit({ type: 'truncated', ...this.key, offset, epoch });
  }

  /** True while the files are opened anew. */
  get isReopening(): boolean {
    return this.#reopening !== undefined;
  }

  /** After a write or a sync that failed: begins again from what is on disk, however long that takes. */
  reopen(cause: unknown): void {
    this.#reopening ??= this.#reopen(cause).finally(() => {
      this.#reopening = undefined;
    });
  }

  /** Resolves when the files are not being opened anew. */
  async settled(): Promise<void> {
    await this.#reopening;
  }

  async #reopen(cause: unknown): Promise<void> {
    this.generation += 1;
    const isRefused = codeOf(cause) !== undefined;
    this.retryLater(`${isRefused ? 'the disk refused: ' : ''}${messageOf(cause)}`);
    try {
      await this.#onceAble(async () => this.log.abandon());
      if (isRefused) await this.#ports.onRefusal(cause);
      const { local, partitionOptions } = this.#ports;
      this.log = await this.#onceAble(async () => local.openPartition(this.key, partitionOptions));
      this.rewind(positionOf(this.log.coverage) ?? this.next);
    } catch (error) {
      this.stop('disk', messageOf(error));
    }
  }

  /** A disk that refuses holds a recovery up as it does a write. */
  async #onceAble<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        await this.#ports.onRefusal(error);
      }
    }
  }
}
