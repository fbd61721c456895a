import { crc32c } from '@node-rs/crc32';
import {
  batchHeaderBytes,
  checkedFrom,
  codecOf,
  lengthPrefixBytes,
  nextOffsetOf,
  readHeader,
  type BatchHeader,
} from './header.ts';
import { SmallestTime } from './times.ts';

const batchLengthMin = batchHeaderBytes - lengthPrefixBytes;

/** Told of each whole batch that has records; undefined where their smallest timestamp is not known. */
type OnTime = (batch: BatchHeader, smallest: bigint | undefined) => void;

/**
 * Checks a file of batches that comes in pieces cut anywhere, holding nothing but the head that is being read: every
 * checksum, the order of the offsets, and that the last batch is whole.
 */
export class BatchWalk {
  /** Where the next byte stands in the file. */
  #at = 0;
  #next: bigint;
  #isFirst = true;
  readonly #head = Buffer.alloc(batchHeaderBytes);
  #headBytes = 0;
  #batch: BatchHeader | undefined;
  #left = 0;
  #crc = 0;
  #problem: string | undefined;
  readonly #times = new SmallestTime();
  readonly #onTime: OnTime | undefined;

  /** The base offset of the first batch is known from the file's name. */
  constructor(base: bigint, onTime?: OnTime) {
    this.#next = base;
    this.#onTime = onTime;
  }

  /** The offset behind the last batch whose head has come. */
  get next(): bigint {
    return this.#next;
  }

  /** The heads that were completed by this piece; `position` is the batch's in the file. */
  push(bytes: Buffer): BatchHeader[] {
    const heads: BatchHeader[] = [];
    let at = 0;
    while (at < bytes.length && this.#problem === undefined) {
      if (this.#batch === undefined) {
        const part = bytes.subarray(at, at + batchHeaderBytes - this.#headBytes);
        part.copy(this.#head, this.#headBytes);
        this.#headBytes += part.length;
        at += part.length;
        if (this.#headBytes === batchHeaderBytes) this.#beginBatch(this.#at + at - batchHeaderBytes, heads);
        continue;
      }
      const part = bytes.subarray(at, at + this.#left);
      this.#crc = crc32c(part, this.#crc);
      this.#left -= part.length;
      at += part.length;
      if (this.#onTime !== undefined) this.#times.push(part, this.#left === 0);
      if (this.#left === 0) this.#endBatch();
    }
    this.#at += bytes.length;
    return heads;
  }

  /** What is wrong, in words, once everything has come; undefined where all is well. */
  end(): string | undefined {
    if (this.#problem !== undefined) return this.#problem;
    if (this.#batch !== undefined || this.#headBytes > 0)
      return `the file ends inside a batch, at byte ${this.#at}`;
    return undefined;
  }

  #beginBatch(position: number, heads: BatchHeader[]): void {
    const batchLength = this.#head.readInt32BE(8);
    const header = { ...readHeader(this.#head, 0), position };
    this.#headBytes = 0;
    this.#problem = this.#problemIn(header, batchLength);
    if (this.#problem !== undefined) return;
    heads.push(header);
    this.#isFirst = false;
    this.#next = nextOffsetOf(header);
    this.#batch = header;
    this.#crc = crc32c(this.#head.subarray(checkedFrom));
    this.#left = header.byteLength - batchHeaderBytes;
    this.#times.begin(header);
    if (this.#left === 0) this.#endBatch();
  }

  #problemIn(header: BatchHeader, batchLength: number): string | undefined {
    const where = `at byte ${header.position}`;
    if (batchLength < batchLengthMin)
      return `batch length: expected at least ${batchLengthMin}, got ${batchLength}, ${where}`;
    if (header.magic !== 2) return `format of the batch: expected 2, got ${header.magic}, ${where}`;
    if (codecOf(header) === undefined) return `codec of the batch: expected 0 to 4, ${where}`;
    if (
      header.lastOffsetDelta < 0 ||
      header.recordCount < 0 ||
      header.recordCount > header.lastOffsetDelta + 1
    )
      return `the batch does not hold the records that it counts, ${where}`;
    if (this.#isFirst ? header.baseOffset === this.#next : header.baseOffset >= this.#next) return undefined;
    const expected = `${this.#isFirst ? '' : 'at least '}${this.#next}`;
    return `base offset of the batch: expected ${expected}, got ${header.baseOffset}, ${where}`;
  }

  #endBatch(): void {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch !== undefined && this.#crc !== batch.crc) {
      this.#problem = `checksum of the batch at byte ${batch.position} (offset ${batch.baseOffset}) does not match`;
    } else if (batch !== undefined && batch.recordCount > 0) this.#onTime?.(batch, this.#times.end());
  }
}
