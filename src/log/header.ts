/**
 * The head of a record batch, format 2. Integers are big-endian.
 *
 *     0  8  base offset
 *     8  4  length of all that follows this field
 *    12  4  partition leader epoch
 *    16  1  magic = 2
 *    17  4  CRC-32C of the bytes from 21 to the end
 *    21  2  attributes: 0-2 codec (0 none 1 gzip 2 snappy 3 lz4 4 zstd), 3 append time, 4 transactional, 5 control,
 *           6 delete horizon (the base timestamp is then the horizon; deltas still count from it)
 *    23  4  last offset delta
 *    27  8  base timestamp
 *    35  8  maximum timestamp
 *    43  8  producer id
 *    51  2  producer epoch
 *    53  4  base sequence
 *    57  4  number of records
 *    61     records; with a codec, all of them as one compressed piece
 */
export const batchHeaderBytes = 61;

/** The bytes that the length field does not count: the base offset and the length itself. */
export const lengthPrefixBytes = 12;

/** Where the part that the checksum covers begins. */
export const checkedFrom = 21;

export interface BatchHeader {
  /** Where the batch begins in the bytes that were scanned. */
  readonly position: number;
  /** The whole batch, head included. */
  readonly byteLength: number;
  readonly baseOffset: bigint;
  readonly leaderEpoch: number;
  readonly magic: number;
  readonly crc: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const codecBits = 0x07;
const appendTimeBit = 0x08;
const transactionalBit = 0x10;
const controlBit = 0x20;

/** Reads the head at `position`; at least 61 bytes must be there, and the length must have been looked at before. */
export function readHeader(bytes: Buffer, position: number): BatchHeader {
  return {
    position,
    byteLength: lengthPrefixBytes + bytes.readInt32BE(position + 8),
    baseOffset: bytes.readBigInt64BE(position),
    leaderEpoch: bytes.readInt32BE(position + 12),
    magic: bytes.readInt8(position + 16),
    crc: bytes.readUInt32BE(position + 17),
    attributes: bytes.readInt16BE(position + 21),
    lastOffsetDelta: bytes.readInt32BE(position + 23),
    baseTimestamp: bytes.readBigInt64BE(position + 27),
    maxTimestamp: bytes.readBigInt64BE(position + 35),
    producerId: bytes.readBigInt64BE(position + 43),
    producerEpoch: bytes.readInt16BE(position + 51),
    baseSequence: bytes.readInt32BE(position + 53),
    recordCount: bytes.readInt32BE(position + 57),
  };
}

/** The last offset the batch stands for; compaction may have removed the record that had it. */
export function lastOffsetOf(header: BatchHeader): bigint {
  return header.baseOffset + BigInt(header.lastOffsetDelta);
}

/** Where the log goes on behind this batch, whether or not its last records are still there. */
export function nextOffsetOf(header: BatchHeader): bigint {
  return header.baseOffset + BigInt(header.lastOffsetDelta + 1);
}

export function isControl(header: BatchHeader): boolean {
  return (header.attributes & controlBit) !== 0;
}

export function isTransactional(header: BatchHeader): boolean {
  return (header.attributes & transactionalBit) !== 0;
}

/** True where the broker set the time: every record then has the batch's maximum timestamp. */
export function usesAppendTime(header: BatchHeader): boolean {
  return (header.attributes & appendTimeBit) !== 0;
}

/** Undefined for a codec that does not exist. */
export function codecOf(header: BatchHeader): Codec | undefined {
  return codecs[header.attributes & codecBits];
}
