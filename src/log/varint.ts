/**
 * Reads the fields of records. Numbers are zigzag varints: 7 bits a byte, lowest first, the high bit says that another
 * follows; at most 5 bytes for 32 bits and 10 for 64. Longer forms of a short number are legal, more bits than the
 * number holds are not. Every length is held against what is left before anything is taken.
 */
import { VarveError } from '../errors.ts';
import { producerHint } from './malformed.ts';

export class RecordCursor {
  readonly bytes: Buffer;
  position: number;
  readonly end: number;
  readonly #where: string;

  /** `where` names the batch in the errors. */
  constructor(bytes: Buffer, range: { from: number; to: number }, where: string) {
    this.bytes = bytes;
    this.position = range.from;
    this.end = Math.min(range.to, bytes.length);
    this.#where = where;
  }

  get left(): number {
    return this.end - this.position;
  }

  byte(field: string): number {
    const byte = this.position < this.end ? this.bytes[this.position] : undefined;
    if (byte === undefined) throw this.damage(`${field}: expected another byte, got the end`);
    this.position += 1;
    return byte;
  }

  varint(field: string): number {
    let bits = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte(field);
      bits |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (bits >>> 1) ^ -(bits & 1);
    }
    const last = this.byte(field);
    if (last > 0x0f) throw this.damage(`${field}: expected a number of at most 32 bits, got more`);
    bits |= last << 28;
    return (bits >>> 1) ^ -(bits & 1);
  }

  varlong(field: string): bigint {
    // 49 bits stay exact in a double; nearly every timestamp delta ends there.
    let low = 0;
    let factor = 1;
    for (let count = 0; count < 7; count += 1) {
      const byte = this.byte(field);
      low += (byte & 0x7f) * factor;
      if (byte < 0x80) return unzigzag(BigInt(low));
      factor *= 128;
    }
    let bits = BigInt(low);
    for (let shift = 49n; shift < 63n; shift += 7n) {
      const byte = this.byte(field);
      bits |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return unzigzag(bits);
    }
    const last = this.byte(field);
    if (last > 0x01) throw this.damage(`${field}: expected a number of at most 64 bits, got more`);
    return unzigzag(bits | (BigInt(last) << 63n));
  }

  /** A length and its bytes, as a view; null where the length is -1. */
  nullableBytes(field: string): Buffer | null {
    const length = this.varint(`length of ${field}`);
    if (length === -1) return null;
    return this.take(length, field);
  }

  take(length: number, field: string): Buffer {
    if (length < 0 || length > this.left) {
      throw this.damage(`length of ${field}: expected 0 to ${this.left}, got ${length}`);
    }
    const from = this.position;
    this.position += length;
    return this.bytes.subarray(from, this.position);
  }

  damage(problem: string): VarveError {
    return new VarveError('damage', `records of ${this.#where}: ${problem}`, {
      hint: producerHint,
    });
  }
}

/** Zigzag numbers of at most 49 bits; NaN for anything else. */
export class NumberReader {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, from: number, end: number) {
    this.bytes = bytes;
    this.at = from;
    this.end = end;
  }

  next(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 7 && this.at < this.end; count += 1) {
      const byte = this.bytes[this.at] ?? 0;
      this.at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : (value + 1) / -2;
      factor *= 128;
    }
    return Number.NaN;
  }
}

function unzigzag(bits: bigint): bigint {
  return (bits >> 1n) ^ -(bits & 1n);
}
