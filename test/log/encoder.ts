/** A small, plain encoder of record batches: what the room decodes is written here a second time, independently. */
import { crc32c } from '@node-rs/crc32';
import { gzipSync, zstdCompressSync } from 'node:zlib';

export interface RecordToEncode {
  readonly offsetDelta: number;
  readonly timestampDelta: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly { readonly name: Buffer; readonly value: Buffer | null }[];
}

export interface BatchToEncode {
  readonly baseOffset?: bigint;
  readonly leaderEpoch?: number;
  readonly attributes?: number;
  readonly lastOffsetDelta?: number;
  readonly baseTimestamp?: bigint;
  readonly maxTimestamp?: bigint;
  readonly producerId?: bigint;
  readonly records?: readonly RecordToEncode[];
  /** Instead of the number of the records. */
  readonly recordCount?: number;
  /** Instead of the records. */
  readonly section?: Buffer;
}

export const transactional = 0x10;
export const control = 0x20;

export function record(fields: Partial<RecordToEncode> = {}): RecordToEncode {
  return { offsetDelta: 0, timestampDelta: 0n, key: null, value: null, headers: [], ...fields };
}

export function varint(value: bigint | number): Buffer {
  const signed = BigInt(value);
  let bits = BigInt.asUintN(64, (signed << 1n) ^ (signed >> 63n));
  const bytes: number[] = [];
  for (; bits > 127n; bits >>= 7n) bytes.push(Number(bits & 127n) | 128);
  bytes.push(Number(bits));
  return Buffer.from(bytes);
}

function nullable(bytes: Buffer | null): Buffer {
  return bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]);
}

export function encodeRecord({ offsetDelta, timestampDelta, key, value, headers }: RecordToEncode): Buffer {
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(timestampDelta),
    varint(offsetDelta),
    nullable(key),
    nullable(value),
    varint(headers.length),
    ...headers.flatMap((header) => [nullable(header.name), nullable(header.value)]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

export function encodeBatch(batch: BatchToEncode): Buffer {
  const records = batch.records ?? [];
  const attributes = batch.attributes ?? 0;
  const section = batch.section ?? compressed(attributes & 7, Buffer.concat(records.map(encodeRecord)));
  const bytes = Buffer.alloc(61 + section.length);
  bytes.writeBigInt64BE(batch.baseOffset ?? 0n, 0);
  bytes.writeInt32BE(49 + section.length, 8);
  bytes.writeInt32BE(batch.leaderEpoch ?? 0, 12);
  bytes.writeInt8(2, 16);
  bytes.writeInt16BE(attributes, 21);
  bytes.writeInt32BE(batch.lastOffsetDelta ?? Math.max(0, records.at(-1)?.offsetDelta ?? 0), 23);
  bytes.writeBigInt64BE(batch.baseTimestamp ?? 0n, 27);
  bytes.writeBigInt64BE(batch.maxTimestamp ?? 0n, 35);
  bytes.writeBigInt64BE(batch.producerId ?? -1n, 43);
  bytes.writeInt16BE(batch.producerId === undefined ? -1 : 0, 51);
  bytes.writeInt32BE(batch.producerId === undefined ? -1 : 0, 53);
  bytes.writeInt32BE(batch.recordCount ?? records.length, 57);
  section.copy(bytes, 61);
  return sealed(bytes);
}

/** Sets the checksum of a batch whose bytes were changed. */
export function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
  return bytes;
}

function compressed(codec: number, section: Buffer): Buffer {
  switch (codec) {
    case 1:
      return gzipSync(section);
    case 2:
      return Buffer.concat([snappyHead, lengthOf(snappyLiterals(section)), snappyLiterals(section)]);
    case 3:
      return lz4Stored(section);
    case 4:
      return zstdCompressSync(section);
    default:
      return section;
  }
}

export const snappyHead = Buffer.from('82534e41505059000000000100000001', 'hex');

export function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return length;
}

/** The unsigned varint that a snappy block begins with. */
export function unsignedVarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

function snappyLiterals(bytes: Buffer): Buffer {
  const parts = [unsignedVarint(bytes.length)];
  for (let position = 0; position < bytes.length; position += 60) {
    const literal = bytes.subarray(position, position + 60);
    parts.push(Buffer.from([(literal.length - 1) << 2]), literal);
  }
  return Buffer.concat(parts);
}

/** 64 KiB blocks, independent, without checksums; 0x82 is the checksum of that head. */
export const lz4Head = Buffer.from('04224d18604082', 'hex');

export function lz4Block(bytes: Buffer, stored = false): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE((bytes.length | (stored ? 0x8000_0000 : 0)) >>> 0);
  return Buffer.concat([length, bytes]);
}

export const lz4End = Buffer.alloc(4);

function lz4Stored(bytes: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let position = 0; position < bytes.length; position += 65_536) {
    blocks.push(lz4Block(bytes.subarray(position, position + 65_536), true));
  }
  return Buffer.concat([lz4Head, ...blocks, lz4End]);
}
