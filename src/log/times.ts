/**
 * The smallest timestamp of a batch's records, which its head does not tell. Of each record the length and the time are
 * read, and the rest is passed over: nothing is decoded, and nothing is kept of a batch that is not compressed.
 */
import { VarveError } from '../errors.ts';
import { codecOf, usesAppendTime, type BatchHeader, type Codec } from './header.ts';
import { inflate } from './inflate.ts';

/**
 * Of compressed records, before and after. What is larger stays unknown, and so does what is smaller: of batches so
 * small, each costs as much as inflating a hundred times its bytes.
 */
const packedBytesMin = 1024;
const packedBytesMax = 16 * 1024 * 1024;
const inflatedBytesMax = 32 * 1024 * 1024;

/** Takes one batch after the other, each in pieces cut anywhere. */
export class SmallestTime {
  #header: BatchHeader | undefined;
  #codec: Codec = 'none';
  #known: bigint | undefined;
  #walk: DeltaWalk | undefined;
  #packed: Buffer[] = [];
  #packedBytes = 0;

  begin(header: BatchHeader): void {
    this.#header = header;
    this.#codec = codecOf(header) ?? 'none';
    this.#known = knownFromHead(header);
    this.#walk = undefined;
    this.#packed = [];
    this.#packedBytes = 0;
    if (this.#known === undefined && this.#codec === 'none') this.#walk = new DeltaWalk();
  }

  /** A piece of what stands behind the head; `isLast` where it ends the batch. It is not held on to. */
  push(bytes: Buffer, isLast: boolean): void {
    if (this.#known !== undefined) return;
    if (this.#walk !== undefined) {
      this.#walk.push(bytes);
      return;
    }
    this.#packedBytes += bytes.length;
    if (this.#packedBytes > packedBytesMax) this.#packed = [];
    else if (!isLast) this.#packed.push(Buffer.from(bytes));
    else if (this.#packedBytes >= packedBytesMin)
      this.#inflate(this.#packed.length === 0 ? bytes : Buffer.concat([...this.#packed, bytes]));
  }

  /** Undefined where it is not known: a batch without records, too small or too large a one, or one that is not what its head says. */
  end(): bigint | undefined {
    const { baseTimestamp, recordCount } = this.#header ?? { baseTimestamp: 0n, recordCount: 0 };
    if (this.#known !== undefined) return this.#known;
    const delta = this.#walk?.smallest(recordCount);
    // Sums of 64 bits wrap; so far from the end of the numbers none does.
    const isFar = baseTimestamp > baseMax || baseTimestamp < -baseMax;
    return delta === undefined || isFar ? undefined : baseTimestamp + BigInt(delta);
  }

  #inflate(packed: Buffer): void {
    try {
      const section = inflate(this.#codec, packed, inflatedBytesMax);
      this.#walk = new DeltaWalk();
      this.#walk.push(section);
    } catch (error) {
      if (!(error instanceof VarveError)) throw error; // damage is named by whoever needs the records
    }
  }
}

const baseMax = 2n ** 62n;

/** A broker sets the maximum by the records it takes: one record that has it has no other time. */
function knownFromHead(header: BatchHeader): bigint | undefined {
  const { baseTimestamp, maxTimestamp, recordCount } = header;
  const isOne = recordCount === 1 && baseTimestamp === maxTimestamp;
  return recordCount > 0 && (isOne || usesAppendTime(header)) ? maxTimestamp : undefined;
}

/** What the next byte belongs to. */
const inLength = 0;
const inAttributes = 1;
const inDelta = 2;
const inRest = 3;

/** So many bits of a varint are exact in a double; a longer one is not followed. */
const factorMax = 128 ** 6;

/** The timestamp deltas of records that come in pieces cut anywhere. */
class DeltaWalk {
  #field = inLength;
  /** The bits of the number that is being read, and what the next seven of them count. */
  #bits = 0;
  #factor = 1;
  /** Of the record that is being read. */
  #left = 0;
  #count = 0;
  #smallest = Number.POSITIVE_INFINITY;
  #isLost = false;

  push(bytes: Buffer): void {
    if (this.#isLost) return;
    // Local, since this runs for every record that is sealed.
    let field = this.#field;
    let bits = this.#bits;
    let factor = this.#factor;
    let left = this.#left;
    let count = this.#count;
    let smallest = this.#smallest;
    for (let at = 0; at < bytes.length;) {
      if (field === inRest) {
        const passed = Math.min(left, bytes.length - at);
        at += passed;
        left -= passed;
        if (left > 0) break;
        field = inLength;
        continue;
      }
      const byte = bytes[at] ?? 0;
      at += 1;
      if (field === inAttributes) {
        left -= 1;
        field = inDelta;
        continue;
      }
      if (field === inDelta) left -= 1;
      bits += (byte & 0x7f) * factor;
      if (byte >= 0x80 && factor < factorMax) {
        factor *= 128;
        continue;
      }
      const number = bits % 2 === 0 ? bits / 2 : -(bits + 1) / 2;
      bits = 0;
      factor = 1;
      if (field === inLength) {
        left = number;
        field = inAttributes;
      } else {
        count += 1;
        if (number < smallest) smallest = number;
        field = left > 0 ? inRest : inLength;
      }
      // The shortest record has a time, an offset, no key, no value and no header.
      if (byte >= 0x80 || left < 0) {
        this.#isLost = true;
        return;
      }
    }
    this.#field = field;
    this.#bits = bits;
    this.#factor = factor;
    this.#left = left;
    this.#count = count;
    this.#smallest = smallest;
  }

  /** Of exactly so many whole records. */
  smallest(records: number): number | undefined {
    const isWhole = !this.#isLost && this.#field === inLength && this.#factor === 1;
    return isWhole && records > 0 && this.#count === records ? this.#smallest : undefined;
  }
}
