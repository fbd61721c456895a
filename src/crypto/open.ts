/**
 * Opening, in three ways: one block by its number, a stream, and an object that is small enough to be held.
 */
import { blockBytes, sealedBlockBytesMax, tagBytes, unsealBlock, type BlockPosition } from './block.ts';
import { SealedDamage } from './damage.ts';
import type { FrameCodec } from './frame.ts';
import { checkMagic, headerBytes, openHead } from './header.ts';
import { nameOfObject, type ObjectIdentity } from './identity.ts';
import type { Key } from './key.ts';
import type { BlockPool } from './pool.ts';
import type { SecondOpener } from './second-opener.ts';

export interface Opening {
  readonly identity: ObjectIdentity;
  /** Undefined where the keyring has no such key. */
  readonly findKey: (id: Buffer) => Key | undefined;
  readonly codec: FrameCodec;
  /** Opens each block again, by other libraries. */
  readonly second?: SecondOpener | undefined;
}

export interface BlockOpener {
  /**
   * `sealed` is what the length before it counts. Throws damage unless this is the block that was sealed there. The raw
   * block is at the start of `into` where that is large enough.
   */
  open(sealed: Buffer, position: BlockPosition, into?: Buffer): Buffer;
  /** The same in a thread of the pool. */
  openIn(pool: BlockPool, sealed: Buffer, position: BlockPosition): Promise<Buffer>;
}

/** Checks the head; the blocks then open in any order. */
export function openBlocks(header: Buffer, { identity, findKey, codec, second }: Opening): BlockOpener {
  const objectKey = openHead(header, identity, findKey);
  const compare = second?.begin(header, identity, findKey);
  return {
    open(sealed, { number, last }, into) {
      const frame = unsealBlock(objectKey, { number, last }, sealed);
      if (frame === undefined) throw wrongBlock(objectKey, identity, { number, last }, sealed);
      const raw = codec.decompress(frame, last ? Math.min(number, 1) : blockBytes, into);
      if (raw === undefined) throw notAFrame(identity, number);
      compare?.(sealed, { number, last }, raw);
      return raw;
    },
    async openIn(pool, sealed, { number, last }) {
      const rawBytesMin = last ? Math.min(number, 1) : blockBytes;
      const raw = await pool.open(objectKey, { number, last }, { sealed, rawBytesMin });
      if (raw === 'sealed') throw wrongBlock(objectKey, identity, { number, last }, sealed);
      if (raw === 'frame') throw notAFrame(identity, number);
      compare?.(sealed, { number, last }, raw);
      return raw;
    },
  };
}

function notAFrame(identity: ObjectIdentity, number: number): SealedDamage {
  return blockDamaged(identity, number, 'is authentic, but not one whole frame of the expected size');
}

/** A block that opens with the other flag tells that the object's end is at the wrong place. */
function wrongBlock(
  objectKey: Buffer,
  identity: ObjectIdentity,
  { number, last }: BlockPosition,
  sealed: Buffer,
): SealedDamage {
  if (unsealBlock(objectKey, { number, last: !last }, sealed) === undefined)
    return blockDamaged(identity, number, 'is not what was sealed at this place');
  return last
    ? truncated(identity, `ends after block ${number}, which is not the last`)
    : new SealedDamage('trailing', `${nameOfObject(identity)}: something follows its last block, ${number}`);
}

/**
 * Opens an object from its bytes in order, cut in whatever way. States and moves:
 * `head` → `length` (96 bytes are there and open) → `block` (a length within bounds) → `whole` (that many bytes are
 * there) → `length` (one more byte came: the block was not the last) or, from `whole` only, `ended`: with the last block,
 * and with one that does not open.
 */
export class ObjectOpener {
  readonly #opening: Opening;
  #state: 'head' | 'length' | 'block' | 'whole' | 'ended' = 'head';
  #field = Buffer.allocUnsafe(headerBytes);
  #filled = 0;
  #number = 0;
  #blocks: BlockOpener | undefined;

  constructor(opening: Opening) {
    this.#opening = opening;
  }

  /** The raw blocks that are now known to be good. What follows them may still turn out to be damaged. */
  push(chunk: Uint8Array): Buffer[] {
    const raw: Buffer[] = [];
    for (let taken = 0; taken < chunk.length;) {
      if (this.#state === 'ended') throw new Error('bytes came behind the end');
      if (this.#state === 'whole') raw.push(this.#openBlock({ last: false }));
      const part = chunk.subarray(taken, taken + this.#field.length - this.#filled);
      this.#field.set(part, this.#filled);
      this.#filled += part.length;
      taken += part.length;
      if (this.#filled === this.#field.length) this.#fieldIsWhole();
    }
    return raw;
  }

  /** The last block; throws where the object does not end here. */
  end(): Buffer {
    const { identity } = this.#opening;
    if (this.#state === 'ended') throw new Error('it has ended already');
    if (this.#state === 'whole') return this.#openBlock({ last: true });
    if (this.#state === 'head') {
      const start = this.#field.subarray(0, this.#filled);
      checkMagic(start, identity);
      throw truncated(identity, `expected a head of ${headerBytes} bytes, got ${this.#filled}`);
    }
    throw truncated(
      identity,
      `expected ${this.#field.length} bytes of the ${this.#state} at block ${this.#number}, got ${this.#filled}`,
    );
  }

  #fieldIsWhole(): void {
    switch (this.#state) {
      case 'head':
        this.#blocks = openBlocks(this.#field, this.#opening);
        this.#expect('length', 4);
        return;
      case 'length': {
        const length = this.#field.readUInt32BE();
        if (length <= tagBytes || length > sealedBlockBytesMax)
          throw blockDamaged(
            this.#opening.identity,
            this.#number,
            `expected ${tagBytes + 1} to ${sealedBlockBytesMax} sealed bytes, got ${length}`,
          );
        this.#expect('block', length);
        return;
      }
      case 'block':
        this.#state = 'whole';
        return;
      case 'whole':
      case 'ended':
        throw new Error('bytes came into a whole block');
    }
  }

  #openBlock({ last }: { readonly last: boolean }): Buffer {
    if (this.#state !== 'whole' || this.#blocks === undefined)
      throw new Error(`a block in state ${this.#state}`);
    this.#state = 'ended';
    const raw = this.#blocks.open(this.#field, { number: this.#number, last });
    this.#number += 1;
    if (!last) this.#expect('length', 4);
    return raw;
  }

  #expect(state: 'length' | 'block', bytes: number): void {
    this.#state = state;
    this.#field = Buffer.allocUnsafe(bytes);
    this.#filled = 0;
  }
}

/** Each block is authentic when it comes out; that nothing is missing is known only when the stream ends. */
export async function* openStream(
  source: AsyncIterable<Uint8Array>,
  opening: Opening,
): AsyncGenerator<Buffer, void, undefined> {
  const opener = new ObjectOpener(opening);
  for await (const chunk of source) yield* opener.push(chunk);
  yield opener.end();
}

/** The object's raw bytes, all or none. */
export function openWhole(sealed: Uint8Array, opening: Opening): Buffer {
  const opener = new ObjectOpener(opening);
  const raw = opener.push(sealed);
  raw.push(opener.end());
  return Buffer.concat(raw);
}

function blockDamaged(identity: ObjectIdentity, number: number, what: string): SealedDamage {
  return new SealedDamage('block-damaged', `${nameOfObject(identity)}: block ${number} ${what}`);
}

function truncated(identity: ObjectIdentity, what: string): SealedDamage {
  return new SealedDamage('truncated', `${nameOfObject(identity)}: ${what}`);
}
