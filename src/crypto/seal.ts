import { blockBytes, sealBlock } from './block.ts';
import type { FrameCodec } from './frame.ts';
import { makeHead, saltBytes } from './header.ts';
import type { ObjectIdentity } from './identity.ts';
import type { Key } from './key.ts';

export interface Sealing {
  readonly identity: ObjectIdentity;
  /** The content key; for a keyring, the root key. */
  readonly key: Key;
  readonly codec: FrameCodec;
  readonly random: { bytes(count: number): Buffer };
}

/** Seals one object, block after block; writing `header` and then every piece in order makes the file. */
export class ObjectSealer {
  readonly header: Buffer;
  readonly #objectKey: Buffer;
  readonly #codec: FrameCodec;
  #number = 0;
  #ended = false;

  constructor({ identity, key, codec, random }: Sealing) {
    const { header, objectKey } = makeHead(identity, key, random.bytes(saltBytes));
    this.header = header;
    this.#objectKey = objectKey;
    this.#codec = codec;
  }

  /**
   * The next block: length, sealed frame and authentication, not copied together. Every block but the last is exactly
   * 2^20 bytes; the last one is 1 to 2^20, and 0 only where the object is empty.
   */
  block(raw: Uint8Array, { last }: { readonly last: boolean }): [Buffer, Buffer, Buffer] {
    if (this.#ended) throw new Error('a block behind the last one');
    if (
      raw.length > blockBytes ||
      (!last && raw.length < blockBytes) ||
      (raw.length === 0 && this.#number > 0)
    )
      throw new Error(`a block of ${raw.length} bytes at ${this.#number}`);
    const [sealed, tag] = sealBlock(
      this.#objectKey,
      { number: this.#number, last },
      this.#codec.compress(raw),
    );
    this.#number += 1;
    this.#ended = last;
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(sealed.length + tag.length);
    return [length, sealed, tag];
  }
}

/** Seals what comes, cut in whatever way; the pieces in order make the file. */
export async function* sealStream(
  source: AsyncIterable<Uint8Array>,
  sealing: Sealing,
): AsyncGenerator<Buffer, void, undefined> {
  const sealer = new ObjectSealer(sealing);
  yield sealer.header;
  let block = Buffer.allocUnsafe(blockBytes);
  let filled = 0;
  for await (const chunk of source) {
    for (let taken = 0; taken < chunk.length;) {
      // A full block waits for one more byte: only then is it known not to be the last.
      if (filled === blockBytes) {
        yield* sealer.block(block, { last: false });
        filled = 0;
      }
      const part = chunk.subarray(taken, taken + blockBytes - filled);
      block.set(part, filled);
      filled += part.length;
      taken += part.length;
    }
  }
  block = block.subarray(0, filled);
  yield* sealer.block(block, { last: true });
}

/** For what is small enough to be held: a manifest, a keyring, a mark. */
export function sealWhole(raw: Uint8Array, sealing: Sealing): Buffer {
  const sealer = new ObjectSealer(sealing);
  const pieces = [sealer.header];
  let start = 0;
  for (; raw.length - start > blockBytes; start += blockBytes)
    pieces.push(...sealer.block(raw.subarray(start, start + blockBytes), { last: false }));
  pieces.push(...sealer.block(raw.subarray(start), { last: true }));
  return Buffer.concat(pieces);
}
