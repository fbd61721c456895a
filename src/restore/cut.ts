/**
 * From batches as they were stored to batches as they are produced. A pure function of what comes in: the same records
 * give the same batches, however often the work is begun again.
 */
import {
  BatchEncoder,
  codecOf,
  isReusable,
  nextOffsetOf,
  rawRecords,
  type BatchHeader,
  type Codec,
} from '../log/log.ts';
import type { CoveredBatch } from '../local/local.ts';

export interface TimeSelection {
  /** Inclusive. */
  readonly fromMs: bigint | undefined;
  /** Exclusive. */
  readonly toMs: bigint | undefined;
}

/** One batch to produce. It needs a stamp, and stays as it is until the next one is asked for. */
export interface CutBatch {
  readonly bytes: Buffer;
  readonly records: number;
}

export interface CutCounts {
  records: number;
  bytes: number;
  /** Of the records that were selected, as the heads of their batches tell. */
  firstMs: bigint | undefined;
  lastMs: bigint | undefined;
  /** Records that the times leave out. */
  before: number;
  behind: number;
  reencoded: number;
}

/** Before they are compressed. */
const encodedBytesMax = 512 * 1024;
/** A broker takes one batch of a partition at a time: of these each would cost as much as one of many records. */
const smallBytes = 4 * 1024;
const joinedBytesMax = 32 * 1024;

export class Cutter {
  readonly counts: CutCounts = {
    records: 0,
    bytes: 0,
    firstMs: undefined,
    lastMs: undefined,
    before: 0,
    behind: 0,
    reencoded: 0,
  };
  /** So many came in batches, taken or not. */
  offsets = 0n;
  readonly #time: TimeSelection;
  readonly #ranks: Ranks;
  #encoder: BatchEncoder | undefined;
  #sourceCodec: Codec = 'none';

  constructor(time: TimeSelection, ranks: Ranks) {
    this.#time = time;
    this.#ranks = ranks;
  }

  *push(batch: CoveredBatch): Generator<CutBatch, void, void> {
    const { bytes, header, from, to } = batch;
    this.offsets += to - from;
    if (header.recordCount === 0) return;
    const isWhole = from <= header.baseOffset && to >= nextOffsetOf(header);
    const { fromMs, toMs } = this.#time;
    if (isWhole && fromMs !== undefined && header.maxTimestamp < fromMs) {
      this.counts.before += header.recordCount;
      return;
    }
    const isTimed = fromMs !== undefined || toMs !== undefined;
    const isReused = isWhole && isReusable(header) && (!isTimed || this.#isSelected(bytes, header));
    if (!isReused) {
      yield* this.#encode(batch);
      return;
    }
    const { position, byteLength, recordCount, baseTimestamp, maxTimestamp } = header;
    this.#noteTimes(baseTimestamp, maxTimestamp);
    const isJoined = yield* this.#join(batch);
    if (!isJoined) yield* this.flush();
    this.#ranks.noteRun(header.baseOffset, nextOffsetOf(header), this.counts.records);
    if (isJoined) this.counts.records += recordCount;
    else yield this.#count(bytes.subarray(position, position + byteLength), recordCount);
  }

  /** Small batches, that need no codec, become one. */
  *#join({ bytes, header }: CoveredBatch): Generator<CutBatch, boolean, void> {
    if (header.byteLength > smallBytes || codecOf(header) !== 'none') return false;
    const encoder = yield* this.#encoderFor('none');
    if (encoder.count > 0 && encoder.byteLength + header.byteLength > joinedBytesMax) yield* this.flush();
    return encoder.addAll(bytes, header);
  }

  /** What is left over at the end. */
  *flush(): Generator<CutBatch, void, void> {
    const encoder = this.#encoder;
    if (encoder === undefined || encoder.count === 0) return;
    const { count } = encoder;
    this.counts.records -= count; // they were counted one by one, for their ranks
    yield this.#count(encoder.finish(), count);
  }

  *#encode({ bytes, header, from, to }: CoveredBatch): Generator<CutBatch, void, void> {
    const codec = codecOf(header) ?? 'none';
    let encoder: BatchEncoder | undefined;
    for (const record of rawRecords(bytes, header)) {
      if (record.offset < from || record.offset >= to) continue;
      if (!this.#takes(record.timestamp)) continue;
      // Not before: a batch of which nothing is taken may as well be left out by its source.
      encoder ??= yield* this.#encoderFor(codec);
      if (encoder.count > 0 && encoder.byteLength + record.body.length > encodedBytesMax) yield* this.flush();
      this.#ranks.note(record.offset, this.counts.records);
      this.#noteTimes(record.timestamp, record.timestamp);
      encoder.add(record);
      this.counts.records += 1;
      this.counts.reencoded += 1;
    }
  }

  *#encoderFor(codec: Codec): Generator<CutBatch, BatchEncoder, void> {
    if (codec !== this.#sourceCodec) yield* this.flush();
    if (codec !== this.#sourceCodec || this.#encoder === undefined) this.#encoder = new BatchEncoder(codec);
    this.#sourceCodec = codec;
    return this.#encoder;
  }

  #takes(timestamp: bigint): boolean {
    const { fromMs, toMs } = this.#time;
    if (fromMs !== undefined && timestamp < fromMs) {
      this.counts.before += 1;
      return false;
    }
    if (toMs !== undefined && timestamp >= toMs) {
      this.counts.behind += 1;
      return false;
    }
    return true;
  }

  #isSelected(bytes: Buffer, header: BatchHeader): boolean {
    const { fromMs, toMs } = this.#time;
    if (fromMs === undefined && toMs !== undefined && header.maxTimestamp < toMs) return true;
    for (const { timestamp } of rawRecords(bytes, header)) {
      if (fromMs !== undefined && timestamp < fromMs) return false;
      if (toMs !== undefined && timestamp >= toMs) return false;
    }
    return true;
  }

  #noteTimes(first: bigint, last: bigint): void {
    const { counts } = this;
    if (counts.firstMs === undefined || first < counts.firstMs) counts.firstMs = first;
    if (counts.lastMs === undefined || last > counts.lastMs) counts.lastMs = last;
  }

  #count(bytes: Buffer, records: number): CutBatch {
    this.counts.records += records;
    this.counts.bytes += bytes.length;
    return { bytes, records };
  }
}

/** For offsets of the source, how many records before each are restored. Fed in offset order. */
export class Ranks {
  readonly #wanted: readonly bigint[];
  readonly #found = new Map<bigint, number>();
  #at = 0;

  constructor(wanted: Iterable<bigint>) {
    this.#wanted = [...new Set(wanted)].toSorted((a, b) => (a < b ? -1 : 1));
  }

  /** The record at `offset` is the one after `before` others. */
  note(offset: bigint, before: number): void {
    for (let wanted = this.#wanted[this.#at]; wanted !== undefined && wanted <= offset;) {
      this.#found.set(wanted, before);
      this.#at += 1;
      wanted = this.#wanted[this.#at];
    }
  }

  /** The records [from, to) come one behind the other. */
  noteRun(from: bigint, to: bigint, before: number): void {
    for (let wanted = this.#wanted[this.#at]; wanted !== undefined && wanted < to;) {
      this.#found.set(wanted, wanted <= from ? before : before + Number(wanted - from));
      this.#at += 1;
      wanted = this.#wanted[this.#at];
    }
  }

  /** Once everything was fed; `records` of all. */
  rankOf(offset: bigint, records: number): number {
    return this.#found.get(offset) ?? records;
  }
}
