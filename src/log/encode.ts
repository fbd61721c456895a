/** Making batches that a broker takes from a producer: the bytes of one that was stored, or some of its records anew. */
import { crc32c } from '@node-rs/crc32';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  batchHeaderBytes,
  checkedFrom,
  lengthPrefixBytes,
  usesAppendTime,
  type BatchHeader,
  type Codec,
} from './header.ts';
import { inflatedSection, type DecodeLimits } from './records.ts';
import { NumberReader, RecordCursor } from './varint.ts';

export interface Stamp {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly sequence: number;
}

/** Transactional, and delete horizon: neither belongs in what a producer sends. */
const horizonBit = 0x40;
const clearedBits = 0x10 | horizonBit;

/** Makes the head of a whole batch that of a producer, in place: everything else stays byte for byte. */
export function stampBatch(batch: Buffer, { producerId, producerEpoch, sequence }: Stamp): void {
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(-1, 12);
  batch.writeInt16BE(batch.readInt16BE(21) & ~clearedBits, 21);
  batch.writeBigInt64BE(producerId, 43);
  batch.writeInt16BE(producerEpoch, 51);
  batch.writeInt32BE(sequence, 53);
  batch.writeUInt32BE(crc32c(batch.subarray(checkedFrom)), 17);
}

/**
 * Whether a broker takes the batch as it is: no record missing, the times are the producer's, and the base time is that
 * of a record and not a delete horizon.
 */
export function isReusable(header: BatchHeader): boolean {
  const isWhole = header.recordCount === header.lastOffsetDelta + 1;
  return isWhole && !usesAppendTime(header) && (header.attributes & horizonBit) === 0;
}

/** A record whose key, value and headers are bytes that nobody looks into. */
export interface RawRecord {
  readonly offset: bigint;
  readonly timestamp: bigint;
  /** From the length of the key on: a view. */
  readonly body: Buffer;
}

/** The records of a batch, undecoded but for their numbers. Throws `damage`. */
export function* rawRecords(
  bytes: Buffer,
  header: BatchHeader,
  limits: DecodeLimits = {},
): Generator<RawRecord, void, void> {
  const where = `the batch at offset ${header.baseOffset}`;
  const section = inflatedSection(bytes, header, { where, ...limits });
  const cursor = new RecordCursor(section, { from: 0, to: section.length }, where);
  const appended = usesAppendTime(header);
  let deltaBefore = -1;
  for (let count = 0; count < header.recordCount; count += 1) {
    const length = cursor.varint('record length');
    const from = cursor.position;
    cursor.take(length, 'record');
    const to = cursor.position;
    cursor.position = from;
    cursor.byte('record attributes');
    const timestampDelta = cursor.varlong('timestamp delta');
    const offsetDelta = cursor.varint('offset delta');
    if (cursor.position > to || offsetDelta <= deltaBefore || offsetDelta > header.lastOffsetDelta)
      throw cursor.damage(`record ${count + 1}: its numbers are not those of this batch`);
    deltaBefore = offsetDelta;
    const body = section.subarray(cursor.position, to);
    cursor.position = to;
    yield {
      offset: header.baseOffset + BigInt(offsetDelta),
      timestamp: appended ? header.maxTimestamp : BigInt.asIntN(64, header.baseTimestamp + timestampDelta),
      body,
    };
  }
  if (cursor.left > 0)
    throw cursor.damage(`expected ${header.recordCount}, got ${cursor.left} more bytes behind them`);
}

/** The body of a record that has a value, and neither key nor headers. */
export function valueBody(value: Buffer): Buffer {
  const bytes: number[] = [1]; // a length of -1
  let rest = value.length * 2;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.concat([Buffer.from(bytes), value, noHeaders]);
}

const noHeaders = Buffer.alloc(1);

/**
 * Puts records into a batch of their own: offsets from 0, without a hole unless told otherwise, each with the time it has. A codec that this
 * program only reads becomes none.
 */
export class BatchEncoder {
  readonly codec: Codec;
  #bytes: Buffer = Buffer.allocUnsafe(36 * 1024);
  #at = batchHeaderBytes;
  #count = 0;
  #baseTimestamp = 0n;
  #maxTimestamp = 0n;

  constructor(codec: Codec) {
    this.codec = codec === 'gzip' || codec === 'zstd' ? codec : 'none';
  }

  get count(): number {
    return this.#count;
  }

  /** Before they are compressed. */
  get byteLength(): number {
    return this.#at;
  }

  /** `offsetDelta` is above that of the record before. */
  add({ timestamp, body }: Pick<RawRecord, 'timestamp' | 'body'>, offsetDelta = this.#count): void {
    if (this.#count === 0) {
      this.#baseTimestamp = timestamp;
      this.#maxTimestamp = timestamp;
    } else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    const timestampDelta = BigInt.asIntN(64, timestamp - this.#baseTimestamp);
    this.#reserve(body.length + recordHeadBytesMax);
    const fieldsBytes = 1 + varlongBytes(timestampDelta) + varintBytes(offsetDelta);
    this.#varint(fieldsBytes + body.length);
    this.#bytes[this.#at] = 0;
    this.#at += 1;
    this.#varlong(timestampDelta);
    this.#varint(offsetDelta);
    body.copy(this.#bytes, this.#at);
    this.#at += body.length;
    this.#count += 1;
  }

  /**
   * All records of a whole, uncompressed batch behind those that are here: only their numbers change. False, and nothing
   * is added, where a number is not what it should be, or too large to be moved without a closer look.
   */
  addAll(bytes: Buffer, header: BatchHeader): boolean {
    const { byteLength, recordCount, baseTimestamp } = header;
    const base = this.#count === 0 ? baseTimestamp : this.#baseTimestamp;
    if (base < -movedTimeMax || base > movedTimeMax) return false;
    this.#reserve(byteLength + recordCount * recordHeadBytesMax);
    const from = this.#at;
    const newest = this.#move(bytes, header, Number(baseTimestamp - base));
    if (newest === undefined) {
      this.#at = from;
      return false;
    }
    const maxTimestamp = base + BigInt(newest);
    if (this.#count === 0 || maxTimestamp > this.#maxTimestamp) this.#maxTimestamp = maxTimestamp;
    this.#baseTimestamp = base;
    this.#count += recordCount;
    return true;
  }

  /** How far behind the base time of this batch the newest of the records is; each of them is `later` than it says. */
  #move(
    bytes: Buffer,
    { position, byteLength, recordCount }: BatchHeader,
    later: number,
  ): number | undefined {
    const reader = new NumberReader(bytes, position + batchHeaderBytes, position + byteLength);
    let newest: number | undefined;
    for (let index = 0; index < recordCount; index += 1) {
      const length = reader.next();
      const end = reader.at + length;
      const attributes = bytes[reader.at];
      reader.at += 1;
      const delta = reader.next() + later;
      const isHere = reader.next() === index && attributes === 0 && reader.at <= end && end <= reader.end;
      if (!isHere || !(Math.abs(delta) < movedTimeMax)) return undefined;
      if (newest === undefined || delta > newest) newest = delta;
      this.#head(delta, this.#count + index, end - reader.at);
      bytes.copy(this.#bytes, this.#at, reader.at, end);
      this.#at += end - reader.at;
      reader.at = end;
    }
    return reader.at === reader.end ? newest : undefined;
  }

  /** All of a record that stands before its body. */
  #head(timestampDelta: number, offsetDelta: number, bodyBytes: number): void {
    const time = timestampDelta < 0 ? timestampDelta * -2 - 1 : timestampDelta * 2;
    this.#varint(1 + unsignedBytes(time) + unsignedBytes(offsetDelta * 2) + bodyBytes);
    this.#bytes[this.#at] = 0;
    this.#at += 1;
    this.#unsigned(time);
    this.#varint(offsetDelta);
  }

  /**
   * The batch without a producer: it needs a stamp. The encoder is empty again afterwards, and the batch stays as it is
   * until the next record is added.
   */
  finish(): Buffer {
    const section = this.#bytes.subarray(batchHeaderBytes, this.#at);
    const packed = compressed(this.codec, section);
    const batch = packed ?? this.#bytes.subarray(0, this.#at);
    batch.writeBigInt64BE(0n, 0);
    batch.writeInt32BE(batch.length - lengthPrefixBytes, 8);
    batch.writeInt32BE(-1, 12);
    batch.writeInt8(2, 16);
    batch.writeInt16BE(codecNumbers[this.codec], 21);
    batch.writeInt32BE(this.#count - 1, 23);
    batch.writeBigInt64BE(this.#baseTimestamp, 27);
    batch.writeBigInt64BE(this.#maxTimestamp, 35);
    batch.writeBigInt64BE(-1n, 43);
    batch.writeInt16BE(-1, 51);
    batch.writeInt32BE(-1, 53);
    batch.writeInt32BE(this.#count, 57);
    batch.writeUInt32BE(crc32c(batch.subarray(checkedFrom)), 17);
    this.#at = batchHeaderBytes;
    this.#count = 0;
    return batch;
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#at + count, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }

  #varint(value: number): void {
    this.#unsigned(value * 2); // never negative here: the zigzag form is twice the number
  }

  #unsigned(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at] = (rest % 0x80) | 0x80;
      this.#at += 1;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at] = rest;
    this.#at += 1;
  }

  #varlong(value: bigint): void {
    if (value >= 0n && value < varintMax) {
      this.#varint(Number(value));
      return;
    }
    let rest = zigzag(value);
    while (rest > 0x7fn) {
      this.#bytes[this.#at] = Number(rest & 0x7fn) | 0x80;
      this.#at += 1;
      rest >>= 7n;
    }
    this.#bytes[this.#at] = Number(rest);
    this.#at += 1;
  }
}

const codecNumbers: Record<Codec, number> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 };
/** Length, attributes, and both deltas at their longest. */
const recordHeadBytesMax = 5 + 1 + 10 + 5;
const varintMax = 2n ** 40n;
/** Far from where doubles, and 64 bits, have their ends. */
const movedTimeMax = 2 ** 46;

function compressed(codec: Codec, section: Buffer): Buffer | undefined {
  if (codec !== 'gzip' && codec !== 'zstd') return undefined;
  const packed = codec === 'gzip' ? gzipSync(section) : zstdCompressSync(section);
  return Buffer.concat([Buffer.alloc(batchHeaderBytes), packed]);
}

function varintBytes(value: number): number {
  return unsignedBytes(value * 2);
}

function unsignedBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

function varlongBytes(value: bigint): number {
  if (value >= 0n && value < varintMax) return varintBytes(Number(value));
  let bytes = 1;
  for (let rest = zigzag(value); rest > 0x7fn; rest >>= 7n) bytes += 1;
  return bytes;
}

function zigzag(value: bigint): bigint {
  return BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
}
