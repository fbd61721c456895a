/** What a partition should hold and what it holds: count and content, batch by batch, and record by record where they differ. */
import { crc32, crc32c } from '@node-rs/crc32';
import { createHash, type Hash } from 'node:crypto';
import { VarveError } from '../errors.ts';
import { pause, steadyMs, type Clock } from '../host/host.ts';
import { kafkaError, type Fetcher } from '../kafka/kafka.ts';
import {
  batchHeaderBytes,
  checkBatch,
  nextOffsetOf,
  rawRecords,
  scanBatches,
  type BatchHeader,
  type RawRecord,
} from '../log/log.ts';
import { foreign, type PartitionPlace } from './partition-writer.ts';
import type { Readers } from './readers.ts';
import { answerOf } from './replaced.ts';

/** Of the batches of a partition, in order: a running hash over what a consumer gets, whoever produced them. */
export class ContentHash {
  readonly #hash: Hash = createHash('sha256');
  /** Rows of many batches together: each alone is too small to be worth a call. */
  readonly #rows = Buffer.alloc(rowBytes * rowsMax);
  #rowCount = 0;
  records = 0;

  /** Two checksums of different kinds over the records; each batch that was read has passed its own before. */
  add(batch: Buffer, header: Pick<BatchHeader, 'position' | 'byteLength' | 'recordCount'>): void {
    const { position, byteLength, recordCount } = header;
    const section = batch.subarray(position + batchHeaderBytes, position + byteLength);
    const at = this.#rowCount * rowBytes;
    // Attributes, last offset delta and both timestamps: not who produced it, nor where it stands.
    batch.copy(this.#rows, at, position + 21, position + 43);
    this.#rows.writeInt32BE(recordCount, at + 22);
    this.#rows.writeInt32BE(byteLength, at + 26);
    this.#rows.writeUInt32BE(crc32(section), at + 30);
    this.#rows.writeUInt32BE(crc32c(section), at + 34);
    this.#rowCount += 1;
    if (this.#rowCount === rowsMax) this.#flush();
    this.records += recordCount;
  }

  digest(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#rows.subarray(0, this.#rowCount * rowBytes));
    this.#rowCount = 0;
  }
}

const rowBytes = 38;
const rowsMax = 128;

/** The same over records one by one, however they were put into batches. */
export class RecordHash {
  readonly #hash: Hash = createHash('sha256');
  readonly #head = Buffer.alloc(12);
  records = 0;

  add(bytes: Buffer, header: BatchHeader): void {
    for (const record of rawRecords(bytes, header)) this.addRecord(record);
  }

  addRecord({ timestamp, body }: Pick<RawRecord, 'timestamp' | 'body'>): void {
    this.#head.writeBigInt64BE(timestamp, 0);
    this.#head.writeInt32BE(body.length, 8);
    this.#hash.update(this.#head);
    this.#hash.update(body);
    this.records += 1;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}

const fetchBytes = 4 * 1024 * 1024;
const fetchWaitMs = 500;
/** So long may a partition keep its readers waiting without anything new. */
const stuckMs = 60_000;

export interface ReadBackOptions {
  readonly readers: Readers;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Who led it a moment ago. */
  readonly leaderId: number;
  readonly from: bigint;
  /** Ends when this offset is reached; may grow while it is read. */
  readonly until: () => { readonly end: bigint; readonly isFinal: boolean };
  readonly onBatch: (bytes: Buffer, header: BatchHeader) => void;
}

/** Reads what a partition of the target holds now, in order, whoever leads it. */
export async function readBack(place: PartitionPlace, o: ReadBackOptions): Promise<void> {
  const { readers, clock, signal } = o;
  let next = o.from;
  let leaderId: number | undefined = o.leaderId;
  /** Since when it is asked for in vain. */
  let askedMs: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    const { end, isFinal } = o.until();
    if (next >= end) {
      if (isFinal) return;
      await pause(clock, idlePauseMs, signal);
      continue;
    }
    const before: bigint = next;
    const replaced = new AbortController();
    try {
      leaderId ??= await readers.leaderOf(place, signal);
      const asked: number = leaderId;
      const once = { ...o, next: before, signal: AbortSignal.any([signal, replaced.signal]) };
      next = await readers.lend(asked, async (fetcher) =>
        answerOf(async () => readOnce(place, fetcher, once), {
          clock,
          isReplaced: async () => (await readers.leaderOf(place, signal)) !== asked,
          onReplaced: () => replaced.abort(),
        }),
      );
    } catch (error) {
      const mayPass = replaced.signal.aborted || (error instanceof VarveError && error.retryable);
      if (signal.aborted || !mayPass) throw error;
      askedMs ??= steadyMs(clock);
      if (steadyMs(clock) - askedMs > stuckMs) throw error;
      leaderId = undefined;
      await pause(clock, retryPauseMs, signal);
    }
    if (next > before) askedMs = undefined;
  }
}

/** Where to go on. */
async function readOnce(
  place: PartitionPlace,
  fetcher: Fetcher,
  { signal, next, onBatch }: Pick<ReadBackOptions, 'signal' | 'onBatch'> & { next: bigint },
): Promise<bigint> {
  const { topicId, partition } = place;
  const response = await fetcher.fetch(
    {
      maxWaitMs: fetchWaitMs,
      minBytes: 1,
      maxBytes: fetchBytes,
      partitions: [
        { topicId, partition, leaderEpoch: -1, offset: next, lastEpoch: -1, maxBytes: fetchBytes },
      ],
    },
    signal,
  );
  try {
    const row = response.partitions[0];
    const errorCode = response.errorCode || (row?.errorCode ?? -1);
    if (errorCode !== 0) throw fetchError(place, errorCode);
    return take(row?.records ?? Buffer.alloc(0), { place, next, onBatch });
  } finally {
    response.release();
  }
}

const idlePauseMs = 20;
const retryPauseMs = 200;

function take(
  records: Buffer,
  o: { place: PartitionPlace; next: bigint; onBatch: ReadBackOptions['onBatch'] },
): bigint {
  let { next } = o;
  for (const header of scanBatches(records).batches) {
    const problem = checkBatch(records, header);
    if (problem !== undefined) throw wrongContent(o.place, problem.message);
    if (nextOffsetOf(header) <= next) continue;
    o.onBatch(records, header);
    next = nextOffsetOf(header);
  }
  return next;
}

function fetchError({ topic, partition }: PartitionPlace, errorCode: number): VarveError {
  const { name, text, kind, retryable: passes } = kafkaError(errorCode);
  // What was acknowledged is in the log: a leader that has not got so far has been replaced, and has not heard of it.
  const retryable = passes || kind === 'range';
  return new VarveError(
    kind === 'authorization' ? 'kafka-refused' : 'kafka-unreachable',
    `${topic}/${partition} cannot be read back: ${text} (${name})`,
    { retryable, hint: `grant this user READ on topic ${topic}; --no-verify goes without reading back` },
  );
}

/** Why the content is another one: somebody's batches are among ours, or a broker has not kept what it acknowledged. */
export class Strangers {
  readonly #isOurs: (producerId: bigint) => boolean;
  #firstAt: bigint | undefined;

  constructor(isOurs: (producerId: bigint) => boolean) {
    this.#isOurs = isOurs;
  }

  note({ producerId, baseOffset }: BatchHeader): void {
    if (this.#firstAt === undefined && !this.#isOurs(producerId)) this.#firstAt = baseOffset;
  }

  error(place: PartitionPlace): VarveError {
    return this.#firstAt === undefined
      ? wrongContent(place, 'the content of a record differs from the backup')
      : foreign(place, `what stands at offset ${this.#firstAt} is another producer's`);
  }
}

export function wrongContent({ topic, partition }: PartitionPlace, what: string): VarveError {
  return new VarveError('damage', `${topic}/${partition} is not what was restored: ${what}`, {
    hint: 'keep the backup as it is, and restore again with --recreate, or beside it with --to-topic',
  });
}
