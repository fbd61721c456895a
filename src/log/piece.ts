/**
 * Bytes that grow while a decoder writes them, up to a limit. What is allocated follows what was really produced, never
 * what the input says will come.
 */
export class Piece {
  bytes: Buffer;
  length = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.bytes = Buffer.allocUnsafe(Math.min(bytesMax, 64 * 1024));
  }

  /** Makes room for `count` more bytes; false where that is beyond the limit. */
  reserve(count: number): boolean {
    const wanted = this.length + count;
    if (wanted > this.#bytesMax) return false;
    if (wanted > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#bytesMax, Math.max(wanted, this.bytes.length * 2)));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    return true;
  }

  /** Room must have been reserved. */
  append(from: Buffer, start: number, end: number): void {
    from.copy(this.bytes, this.length, start, end);
    this.length += end - start;
  }

  /**
   * Repeats `count` bytes that begin `distance` back. They may run into what is being written, which then repeats.
   * Room must have been reserved, and `distance` lie between 1 and the length.
   */
  repeat(distance: number, count: number): void {
    const { bytes } = this;
    let to = this.length;
    const end = to + count;
    if (distance >= count && count > 32) {
      bytes.copyWithin(to, to - distance, to - distance + count);
    } else {
      for (; to < end; to += 1) bytes[to] = bytes[to - distance] ?? 0;
    }
    this.length = end;
  }

  written(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}
