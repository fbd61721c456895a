import { crc32c } from '@node-rs/crc32';
import {
  batchHeaderBytes,
  checkedFrom,
  codecOf,
  lengthPrefixBytes,
  readHeader,
  type BatchHeader,
} from './header.ts';

/** What is wrong with a batch, for the caller to judge: a torn tail is normal in one place and damage in another. */
export interface BatchProblem {
  readonly code: 'length' | 'magic' | 'crc' | 'codec' | 'offsets' | 'count';
  readonly position: number;
  /** Absent where too little is there to say. */
  readonly baseOffset?: bigint;
  readonly message: string;
}

export interface Scan {
  readonly batches: BatchHeader[];
  /** Behind the last whole batch. */
  readonly end: number;
  /** The piece of a batch that stands at `end`; `byteLength` is what its head claims, absent below 12 bytes. */
  readonly partial?: { readonly byteLength?: number };
  /** Why the walk ended at `end` although bytes remain. */
  readonly problem?: BatchProblem;
}

const batchLengthMin = batchHeaderBytes - lengthPrefixBytes;
const magicPosition = 16;
const offsetMax = 2n ** 63n - 1n;

/**
 * Walks the whole batches in bytes[from, to) by their lengths alone. It throws nothing: a piece of a batch at the end
 * is normal, since a broker cuts its answers anywhere, and a head that lies ends the walk with a named problem.
 */
export function scanBatches(bytes: Buffer, from = 0, to = bytes.length): Scan {
  const batches: BatchHeader[] = [];
  const stop = Math.min(to, bytes.length);
  let position = from;
  while (position < stop) {
    const left = stop - position;
    if (left < lengthPrefixBytes) return { batches, end: position, partial: {} };
    const batchLength = bytes.readInt32BE(position + 8);
    if (batchLength < batchLengthMin) {
      const expected = `expected at least ${batchLengthMin}, got ${batchLength}`;
      return {
        batches,
        end: position,
        problem: problemAt(bytes, position, 'length', `batch length: ${expected}`),
      };
    }
    if (left > magicPosition && bytes[position + magicPosition] !== 2) {
      const got = `expected 2, got ${bytes.readInt8(position + magicPosition)}`;
      return {
        batches,
        end: position,
        problem: problemAt(bytes, position, 'magic', `format of the batch: ${got}`),
      };
    }
    const byteLength = lengthPrefixBytes + batchLength;
    if (byteLength > left) return { batches, end: position, partial: { byteLength } };
    batches.push(readHeader(bytes, position));
    position += byteLength;
  }
  return { batches, end: position };
}

/** Whether the batch is what the broker stored: its checksum, and the numbers in its head that readers lean on. */
export function checkBatch(bytes: Buffer, header: BatchHeader): BatchProblem | undefined {
  const { position, byteLength } = header;
  if (byteLength < batchHeaderBytes || position + byteLength > bytes.length) {
    const message = `batch length: ${byteLength} bytes do not lie within the ${bytes.length} at hand`;
    return problemOf(header, 'length', message);
  }
  const crc = crc32c(bytes.subarray(position + checkedFrom, position + byteLength));
  if (crc !== header.crc) {
    return problemOf(header, 'crc', `checksum of the batch: expected ${hex(header.crc)}, got ${hex(crc)}`);
  }
  if (header.magic !== 2)
    return problemOf(header, 'magic', `format of the batch: expected 2, got ${header.magic}`);
  if (codecOf(header) === undefined) {
    return problemOf(header, 'codec', `codec of the batch: expected 0 to 4, got ${header.attributes & 0x07}`);
  }
  if (header.baseOffset < 0n || header.lastOffsetDelta < 0) {
    const got = `base ${header.baseOffset}, last offset delta ${header.lastOffsetDelta}`;
    return problemOf(header, 'offsets', `offsets of the batch: expected none below 0, got ${got}`);
  }
  // The next offset must be one too; only a base this large costs the exact sum.
  if (
    header.baseOffset > offsetMax - 0x8000_0000n &&
    header.baseOffset + BigInt(header.lastOffsetDelta) >= offsetMax
  ) {
    return problemOf(
      header,
      'offsets',
      'offsets of the batch: expected the next one to fit 64 bits, got more',
    );
  }
  if (header.recordCount < 0 || header.recordCount > header.lastOffsetDelta + 1) {
    const range = `expected 0 to ${header.lastOffsetDelta + 1}, got ${header.recordCount}`;
    return problemOf(header, 'count', `number of records: ${range}`);
  }
  return undefined;
}

function problemAt(
  bytes: Buffer,
  position: number,
  code: BatchProblem['code'],
  message: string,
): BatchProblem {
  const baseOffset = bytes.readBigInt64BE(position);
  return { code, position, baseOffset, message: `${message} (offset ${baseOffset}, byte ${position})` };
}

function problemOf(header: BatchHeader, code: BatchProblem['code'], message: string): BatchProblem {
  const { position, baseOffset } = header;
  return { code, position, baseOffset, message: `${message} (offset ${baseOffset}, byte ${position})` };
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(8, '0')}`;
}
