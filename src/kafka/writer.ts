/** Writes Kafka's primitive types in their compact forms; grows as needed. Strings that are too long are refused by the broker. */
export class Writer {
  #bytes: Buffer;
  #at = 0;
  /** What is part of the message without being copied, and where. */
  readonly #views: { readonly at: number; readonly bytes: Buffer }[] = [];

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  int8(value: number): this {
    const at = this.#room(1);
    this.#bytes.writeInt8(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.#room(2);
    this.#bytes.writeInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.#room(4);
    this.#bytes.writeInt32BE(value, at);
    return this;
  }

  int64(value: bigint): this {
    const at = this.#room(8);
    this.#bytes.writeBigInt64BE(value, at);
    return this;
  }

  bool(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  uuid(text: string): this {
    const raw = Buffer.from(text, 'base64url');
    if (raw.length !== 16)
      throw new Error(`expected a topic id of 16 bytes, got ${raw.length} from "${text}"`);
    return this.raw(raw);
  }

  uvarint(value: number): this {
    let rest = value;
    while (rest > 0x7f) {
      const at = this.#room(1);
      this.#bytes.writeUInt8((rest % 0x80) + 0x80, at);
      rest = Math.floor(rest / 0x80);
    }
    const at = this.#room(1);
    this.#bytes.writeUInt8(rest, at);
    return this;
  }

  string(value: string): this {
    const length = Buffer.byteLength(value);
    this.uvarint(length + 1);
    const at = this.#room(length);
    this.#bytes.write(value, at, length, 'utf8');
    return this;
  }

  nullableString(value: string | undefined): this {
    return value === undefined ? this.uvarint(0) : this.string(value);
  }

  /** A string with a length of two bytes, as the request header has it in every version. */
  headerString(value: string): this {
    const length = Buffer.byteLength(value);
    this.int16(length);
    const at = this.#room(length);
    this.#bytes.write(value, at, length, 'utf8');
    return this;
  }

  array<T>(elements: readonly T[], write: (element: T) => void): this {
    this.uvarint(elements.length + 1);
    for (const element of elements) write(element);
    return this;
  }

  nullArray(): this {
    return this.uvarint(0);
  }

  noTags(): this {
    return this.uvarint(0);
  }

  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** As `raw`, but the bytes stay where they are: they must not change until the message has left. */
  view(bytes: Buffer): this {
    this.#views.push({ at: this.#at, bytes });
    return this;
  }

  /** The message in one piece; only where it holds no views. */
  finish(): Buffer {
    if (this.#views.length > 0) throw new Error('a message with views comes in pieces');
    return this.#bytes.subarray(0, this.#at);
  }

  /** The message in order, views in their places. */
  pieces(): Buffer[] {
    const pieces: Buffer[] = [];
    let from = 0;
    for (const { at, bytes } of this.#views) {
      pieces.push(this.#bytes.subarray(from, at), bytes);
      from = at;
    }
    pieces.push(this.#bytes.subarray(from, this.#at));
    return pieces;
  }

  #room(length: number): number {
    const at = this.#at;
    const end = at + length;
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    this.#at = end;
    return at;
  }
}
