/**
 * The sink: from the brokers to the month segments of the local folder, exact and crash-safe.
 *
 * It promises: what it keeps is the brokers' own bytes, each committed record once and in order; nothing is committed
 * before it is on disk; what could not be had is told as an event and counted; one partition's trouble never holds up
 * another; what was fetched and not yet written is bounded. It decodes no record, never changes what is in the
 * cluster but the positions of its own group, and logs nothing.
 */
import { VarveError, messageOf } from '../errors.ts';
import { codeOf, isDiskFull, pause, steadyMs } from '../host/host.ts';
import type { LocalFolder } from '../local/local.ts';
import { Beside } from './beside.ts';
import {
  freezeEnds,
  isReached,
  progressOf,
  reportOf,
  type CatchUpReport,
  type Frozen,
  type Progress,
} from './catch-up.ts';
import { Changes } from './changes.ts';
import { closeAll, committedOrLate } from './closing.ts';
import { Streams } from './discover.ts';
import type { Emit, SinkEvent } from './events.ts';
import { Fetching } from './fetching.ts';
import { followedOf, type FollowedPartition } from './followed.ts';
import { cutAll, type Cut } from './cut.ts';
import { assertOwnGroup, Commits, startOf, type DurableOffsets } from './group.ts';
import { isKafkaTrouble } from './kafka-trouble.ts';
import {
  metricsOf,
  statusOf,
  type SinkMetrics,
  type SinkStatus,
  troubleOf,
  type Trouble,
} from './metrics.ts';
import type { SinkOptions } from './options.ts';
import type { TopicThere } from './plan.ts';
import { DiskRoom } from './room.ts';
import { Syncing } from './syncing.ts';

export type { CatchUpReport, Progress } from './catch-up.ts';
export type { Cut } from './cut.ts';
export type { SinkEvent } from './events.ts';
export type { FollowedPartition } from './followed.ts';
export type { DurableOffsets } from './group.ts';
export type { SinkMetrics, SinkStatus, TopicMetrics, Trouble } from './metrics.ts';
export type { SinkOptions } from './options.ts';
export type { TopicThere } from './plan.ts';
export { durableKey } from './group.ts';

const tickMs = 1000;
/** What nobody has asked for since is told by the log, the journal and `gaps list`. */
const eventsMax = 10_000;
/** How long trouble may last before a catch-up gives up on it. */
const catchUpPatienceMs = 30_000;
/** How soon a catch-up looks again for a partition that has no leader. */
const askAgainMs = 500;
const discoverEveryMs = 30_000;
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
  readonly #syncing: Syncing;
  readonly #committing = new Beside();
  readonly #discovering = new Beside();
  #ticking: Promise<void> = Promise.resolve();
  readonly #changes = new Changes();
  #wakeTick: (() => void) | undefined;
  #mustDiscover = false;
  #isKafkaAway = false;
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
    this.#commits = new Commits(options.cluster, { group: options.group, identity, emit, clock: host.clock });
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
      steadyMs: () => steadyMs(host.clock),
      signal: this.#stop.signal,
      startOf: (key) => startOf(key, { saved: options.saved, committed }),
    });
    this.#syncing = new Syncing(() => this.#streams.all(), { room: this.#room, clock: host.clock });
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
    const committed = await assertOwnGroup(cluster, group, {
      identity,
      clock: host.clock,
      emit: options.emit,
    });
    const sink = new Sink(options, committed);
    if (options.saved !== undefined) sink.noteDurable(options.saved);
    try {
      await sink.#look();
      await sink.#discover();
      sink.#ticking = sink.#tick();
      return sink;
    } catch (error) {
      await sink[Symbol.asyncDispose]();
      throw error;
    }
  }

  get status(): SinkStatus {
    return statusOf(this.#streams.all(), { inFlightBytes: this.#fetching.inFlightBytes });
  }

  metrics(): SinkMetrics {
    const { lastMs: lastSyncMs, behindSinceMs: unsyncedSinceMs } = this.#syncing;
    const { inFlightBytes } = this.#fetching;
    const { left, missing } = this.#streams;
    const nowMs = steadyMs(this.#o.host.clock);
    return metricsOf(this.#streams.all(), {
      lastSyncMs,
      unsyncedSinceMs,
      inFlightBytes,
      nowMs,
      left,
      missing,
    });
  }

  /** Every partition that was ever begun, those of topics that are gone included. */
  followed(): FollowedPartition[] {
    return followedOf(this.#streams.all());
  }

  /** Wanted, and not to be had just now, with the reason: partition by partition, or topic by topic. */
  get missing(): Streams['missing'] {
    return this.#streams.missing;
  }

  get trouble(): Trouble {
    const { isLow: diskIsLow, isRefusing: diskRefuses } = this.#room;
    return troubleOf(this.#streams.all(), { kafkaIsAway: this.#isKafkaAway, diskIsLow, diskRefuses });
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
    const frozen = await this.#freeze(signal);
    for (const open of frozen.openTransactions) this.#emit({ type: 'open-transaction', ...open });
    const isAtEnd = (): boolean => isReached(frozen, this.#giveUpBefore());
    // A partition whose sync fails begins again from what is durable, and is waited for again.
    do {
      await this.#until(isAtEnd, signal);
      await this.#syncing.all();
    } while (!isAtEnd());
    const committed = this.#committing.after(async () => this.#commit());
    await committedOrLate(committed, this.#o.host.clock);
    this.#frozen = undefined;
    return reportOf(frozen, {
      events: this.#events.splice(0),
      missing: this.#streams.missing,
      topics: this.#streams.topics,
    });
  }

  /**
   * Where every partition ends now. One that has no leader who could tell, as in an election, is asked for again as
   * long as trouble may last; the others are read meanwhile.
   */
  async #freeze(signal?: AbortSignal): Promise<Frozen> {
    // Reading began with the start: a sink that lives for one catch-up has read for it from then on.
    const countsFromStart = this.#o.mode === 'catch-up';
    const { clock } = this.#o.host;
    const nowMs = (): number => steadyMs(clock);
    const beganMs = nowMs();
    let frozen: Frozen | undefined;
    for (;;) {
      await this.#discover();
      const o = { earlier: frozen, countsFromStart, nowMs };
      frozen = await freezeEnds([...this.#streams.all()], this.#o.cluster, o);
      this.#frozen = frozen;
      if (this.#o.mode === 'catch-up') {
        for (const stream of this.#streams.all())
          stream.target = frozen.ends.get(stream) ?? stream.next.offset;
      }
      this.#fetching.wake();
      const passes = [...this.#streams.missing, ...frozen.unknown.values()].some((row) => row.passes);
      if (!passes || beganMs < this.#giveUpBefore()) return frozen;
      await pause(clock, askAgainMs, signal);
      await this.#until(() => true, signal);
    }
  }

  /** From here on every partition writes to a new segment; the old ones are durable and closed when it resolves. */
  async cut(): Promise<Cut> {
    return await cutAll([...this.#streams.all()], {
      nowMs: () => steadyMs(this.#o.host.clock),
      emit: (event) => this.#emit(event),
      sync: async () => this.#syncing.all(),
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
    const { clock } = this.#o.host;
    const emit: Emit = (event) => this.#emit(event);
    await closeAll([...this.#streams.all()], { commits: this.#commits, clock, emit });
  }

  async #commit(): Promise<void> {
    await this.#commits.commit(this.#streams.all(), { isLast: false, signal: this.#stop.signal });
  }

  #emit(event: SinkEvent): void {
    if (['gap', 'truncated', 'repaired'].includes(event.type)) this.#events.push(event);
    if (this.#events.length > eventsMax) this.#events.shift();
    this.#o.emit(event);
  }

  /** The disk's turn, about once a second. A broker that hangs must not hold it up, so Kafka is asked beside it. */
  async #tick(): Promise<void> {
    const { clock } = this.#o.host;
    let discoveredMs = steadyMs(clock);
    while (!this.#stop.signal.aborted && this.#failure === undefined) {
      await this.#nextTick();
      await this.#judged(async () => {
        await this.#look();
        await this.#syncing.all();
        if (this.#room.failure !== undefined) throw this.#room.failure;
      });
      if (this.#failure !== undefined) break;
      this.#committing.begin(async () => this.#judged(async () => this.#commit()));
      if (this.#mustDiscover || steadyMs(clock) - discoveredMs >= discoverEveryMs) {
        discoveredMs = steadyMs(clock);
        this.#discovering.begin(async () => this.#judged(async () => this.#discover()));
      }
      this.#progress();
    }
    if (this.#failure !== undefined) this.#stop.abort();
    await Promise.all([this.#committing.ended(), this.#discovering.ended()]);
    this.#progress();
  }

  async #judged(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (isKafkaTrouble(error)) {
        this.#isKafkaAway = true;
        this.#emit({ type: 'metadata-failed', message: messageOf(error) });
      } else {
        this.#failure ??= error;
        this.#wakeTick?.();
      }
    }
    this.#progress();
  }

  async #nextTick(): Promise<void> {
    const woken = new AbortController();
    this.#wakeTick = () => woken.abort();
    await pause(this.#o.host.clock, tickMs, AbortSignal.any([woken.signal, this.#stop.signal]));
  }

  async #look(): Promise<void> {
    try {
      await this.#o.local.assertHeld();
      await this.#room.look();
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      this.#room.cannotLook(error);
    }
  }

  async #discover(): Promise<void> {
    this.#mustDiscover = false;
    await this.#streams.discover();
    this.#isKafkaAway = false;
    while (this.#streams.full !== undefined && this.#o.mode === 'catch-up') {
      await this.#room.refused(this.#streams.full);
      await this.#streams.discover();
    }
    if (this.#streams.full !== undefined) {
      this.#room.noteRefused(this.#streams.full);
      this.#mustDiscover = true;
    }
    this.#fetching.follow();
  }

  #progress(): void {
    if (this.#syncing.isDue()) this.#wakeTick?.();
    this.#changes.tell();
  }

  async #until(isReachedNow: () => boolean, signal?: AbortSignal): Promise<void> {
    await this.#changes.until(() => {
      const failure = this.#failure ?? this.#room.failure;
      if (failure !== undefined) throw failure;
      if (signal?.aborted) throw stoppedPartWay();
      return isReachedNow();
    }, signal);
  }

  /** Trouble that began before this moment has lasted too long for a catch-up. */
  #giveUpBefore(): number {
    return steadyMs(this.#o.host.clock) - catchUpPatienceMs;
  }
}

function stoppedPartWay(): VarveError {
  return new VarveError('interrupted', 'stopped before the end was reached', {
    hint: 'what was read so far is safe on disk: run the same command again to go on from there',
  });
}
