/**
 * The sink: from the brokers to the month segments of the local folder, exact and crash-safe.
 *
 * It promises: what it keeps is the brokers' own bytes, each committed record once and in order; nothing is committed
 * before it is on disk; what could not be had is told as an event and counted; one partition's trouble never holds up
 * another; what was fetched and not yet written is bounded. It decodes no record, never changes what is in the
 * cluster but the positions of its own group, and logs nothing.
 */
import { VarveError, messageOf } from '../errors.ts';
import { pause, type Host } from '../host/host.ts';
import type { Cluster } from '../kafka/kafka.ts';
import type { LocalFolder } from '../local/local.ts';
import {
  freezeEnds,
  isReached,
  progressOf,
  reportOf,
  type CatchUpReport,
  type Frozen,
  type Progress,
} from './catch-up.ts';
import { Streams } from './discover.ts';
import type { Emit, SinkEvent } from './events.ts';
import { Fetching } from './fetching.ts';
import { cutAll, type Cut } from './cut.ts';
import { assertOwnGroup, Commits, durableKey, type DurableOffsets } from './group.ts';
import type { TopicThere } from './plan.ts';
import { DiskRoom, isDiskFull } from './room.ts';
import type { PartitionStream } from './stream.ts';
import { syncAll } from './syncing.ts';

export type { CatchUpReport, Progress } from './catch-up.ts';
export type { Cut } from './cut.ts';
export type { SinkEvent } from './events.ts';
export type { DurableOffsets } from './group.ts';
export type { TopicThere } from './plan.ts';
export { durableKey } from './group.ts';

export interface SinkOptions {
  readonly cluster: Cluster;
  readonly local: LocalFolder;
  readonly host: Host;
  readonly emit: Emit;
  readonly isWanted: (topic: string) => boolean;
  readonly group: string;
  readonly rack?: string;
  readonly segmentBytes: number;
  readonly inFlightBytes: number;
  readonly minFreeBytes: number;
  /** `catch-up` ends at the ends it froze and gives up on lasting trouble; `follow` goes on for ever. */
  readonly mode: 'catch-up' | 'follow';
  /** How far the newest snapshot holds each partition: there begins one that has lost its local files. */
  readonly saved?: DurableOffsets;
}

/** What the sink knows of itself, for a terminal, a log line or a metric. */
export interface SinkStatus {
  readonly partitions: number;
  readonly records: number;
  readonly bytes: number;
  readonly stopped: number;
  readonly waiting: number;
  readonly inFlightBytes: number;
}

const tickMs = 1000;
const lastCommitMs = 3000;
/** What nobody has asked for since is told by the log, the journal and `gaps list`. */
const eventsMax = 10_000;
/** How long trouble may last before a catch-up gives up on it. */
const catchUpPatienceMs = 30_000;
const discoverEveryMs = 30_000;
/** More than this unsynced starts a sync before its time, so that the disk never stands idle. */
const unsyncedBytesMax = 32 * 1024 * 1024;
/** A follower waits for this much, so that a trickle does not become a request per record. */
const followMinBytes = 64 * 1024;

export class Sink implements AsyncDisposable {
  readonly #o: SinkOptions;
  readonly #events: SinkEvent[] = [];
  readonly #stop = new AbortController();
  readonly #streams: Streams;
  readonly #fetching: Fetching;
  readonly #room: DiskRoom;
  readonly #commits: Commits;
  #ticking: Promise<void> = Promise.resolve();
  #watchers = new Set<() => void>();
  #wakeTick: (() => void) | undefined;
  #syncedBytes = 0;
  #mustDiscover = false;
  #frozen: Frozen | undefined;
  #failure: unknown;

  private constructor(options: SinkOptions, committed: DurableOffsets) {
    this.#o = options;
    const { host, local } = options;
    const emit: Emit = (event) => this.#emit(event);
    const { minFreeBytes } = options;
    const patienceMs = options.mode === 'follow' ? undefined : catchUpPatienceMs;
    const folder = { folder: local.path, minFreeBytes, patienceMs, signal: this.#stop.signal };
    this.#room = new DiskRoom({ disk: host.disk, clock: host.clock, emit }, folder);
    const nowMs = (): number => host.clock.nowMs();
    const identity = (): LocalFolder['identity'] => local.identity;
    this.#commits = new Commits(options.cluster, { group: options.group, identity, emit, nowMs });
    const onRefusal = async (error: unknown): Promise<void> => this.#room.refused(error);
    const partitionOptions = {
      segmentBytes: options.segmentBytes,
      onRefusal: async (error: unknown): Promise<void> => {
        // A full disk is full for all, so a write may wait for it; anything else may be this partition's own trouble.
        if (!isDiskFull(error)) throw error;
        await onRefusal(error);
      },
    };
    this.#streams = new Streams(options.cluster, options.isWanted, {
      local,
      partitionOptions,
      onRefusal,
      emit,
      nowMs,
      signal: this.#stop.signal,
      startOf(key) {
        const saved = options.saved?.get(durableKey(key));
        if (saved !== undefined) return { offset: saved, from: 'snapshot' };
        const known = committed.get(durableKey(key));
        return known === undefined ? undefined : { offset: known, from: 'group' };
      },
    });
    this.#fetching = new Fetching({
      cluster: options.cluster,
      clock: host.clock,
      emit,
      room: this.#room,
      streams: () => this.#streams.all(),
      inFlightBytes: options.inFlightBytes,
      minBytes: options.mode === 'follow' ? followMinBytes : 1,
      rack: options.rack,
      signal: this.#stop.signal,
      onProgress: () => this.#progress(),
      onStale: () => {
        this.#mustDiscover = true;
      },
    });
  }

  /** Everything that can be refused is refused here: another cluster, another installation in the group. */
  static async start(options: SinkOptions): Promise<Sink> {
    const { cluster, local, host, group } = options;
    await local.bindCluster(cluster.clusterId);
    const { identity } = local;
    const committed = await assertOwnGroup(cluster, group, { identity, clock: host.clock, emit: options.emit });
    const sink = new Sink(options, committed);
    if (options.saved !== undefined) sink.noteDurable(options.saved);
    try {
      await sink.#room.look();
      await sink.#discover();
      sink.#ticking = sink.#tick();
      return sink;
    } catch (error) {
      await sink[Symbol.asyncDispose]();
      throw error;
    }
  }

  get status(): SinkStatus {
    const status = { partitions: 0, records: 0, bytes: 0, stopped: 0, waiting: 0 };
    for (const stream of this.#streams.all()) {
      status.partitions += 1;
      status.records += stream.records;
      status.bytes += stream.bytes;
      if (stream.state.kind === 'stopped') status.stopped += 1;
      if (stream.state.kind === 'waiting') status.waiting += 1;
    }
    return { ...status, inFlightBytes: this.#fetching.inFlightBytes };
  }

  /** The topics that are there now and may be read, by name. */
  get topics(): ReadonlyMap<string, TopicThere> {
    return this.#streams.topics;
  }

  /** How far the catch-up under way has come, in offsets; undefined while there is none. */
  get progress(): Progress | undefined {
    return this.#frozen && progressOf(this.#frozen);
  }

  /** Rejects when the sink cannot go on at all; resolves when it was stopped. */
  async finished(): Promise<void> {
    await this.#ticking;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Reads up to the last stable offsets as of now, judged by position, and makes them durable. Partitions that cannot
   * be had within the patience are named in the report; with no broker left at all it throws.
   */
  async catchUp(signal?: AbortSignal): Promise<CatchUpReport> {
    await this.#discover();
    // Reading began with the start: a sink that lives for one catch-up has read for it from then on.
    const countsFromStart = this.#o.mode === 'catch-up';
    const frozen = await freezeEnds([...this.#streams.all()], this.#o.cluster, { countsFromStart });
    this.#frozen = frozen;
    for (const open of frozen.openTransactions) this.#emit({ type: 'open-transaction', ...open });
    if (this.#o.mode === 'catch-up') {
      for (const stream of this.#streams.all()) stream.target = frozen.ends.get(stream) ?? stream.next.offset;
    }
    this.#fetching.wake();
    const isAtEnd = (): boolean => isReached(frozen, this.#giveUpBefore());
    // A partition whose sync fails begins again from what is durable, and is waited for again.
    do {
      await this.#until(isAtEnd, signal);
      await this.#syncAll();
    } while (!isAtEnd());
    await this.#commit();
    this.#frozen = undefined;
    return reportOf(frozen, {
      events: this.#events.splice(0),
      missing: this.#streams.missing,
      topics: this.#streams.topics,
    });
  }

  /** From here on every partition writes to a new segment; the old ones are durable and closed when it resolves. */
  async cut(): Promise<Cut> {
    return await cutAll([...this.#streams.all()], {
      nowMs: () => this.#o.host.clock.nowMs(),
      emit: (event) => this.#emit(event),
      sync: async () => this.#syncAll(),
    });
  }

  /** A snapshot holds the partitions so far: the group's commits say so from now on. */
  noteDurable(saved: DurableOffsets): void {
    this.#commits.noteDurable(saved);
  }

  /** Stops fetching, writes what has come, makes it durable, commits it and closes the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#wakeTick?.();
    await this.#ticking;
    await this.#fetching.ended();
    for (const stream of this.#streams.all()) await this.#close(stream);
    await this.#lastCommit();
  }

  async #commit(): Promise<void> {
    await this.#commits.commit(this.#streams.all(), { isLast: false, signal: this.#stop.signal });
  }

  /** What is on disk is safe without it, so a coordinator that hangs does not hold up the end for long. */
  async #lastCommit(): Promise<void> {
    const giveUp = new AbortController();
    const timer = this.#o.host.clock.after(lastCommitMs, () => giveUp.abort());
    try {
      await this.#commits.commit(this.#streams.all(), { isLast: true, signal: giveUp.signal });
    } catch (error) {
      this.#emit({ type: 'commit-failed', message: messageOf(error) });
    } finally {
      timer.cancel();
    }
  }

  async #close(stream: PartitionStream): Promise<void> {
    await stream.settled();
    try {
      await stream.log[Symbol.asyncDispose]();
    } catch (error) {
      this.#emit({ type: 'disk-refused', message: messageOf(error), isFull: false });
      await stream.log.abandon().catch(() => undefined); // told just before; the next start recovers the files
    }
  }

  #emit(event: SinkEvent): void {
    if (['gap', 'truncated', 'repaired'].includes(event.type)) this.#events.push(event);
    if (this.#events.length > eventsMax) this.#events.shift();
    this.#o.emit(event);
  }

  async #tick(): Promise<void> {
    const { clock } = this.#o.host;
    let discoveredMs = clock.nowMs();
    while (!this.#stop.signal.aborted && this.#failure === undefined) {
      await this.#nextTick();
      try {
        await this.#o.local.assertHeld();
        await this.#room.look();
        await this.#syncAll();
        await this.#commit();
        if (this.#mustDiscover || clock.nowMs() - discoveredMs >= discoverEveryMs) {
          discoveredMs = clock.nowMs();
          await this.#discover();
        }
        if (this.#room.failure !== undefined) throw this.#room.failure;
      } catch (error) {
        if (this.#stop.signal.aborted) break;
        if (isKafkaTrouble(error)) this.#emit({ type: 'metadata-failed', message: messageOf(error) });
        else this.#failure = error;
      }
      this.#progress();
    }
    if (this.#failure !== undefined) this.#stop.abort();
    this.#progress();
  }

  async #nextTick(): Promise<void> {
    const woken = new AbortController();
    this.#wakeTick = () => woken.abort();
    await pause(this.#o.host.clock, tickMs, AbortSignal.any([woken.signal, this.#stop.signal]));
  }

  async #discover(): Promise<void> {
    this.#mustDiscover = false;
    await this.#streams.discover();
    this.#fetching.follow();
  }

  #progress(): void {
    if (this.#savedBytes() - this.#syncedBytes >= unsyncedBytesMax) this.#wakeTick?.();
    for (const watcher of this.#watchers) watcher();
  }

  async #until(isReachedNow: () => boolean, signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        try {
          const failure = this.#failure ?? this.#room.failure;
          if (failure !== undefined) throw failure;
          if (signal?.aborted) throw stoppedPartWay();
          if (isReachedNow()) finish(resolve);
        } catch (error) {
          finish(() => reject(error));
        }
      };
      const finish = (settle: () => void): void => {
        this.#watchers.delete(look);
        signal?.removeEventListener('abort', look);
        settle();
      };
      this.#watchers.add(look);
      signal?.addEventListener('abort', look);
      look();
    });
  }

  /** Trouble that began before this moment has lasted too long for a catch-up. */
  #giveUpBefore(): number {
    return this.#o.host.clock.nowMs() - catchUpPatienceMs;
  }

  async #syncAll(): Promise<void> {
    const bytes = this.#savedBytes();
    await syncAll(this.#streams.all(), this.#room);
    this.#syncedBytes = bytes;
  }

  #savedBytes(): number {
    let bytes = 0;
    for (const stream of this.#streams.all()) bytes += stream.bytes;
    return bytes;
  }
}

/** Kafka's trouble passes, or an operator ends it: what is being read goes on meanwhile. */
function isKafkaTrouble(error: unknown): boolean {
  if (!(error instanceof VarveError)) return false;
  return error.retryable || error.code === 'kafka-unreachable' || error.code === 'kafka-refused';
}

function stoppedPartWay(): VarveError {
  return new VarveError('interrupted', 'stopped before the end was reached', {
    hint: 'what was read so far is safe on disk: run the same command again to go on from there',
  });
}
