import zstd from 'zstd-napi/binding.js';
import { blockBytes } from './block.ts';

/** What a frame may want held of it, as a power of 2: as much as the `zstd` of a shell takes without being told. */
export const windowLogMax = 27;

/** A row of zstd frames as any program writes them: of any size, skippable ones among them, piece by piece. */
export class FrameStream {
  readonly #context = new zstd.DCtx();
  readonly #raw = Buffer.allocUnsafeSlow(blockBytes);
  #packed: Buffer = Buffer.alloc(0);
  #isFull = false;
  #isBetween = true;

  constructor() {
    this.#context.setParameter(zstd.DParameter.windowLogMax, windowLogMax);
  }

  /** Whether what was fed may be the end of it. */
  get isBetweenFrames(): boolean {
    return this.#isBetween;
  }

  /** Once `next` had nothing more. */
  feed(packed: Buffer): void {
    this.#packed = packed;
  }

  /** It holds until the next call; undefined where more must be fed. Throws what the library says of a bad frame. */
  next(): Buffer | undefined {
    while (this.#packed.length > 0 || (this.#isFull && !this.#isBetween)) {
      const [left, produced, consumed] = this.#context.decompressStream(this.#raw, this.#packed);
      this.#packed = this.#packed.subarray(consumed);
      this.#isBetween = left === 0;
      this.#isFull = produced === this.#raw.length;
      if (produced > 0) return this.#raw.subarray(0, produced);
    }
    return undefined;
  }
}
