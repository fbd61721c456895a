import { VarveError } from '../errors.ts';

/**
 * Reads Kafka's primitive types from a response, in order, and trusts nothing: every length and count is compared
 * with the bytes that are left before anything is made of it. Views, not copies: what it returns as a Buffer is
 * part of the response.
 */
export class Reader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at: number;

  constructor(bytes: Buffer, options: { what: string; at?: number }) {
    this.#bytes = bytes;
    this.#what = options.what;
    this.#at = options.at ?? 0;
  }

  get at(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#take(1, 'a number'));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2, 'a number'));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4, 'a number'));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8, 'a number'));
  }

  float64(): number {
    return this.#bytes.readDoubleBE(this.#take(8, 'a number'));
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  /** A UUID in Kafka's own text form. */
  uuid(): string {
    const at = this.#take(16, 'a uuid');
    return this.#bytes.toString('base64url', at, at + 16);
  }

  /** At most five bytes, seven bits each, the lowest first. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#take(1, 'a length'));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    return this.fail('a length of at most 32 bits');
  }

  string(): string {
    return this.nullableString() ?? this.fail('a string, got null');
  }

  nullableString(): string | undefined {
    const view = this.nullableBytes();
    return view?.toString('utf8');
  }

  /** With a length of two bytes, as messages of the old kind have it. */
  plainString(): string {
    const length = this.int16();
    if (length < 0) this.fail('a string, got null');
    const at = this.#take(length, `${length} bytes`);
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** A view into the response; undefined for null. */
  nullableBytes(): Buffer | undefined {
    const length = this.uvarint() - 1;
    if (length < 0) return undefined;
    const at = this.#take(length, `${length} bytes`);
    return this.#bytes.subarray(at, at + length);
  }

  array<T>(elementBytesMin: number, element: () => T, countMax?: number): T[] {
    return this.nullableArray(elementBytesMin, element, countMax) ?? this.fail('an array, got null');
  }

  /**
   * The least an element can take bounds what a count can promise before anything is allocated for it; `countMax`
   * where in memory an element takes many times its bytes.
   */
  nullableArray<T>(elementBytesMin: number, element: () => T, countMax = Infinity): T[] | undefined {
    const count = this.uvarint() - 1;
    return count < 0 ? undefined : this.#elements(count, { elementBytesMin, element, countMax });
  }

  /** With a count of four bytes, as messages of the old kind have it. */
  plainArray<T>(elementBytesMin: number, element: () => T): T[] {
    const count = this.int32();
    if (count < 0) this.fail('an array, got null');
    return this.#elements(count, { elementBytesMin, element, countMax: Infinity });
  }

  #elements<T>(
    count: number,
    { elementBytesMin, element, countMax }: { elementBytesMin: number; element: () => T; countMax: number },
  ): T[] {
    if (count > countMax) this.fail(`at most ${countMax} elements, got ${count}`);
    if (count * elementBytesMin > this.left) {
      this.fail(`an array of ${count} elements in ${this.left} bytes`);
    }
    const elements: T[] = [];
    for (let index = 0; index < count; index += 1) elements.push(element());
    return elements;
  }

  /** Tagged fields: those the caller knows are read, the others skipped. */
  tags(known?: (tag: number) => boolean): void {
    const count = this.uvarint();
    if (count * 2 > this.left) this.fail(`${count} tagged fields in ${this.left} bytes`);
    for (let index = 0; index < count; index += 1) {
      const tag = this.uvarint();
      const length = this.uvarint();
      const from = this.#take(length, `${length} bytes of a tagged field`);
      const end = this.#at;
      this.#at = from;
      const read = known?.(tag) ?? false;
      if (read && this.#at > end) this.fail(`tagged field ${tag} to end at byte ${end}`);
      this.#at = end;
    }
  }

  end(): void {
    if (this.left !== 0) this.fail(`the end, got ${this.left} more bytes`);
  }

  fail(expected: string): never {
    throw new VarveError(
      'kafka-unreachable',
      `malformed ${this.#what}: expected ${expected} at byte ${this.#at} of ${this.#bytes.length}`,
      {
        retryable: true,
        hint: 'Check that the address is a Kafka broker and that nothing on the way alters its answers.',
      },
    );
  }

  #take(length: number, what: string): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) this.fail(what);
    this.#at = at + length;
    return at;
  }
}
