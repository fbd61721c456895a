import { VarveError } from '../errors.ts';
import { kafkaError, type ProducedRow, type ProducerIdentity } from '../kafka/kafka.ts';
import { stampBatch } from '../log/log.ts';
import type { CutBatch } from './cut.ts';
import type { Slabs, Slice } from './slabs.ts';

export interface PartitionPlace {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

interface Pending {
  readonly slice: Slice;
  readonly records: number;
  /** The offset that its first record must get. */
  readonly target: bigint;
  state: 'waiting' | 'sent' | 'acked';
}

interface Ports {
  readonly room: () => Promise<void>;
  readonly slabs: Slabs;
  readonly onQueued: (bytes: number) => void;
  readonly onDone: (records: number, bytes: number, isAcked: boolean) => void;
  /** Nothing is in flight any more, and something is to be sent again. */
  readonly onStalled: () => void;
}

const inFlightMax = 5;
const sequenceSpan = 2n ** 31n;

/**
 * One partition on its way to the target. Batches leave in order; the sequence of each is where it belongs in the target,
 * so that sending it once more never writes it twice.
 *
 *    probing ──first answer──► open ──an error──► stalled ──all answered, leader asked──► probing
 *    any ──► failed
 *
 * While probing, one batch is in flight: a broker that does not know the producer takes any first sequence.
 */
export class PartitionWriter {
  readonly place: PartitionPlace;
  leaderId = -1;
  attempts = 0;
  stalledSinceMs: number | undefined;
  trouble: unknown;
  readonly #ports: Ports;
  #identity: ProducerIdentity;
  #state: 'probing' | 'open' | 'stalled' | 'failed' = 'probing';
  #failure: VarveError | undefined;
  #pending: Pending[] = [];
  #inFlight = 0;
  #start = 0n;
  /** The offset of the next record that comes. */
  #next = 0n;
  /** What stands below this is in the target already. */
  #there = 0n;
  #acked = 0n;
  /** Of the batches up to there. */
  ackedBytes = 0;
  #isOutOfSequence = false;
  #idle: (() => void)[] = [];

  constructor(place: PartitionPlace, identity: ProducerIdentity, ports: Ports) {
    this.place = place;
    this.#identity = identity;
    this.#ports = ports;
  }

  /** `start`: where this restore began in the target; `there`: up to where it is known to be. */
  begin(o: { start: bigint; there: bigint; leaderId: number }): void {
    this.#start = o.start;
    this.#next = o.start;
    this.#there = o.there;
    this.#acked = o.start;
    this.leaderId = o.leaderId;
  }

  get failure(): VarveError | undefined {
    return this.#failure;
  }

  /** The offset behind the last record that the broker has acknowledged. */
  get acked(): bigint {
    return this.#acked;
  }

  get isOutOfSequence(): boolean {
    return this.#isOutOfSequence;
  }

  /** Stamps the batch, and queues a copy of it, unless it is known to be there. Waits for room. */
  async push({ bytes, records }: CutBatch): Promise<void> {
    const target = this.#next;
    const behind = target + BigInt(records);
    const sequence = Number((target - this.#start) % sequenceSpan);
    stampBatch(bytes, { ...this.#identity, sequence });
    this.#next = behind;
    if (behind <= this.#there) {
      this.#acked = behind;
      this.ackedBytes += bytes.length;
      return;
    }
    if (target < this.#there) {
      this.fail(foreign(this.place, `its end ${this.#there} is inside a batch of this restore`));
    }
    await this.#ports.room();
    if (this.#failure !== undefined) throw this.#failure;
    this.#pending.push({ slice: this.#ports.slabs.keep(bytes), records, target, state: 'waiting' });
    this.#ports.onQueued(bytes.length);
  }

  /** Resolves once everything is acknowledged. */
  async finish(): Promise<void> {
    while (this.#pending.length > 0 && this.#failure === undefined)
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The next batch to send, if it is time for it. */
  take(): Pending | undefined {
    const most = this.#state === 'open' ? inFlightMax : 1;
    if (this.#state === 'stalled' || this.#state === 'failed' || this.#inFlight >= most) return undefined;
    const batch = this.#pending.find(({ state }) => state === 'waiting');
    if (batch === undefined) return undefined;
    batch.state = 'sent';
    this.#inFlight += 1;
    return batch;
  }

  answered(batch: Pending, row: ProducedRow): void {
    this.#inFlight -= 1;
    if (this.#state === 'failed') return;
    const { kind, retryable } = kafkaError(row.errorCode);
    const isDuplicate = row.errorCode === duplicateSequence;
    if (row.errorCode === 0 && row.baseOffset !== batch.target) {
      this.fail(foreign(this.place, `a batch got offset ${row.baseOffset}, expected ${batch.target}`));
      return;
    }
    if (row.errorCode === 0 || isDuplicate) {
      batch.state = 'acked';
      this.attempts = 0;
      this.stalledSinceMs = undefined;
      if (this.#state === 'probing') this.#state = 'open';
      this.#letGo();
    } else if (kind === 'sequence' && row.errorCode !== fenced && row.errorCode !== producerFenced) {
      // Behind a batch that failed it only follows; alone it says that the broker does not know where we are.
      if (this.#state === 'probing') this.#isOutOfSequence = true;
      this.#stall(batch, rowError(this.place, row));
      return;
    } else if (retryable) {
      this.#stall(batch, rowError(this.place, row));
      return;
    } else {
      this.fail(rowError(this.place, row));
      return;
    }
    this.#tellIfStalled();
  }

  /** It is not known whether it arrived. */
  unanswered(batch: Pending, trouble: unknown): void {
    this.#inFlight -= 1;
    if (this.#state !== 'failed') this.#stall(batch, trouble);
  }

  /** Leaders were asked: everything that is not acknowledged goes once more, in order. */
  resume(): void {
    if (this.#state !== 'stalled') return;
    for (const batch of this.#pending) if (batch.state === 'sent') batch.state = 'waiting';
    this.#state = 'probing';
    this.#isOutOfSequence = false;
  }

  /** True where the log's end tells that the first batch had arrived. */
  settleAt(end: bigint): boolean {
    const [first] = this.#pending;
    if (first === undefined) return true;
    if (end >= first.target + BigInt(first.records)) {
      for (const batch of this.#pending)
        if (batch.target + BigInt(batch.records) <= end) batch.state = 'acked';
      this.#letGo();
      return true;
    }
    if (end !== first.target) throw foreign(this.place, `its end is ${end}, expected ${first.target}`);
    return false;
  }

  /** Goes on under another producer id, whose sequences begin here. */
  renew(identity: ProducerIdentity): void {
    this.#identity = identity;
    for (const { slice, target } of this.#pending)
      stampBatch(slice.bytes, { ...identity, sequence: Number((target - this.#start) % sequenceSpan) });
  }

  fail(error: VarveError): void {
    if (this.#state === 'failed') return;
    this.#state = 'failed';
    this.#failure = error;
    // Some of it may still be leaving: its memory is not used again.
    for (const { slice, records } of this.#pending) this.#ports.onDone(records, slice.bytes.length, false);
    this.#pending = [];
    this.#wake();
  }

  #stall(batch: Pending, trouble: unknown): void {
    batch.state = 'waiting';
    this.#state = 'stalled';
    this.trouble = trouble;
    this.#tellIfStalled();
  }

  #tellIfStalled(): void {
    if (this.#state === 'stalled' && this.#inFlight === 0) this.#ports.onStalled();
  }

  #letGo(): void {
    for (let [first] = this.#pending; first?.state === 'acked'; [first] = this.#pending) {
      this.#pending.shift();
      this.#acked = first.target + BigInt(first.records);
      this.ackedBytes += first.slice.bytes.length;
      this.#ports.onDone(first.records, first.slice.bytes.length, true);
      first.slice.release();
    }
    if (this.#pending.length === 0) this.#wake();
  }

  #wake(): void {
    const waiting = this.#idle;
    this.#idle = [];
    for (const wake of waiting) wake();
  }
}

const duplicateSequence = 46;
const fenced = 47;
const producerFenced = 90;

/** The records of others are between or behind those of this restore. */
export class ForeignWriter extends VarveError {}

export function foreign({ topic, partition }: PartitionPlace, what: string): ForeignWriter {
  return new ForeignWriter(
    'interrupted',
    `somebody else writes into ${topic}, partition ${partition}: ${what}`,
    {
      hint: `stop the producers of ${topic}, then begin again with --recreate; what was restored so far is mixed with theirs`,
    },
  );
}

function rowError({ topic, partition }: PartitionPlace, row: ProducedRow): VarveError {
  const { name, text, kind } = kafkaError(row.errorCode);
  const words = row.message === undefined ? '' : `: ${row.message}`;
  const isRefused = kind === 'authorization';
  return new VarveError(
    isRefused ? 'kafka-refused' : 'interrupted',
    `${topic}/${partition}: the broker does not take a batch: ${text} (${name})${words}`,
    {
      hint: isRefused
        ? `grant this user WRITE on topic ${topic}, then run the same command again`
        : 'when the cause is gone, run the same command again: it goes on where this one stopped',
    },
  );
}
