import { steadyMs, type Clock } from '../host/host.ts';
import { kafkaError, type Cluster, type FetchedPartition } from '../kafka/kafka.ts';
import { BrokerLoop } from './broker.ts';
import { Budget } from './budget.ts';
import type { Emit } from './events.ts';
import { isKafkaTrouble } from './kafka-trouble.ts';
import { Lane } from './lane.ts';
import { resolveRange } from './resolve.ts';
import type { DiskRoom } from './room.ts';
import type { PartitionStream } from './stream.ts';

export interface FetchingOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly room: DiskRoom;
  readonly streams: () => Iterable<PartitionStream>;
  readonly inFlightBytes: number;
  readonly minBytes: number;
  readonly rack: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: () => void;
  /** Something changed in the cluster: it should be looked at. */
  readonly onStale: () => void;
}

const answerBytes = { min: 256 * 1024, max: 8 * 1024 * 1024 };

/** One loop for each broker that leads something, and what is done about partitions that answer with an error. */
export class Fetching {
  readonly #o: FetchingOptions;
  readonly #budget: Budget;
  readonly #lane = new Lane();
  readonly #loops = new Map<number, { loop: BrokerLoop; stop: AbortController; done: Promise<void> }>();
  readonly #settling = new Set<Promise<void>>();

  constructor(options: FetchingOptions) {
    this.#o = options;
    this.#budget = new Budget(options.inFlightBytes);
  }

  get inFlightBytes(): number {
    return this.#budget.usedBytes;
  }

  /** Sees to it that every leader is asked, and nobody who has nothing to give any more. */
  follow(): void {
    const nowMs = steadyMs(this.#o.clock);
    const wanted = new Set<number>();
    for (const stream of this.#o.streams()) wanted.add(stream.leader.brokerId).add(stream.sourceAt(nowMs));
    for (const id of wanted) this.#ensureLoop(id);
    for (const [id, { stop }] of this.#loops) if (!wanted.has(id)) stop.abort();
    this.wake();
  }

  wake(): void {
    for (const { loop } of this.#loops.values()) loop.wake();
  }

  /** Resolves when all loops have ended; they do when the signal is aborted. */
  async ended(): Promise<void> {
    await Promise.all([...this.#loops.values()].map(async ({ done }) => done));
    await Promise.all(this.#settling);
  }

  #ensureLoop(brokerId: number): void {
    if (this.#loops.has(brokerId) || this.#o.signal.aborted) return;
    const { cluster, clock, emit, room, streams, minBytes, rack, signal, onProgress, onStale } = this.#o;
    const loop = new BrokerLoop(brokerId, {
      clock,
      emit,
      budget: this.#budget,
      lane: this.#lane,
      room: async (until) => room.ready(until),
      openFetcher: async (id) => cluster.fetcher(id),
      streams,
      answerBytes: () => this.#answerBytes(),
      minBytes,
      rack,
      onPartitionError: (stream, answer) => this.#onPartitionError(stream, answer),
      onReplica: (id) => {
        this.#ensureLoop(id);
        this.wake();
      },
      onProgress,
      onBrokerLost: onStale,
    });
    const stop = new AbortController();
    const done = loop.run(AbortSignal.any([signal, stop.signal])).then(() => {
      this.#loops.delete(brokerId);
      // It may have come to lead again meanwhile.
      if (!signal.aborted) this.follow();
    });
    this.#loops.set(brokerId, { loop, stop, done });
  }

  /** Each broker may have one answer on its way and one being written. */
  #answerBytes(): number {
    const share = Math.floor(this.#o.inFlightBytes / (2 * this.#loops.size + 2));
    return Math.max(answerBytes.min, Math.min(answerBytes.max, share));
  }

  #onPartitionError(stream: PartitionStream, answer: FetchedPartition): void {
    if (stream.isSettling) return;
    const { name, text } = kafkaError(answer.errorCode);
    stream.retryLater(
      answer.diverging === undefined ? `${name}: ${text}` : "the leader's log parts from ours",
    );
    stream.isSettling = true;
    const settled = this.#settle(stream, answer)
      .catch((error: unknown) => {
        // What the brokers could not be asked is asked again; what was not journalled begins from what was.
        if (isKafkaTrouble(error)) stream.retryLater(error.message);
        else stream.reopen(error);
      })
      .finally(() => {
        stream.isSettling = false;
        this.#settling.delete(settled);
        this.#o.onProgress();
        this.wake();
      });
    this.#settling.add(settled);
  }

  async #settle(stream: PartitionStream, answer: FetchedPartition): Promise<void> {
    const { name, kind, text } = kafkaError(answer.errorCode);
    const message = `${name}: ${text}`;
    if (answer.diverging !== undefined) return stream.diverge(answer.diverging);
    switch (kind) {
      case 'range':
        return resolveRange(stream, this.#o.cluster);
      case 'authorization':
        return stream.stop('unauthorised', `${message}: Read`);
      case 'corrupt':
        return stream.doubt(stream.next, 'damaged', message);
      case 'unknown':
      case 'refused':
        return stream.doubt(stream.next, 'unknown error', message);
      default:
        return this.#o.onStale();
    }
  }
}
