import { VarveError } from '../errors.ts';

/**
 * The primitive types of Kafka's protocol, flexible versions included. Every read is checked against what is there,
 * and no count or length is believed before as many bytes were seen.
 */
export class Reader {
  readonly bytes: Buffer;
  readonly #what: string;
  #position: number;
  readonly #end: number;

  constructor(bytes: Buffer, what: string, from = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#what = what;
    this.#position = from;
    this.#end = end;
  }

  get position(): number {
    return this.#position;
  }

  get left(): number {
    return this.#end - this.#position;
  }

  int8(): number {
    return this.bytes.readInt8(this.#take(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.#take(4));
  }

  int64(): bigint {
    return this.bytes.readBigInt64BE(this.#take(8));
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  /** Unsigned, at most 32 bits in at most five bytes. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.#take(1)] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw this.#broken('a variable-length number of more than 32 bits');
  }

  /** As Kafka prints it: 22 characters of base64url. */
  uuid(): string {
    const at = this.#take(16);
    return this.bytes.toString('base64url', at, at + 16);
  }

  compactString(): string {
    const text = this.compactNullableString();
    if (text === null) throw this.#broken('null where text is needed');
    return text;
  }

  compactNullableString(): string | null {
    const length = this.varint() - 1;
    if (length < 0) return null;
    const at = this.#take(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  /** A view, not a copy; empty for null. */
  compactBytes(): Buffer {
    const length = this.varint() - 1;
    if (length <= 0) return this.bytes.subarray(this.#position, this.#position);
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Null counts as empty. Each element takes a byte at least, so a count above what is left is a lie. */
  compactArray<T>(element: (reader: Reader) => T): T[] {
    return this.#elements(this.varint() - 1, element);
  }

  array<T>(element: (reader: Reader) => T): T[] {
    return this.#elements(this.int32(), element);
  }

  /** Tagged fields: the known ones are read, the others passed over. */
  tags(known: Readonly<Record<number, (reader: Reader) => void>> = {}): void {
    for (let left = this.varint(); left > 0; left -= 1) {
      const tag = this.varint();
      const length = this.varint();
      const at = this.#take(length);
      known[tag]?.(new Reader(this.bytes, this.#what, at, at + length));
    }
  }

  #elements<T>(count: number, element: (reader: Reader) => T): T[] {
    if (count > this.left) throw this.#broken(`a count of ${count} with ${this.left} bytes left`);
    const elements: T[] = [];
    for (let index = 0; index < count; index += 1) elements.push(element(this));
    return elements;
  }

  #take(length: number): number {
    if (length < 0 || length > this.left) {
      throw this.#broken(`expected ${length} more bytes, got ${this.left}`);
    }
    const at = this.#position;
    this.#position += length;
    return at;
  }

  #broken(problem: string): VarveError {
    return new VarveError('kafka-unreachable', `${this.#what}, byte ${this.#position}: ${problem}`, {
      hint: 'the broker, or something between, does not speak the Kafka protocol as expected',
      retryable: true,
    });
  }
}

const firstBytes = 512;

export class Writer {
  #bytes = Buffer.allocUnsafe(firstBytes);
  #length = 0;

  int8(value: number): this {
    this.#bytes.writeInt8(value, this.#grow(1));
    return this;
  }

  int16(value: number): this {
    this.#bytes.writeInt16BE(value, this.#grow(2));
    return this;
  }

  int32(value: number): this {
    this.#bytes.writeInt32BE(value, this.#grow(4));
    return this;
  }

  int64(value: bigint): this {
    this.#bytes.writeBigInt64BE(value, this.#grow(8));
    return this;
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  varint(value: number): this {
    let left = value;
    while (left >= 0x80) {
      this.#bytes.writeUInt8((left % 0x80) + 0x80, this.#grow(1));
      left = Math.floor(left / 0x80);
    }
    this.#bytes.writeUInt8(left, this.#grow(1));
    return this;
  }

  uuid(text: string): this {
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.length !== 16) throw new Error(`not a topic id: ${text}`);
    return this.raw(bytes);
  }

  nullableString(text: string | null): this {
    if (text === null) return this.int16(-1);
    const bytes = Buffer.from(text);
    return this.int16(bytes.length).raw(bytes);
  }

  compactString(text: string | null): this {
    if (text === null) return this.varint(0);
    const bytes = Buffer.from(text);
    return this.varint(bytes.length + 1).raw(bytes);
  }

  compactArray<T>(elements: readonly T[] | null, write: (element: T, writer: Writer) => void): this {
    this.varint(elements === null ? 0 : elements.length + 1);
    for (const element of elements ?? []) write(element, this);
    return this;
  }

  noTags(): this {
    return this.varint(0);
  }

  raw(bytes: Buffer): this {
    bytes.copy(this.#bytes, this.#grow(bytes.length));
    return this;
  }

  /** What was written, in a buffer that is not written again. */
  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(by: number): number {
    const at = this.#length;
    this.#length += by;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }
}
