import { VarveError } from '../errors.ts';
import { pause, steadyMs, type Clock } from '../host/host.ts';
import {
  latestOffset,
  type Cluster,
  type Producer,
  type ProducedRow,
  type ProducerIdentity,
} from '../kafka/kafka.ts';
import { PartitionWriter, type PartitionPlace } from './partition-writer.ts';
import { answerOf } from './replaced.ts';
import { Slabs } from './slabs.ts';

export interface WriterPorts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Bytes a second; undefined: as fast as the brokers take them. */
  readonly throttle: number | undefined;
  readonly onAcked: (records: number, bytes: number) => void;
  /** A fresh producer id is needed: noted before it is used. */
  readonly onIdentity: (place: PartitionPlace, identity: ProducerIdentity) => Promise<void>;
}

const requestsInFlightMax = 5;
const requestBytesMax = 1024 * 1024;
const produceTimeoutMs = 30_000;
/** Bytes of all partitions that wait to be sent or acknowledged. */
const queuedBytesMax = 16 * 1024 * 1024;
const firstPauseMs = 50;
const pauseMsMax = 2000;
const unknownTopic = 3;
/** So often may a broker answer that has not heard of the topic yet: about three seconds. */
const lagAttemptsMax = 6;
/** Without any progress for so long, a partition is given up for now. */
const giveUpMs = 120_000;

interface Lane {
  producer: Promise<Producer> | undefined;
  inFlight: number;
  /** Partitions take turns. */
  turn: number;
}

/**
 * Produces to many partitions at once, each in order and exactly once: several requests in flight per broker, the first
 * batch of a partition alone, whatever is not known to have arrived sent again as it was.
 */
export class TargetWriter implements AsyncDisposable {
  readonly #ports: WriterPorts;
  readonly #partitions: PartitionWriter[] = [];
  readonly #lanes = new Map<number, Lane>();
  readonly #slabs = new Slabs();
  #queuedBytes = 0;
  #roomWaiters: (() => void)[] = [];
  #refreshing: Promise<void> | undefined;
  #openMs = 0;
  #isWaking = false;

  constructor(ports: WriterPorts) {
    this.#ports = ports;
    ports.signal.addEventListener('abort', () => this.#abort(), { once: true });
  }

  /** A partition of a topic whose leaders are known to be ready. */
  open(place: PartitionPlace, identity: ProducerIdentity): PartitionWriter {
    const writer = new PartitionWriter(place, identity, {
      room: async () => this.#room(),
      slabs: this.#slabs,
      onQueued: (bytes) => {
        this.#queuedBytes += bytes;
        this.#pump(writer.leaderId);
      },
      onDone: (records, bytes, isAcked) => {
        this.#queuedBytes -= bytes;
        if (isAcked) this.#ports.onAcked(records, bytes);
        this.#wakeRoom();
      },
      onStalled: () => void this.#recover(writer),
    });
    this.#partitions.push(writer);
    if (this.#ports.signal.aborted) writer.fail(interrupted());
    return writer;
  }

  /** What it still holds is let go: the room that it takes belongs to the others. */
  close(writer: PartitionWriter): void {
    writer.fail(interrupted());
    const at = this.#partitions.indexOf(writer);
    if (at >= 0) this.#partitions.splice(at, 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { producer } of this.#lanes.values()) {
      const open = await producer?.catch(() => undefined);
      await open?.[Symbol.asyncDispose]();
    }
  }

  #abort(): void {
    for (const writer of this.#partitions) writer.fail(interrupted());
    this.#wakeRoom();
  }

  async #room(): Promise<void> {
    while (this.#queuedBytes >= queuedBytesMax && !this.#ports.signal.aborted)
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
  }

  #wakeRoom(): void {
    if (this.#queuedBytes >= queuedBytesMax && !this.#ports.signal.aborted) return;
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const wake of waiters) wake();
  }

  #laneOf(brokerId: number): Lane {
    const known = this.#lanes.get(brokerId);
    if (known !== undefined) return known;
    const lane: Lane = { producer: undefined, inFlight: 0, turn: 0 };
    this.#lanes.set(brokerId, lane);
    return lane;
  }

  #pump(brokerId: number): void {
    const lane = this.#laneOf(brokerId);
    while (lane.inFlight < requestsInFlightMax) {
      if (this.#mustWait(brokerId)) return;
      const rows = this.#collect(brokerId, lane);
      if (rows.length === 0) return;
      lane.inFlight += 1;
      void this.#send(brokerId, lane, rows);
    }
  }

  /** Holds what a throttle does not let go yet. */
  #mustWait(brokerId: number): boolean {
    const { throttle, clock } = this.#ports;
    if (throttle === undefined) return false;
    const waitMs = this.#openMs - steadyMs(clock);
    if (waitMs <= 0) return false;
    if (!this.#isWaking) {
      this.#isWaking = true;
      clock.after(waitMs, () => {
        this.#isWaking = false;
        for (const id of this.#lanes.keys()) this.#pump(id);
        this.#pump(brokerId);
      });
    }
    return true;
  }

  #collect(brokerId: number, lane: Lane): Sending[] {
    const rows: Sending[] = [];
    let bytes = 0;
    const count = this.#partitions.length;
    for (let step = 0; step < count && bytes < requestBytesMax; step += 1) {
      const writer = this.#partitions[(lane.turn + step) % count];
      if (writer === undefined || writer.leaderId !== brokerId) continue;
      const batch = writer.take();
      if (batch === undefined) continue;
      rows.push({ writer, batch });
      bytes += batch.slice.bytes.length;
    }
    if (count > 0) lane.turn = (lane.turn + 1) % count;
    const { throttle, clock } = this.#ports;
    if (throttle !== undefined && bytes > 0)
      this.#openMs = Math.max(this.#openMs, steadyMs(clock)) + (bytes / throttle) * 1000;
    return rows;
  }

  async #send(brokerId: number, lane: Lane, rows: readonly Sending[]): Promise<void> {
    let results: ProducedRow[] | undefined;
    let failure: unknown;
    const used = (lane.producer ??= this.#ports.cluster.producer(brokerId));
    const leave = (): void => {
      if (lane.producer === used) lane.producer = undefined;
      void used.then(
        async (producer) => producer[Symbol.asyncDispose](),
        () => undefined,
      );
    };
    const partitions = rows.map(({ writer: { place }, batch }) => ({ ...place, batch: batch.slice.bytes }));
    try {
      results = await answerOf(
        async () => (await used).produce({ timeoutMs: produceTimeoutMs, partitions }),
        {
          clock: this.#ports.clock,
          isReplaced: async () => {
            await this.#refresh();
            return rows.some(({ writer }) => writer.leaderId !== brokerId);
          },
          onReplaced: leave,
        },
      );
    } catch (error) {
      failure = error;
      leave();
    }
    lane.inFlight -= 1;
    for (const [index, { writer, batch }] of rows.entries()) {
      const row = results?.[index];
      if (row === undefined) writer.unanswered(batch, failure);
      else writer.answered(batch, row);
    }
    this.#pump(brokerId);
  }

  /** Something could not be sent: asks again who leads, and goes on from the first batch that is not acknowledged. */
  async #recover(writer: PartitionWriter): Promise<void> {
    const { clock, signal } = this.#ports;
    const stalledMs = (writer.stalledSinceMs ??= steadyMs(clock));
    const delayMs = Math.min(pauseMsMax, firstPauseMs * 2 ** writer.attempts);
    writer.attempts += 1;
    await pause(clock, delayMs, signal);
    if (signal.aborted || writer.failure !== undefined) return;
    if (steadyMs(clock) - stalledMs > giveUpMs) {
      writer.fail(givenUp(writer.place, writer.trouble));
      return;
    }
    try {
      await this.#refresh();
      if (writer.failure !== undefined) return;
      if (writer.isOutOfSequence) await this.#settle(writer);
    } catch (error) {
      if (error instanceof VarveError && !error.retryable) {
        writer.fail(error);
        return;
      }
      writer.trouble = error;
      void this.#recover(writer);
      return;
    }
    writer.resume();
    this.#pump(writer.leaderId);
  }

  async #refresh(): Promise<void> {
    this.#refreshing ??= this.#readLeaders().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  async #readLeaders(): Promise<void> {
    const { cluster, signal } = this.#ports;
    const names = [...new Set(this.#partitions.map(({ place }) => place.topic))];
    const { topics } = await cluster.metadata({ topics: names, signal });
    const byName = new Map(topics.map((topic) => [topic.name, topic]));
    for (const writer of this.#partitions) {
      const { topic, topicId, partition } = writer.place;
      const found = byName.get(topic);
      const isGone = found === undefined || found.errorCode === unknownTopic;
      if (isGone || (found.errorCode === 0 && found.topicId !== topicId)) {
        // Or a broker that lags behind tells of what was.
        if (writer.attempts > lagAttemptsMax) writer.fail(vanished(topic));
        continue;
      }
      const row = found.partitions.find((candidate) => candidate.partition === partition);
      if (row !== undefined) writer.leaderId = row.leaderId;
    }
  }

  /**
   * The broker does not know the producer, or not where it is. If the batch is in the log, it had arrived before; if not,
   * and the end of the log stands at its place with every replica in sync, a fresh producer id goes on from there.
   */
  async #settle(writer: PartitionWriter): Promise<void> {
    const { cluster, signal, onIdentity } = this.#ports;
    const { topic, partition } = writer.place;
    const { topics } = await cluster.metadata({ topics: [topic], signal });
    const row = topics[0]?.partitions.find((candidate) => candidate.partition === partition);
    const question = {
      topic,
      partition,
      leaderId: writer.leaderId,
      leaderEpoch: -1,
      timestamp: latestOffset,
    };
    const [end] = await cluster.listOffsets([question], { isolation: 'read_uncommitted', signal });
    if (end === undefined || end.errorCode !== 0 || row === undefined || row.isr.length < row.replicas.length)
      throw new VarveError('kafka-unreachable', `${topic}/${partition}: not every replica is in sync`, {
        retryable: true,
      });
    if (writer.settleAt(end.offset)) return;
    const identity = await cluster.producerIdentity({ signal });
    await onIdentity(writer.place, identity);
    writer.renew(identity);
  }
}

interface Sending {
  readonly writer: PartitionWriter;
  readonly batch: NonNullable<ReturnType<PartitionWriter['take']>>;
}

export function interrupted(): VarveError {
  return new VarveError('interrupted', 'stopped before the end', {
    hint: 'run the same command again: it goes on where this one stopped, and no record comes twice',
  });
}

function vanished(topic: string): VarveError {
  return new VarveError(
    'interrupted',
    `topic ${topic} was deleted, or made anew, while it was being restored`,
    {
      hint: 'find out who did that; then begin again with --recreate',
    },
  );
}

function givenUp({ topic, partition }: PartitionPlace, trouble: unknown): VarveError {
  const what = trouble instanceof Error ? trouble.message : 'no answer';
  return new VarveError(
    'interrupted',
    `${topic}/${partition}: nothing could be written for ${giveUpMs / 1000} s: ${what}`,
    {
      hint: 'look at the brokers, then run the same command again: it goes on where this one stopped',
      cause: trouble,
    },
  );
}
