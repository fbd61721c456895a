/**
 * One zstd frame per block, with content size and content checksum, by the low-level binding: the library's convenient
 * decompressor takes truncated, joined and skippable frames for whole ones, and allocates what a frame claims.
 */
import zstd from 'zstd-napi/binding.js';
import { blockBytes } from './block.ts';

const checksumFlag = 0x04;
const levelsMax = 19;

/** Owns one compressing and one decompressing context: one for each thread, for any number of objects. */
export class FrameCodec {
  readonly #compressing = new zstd.CCtx();
  readonly #decompressing = new zstd.DCtx();
  readonly #scratch = Buffer.allocUnsafeSlow(zstd.compressBound(blockBytes));

  constructor({ level }: { readonly level: number } = { level: 3 }) {
    if (!Number.isInteger(level) || level < 1 || level > levelsMax)
      throw new Error(`zstd level out of range: ${level}`);
    this.#compressing.setParameter(zstd.CParameter.compressionLevel, level);
    this.#compressing.setParameter(zstd.CParameter.checksumFlag, 1);
    this.#compressing.setParameter(zstd.CParameter.contentSizeFlag, 1);
  }

  /** The answer holds until the next call. */
  compress(raw: Uint8Array): Buffer {
    return this.#scratch.subarray(0, this.#compressing.compress2(this.#scratch, raw));
  }

  /**
   * Undefined where it is not one whole frame of `rawBytesMin` to 2^20 bytes with a good checksum. `into` is filled from
   * its start where it is large enough.
   */
  decompress(frame: Buffer, rawBytesMin: number, into?: Buffer): Buffer | undefined {
    if (frame.length < 6 || frame.readUInt32LE(0) !== zstd.MAGICNUMBER) return undefined;
    if ((frame.readUInt8(4) & checksumFlag) === 0) return undefined;
    try {
      const rawBytes = zstd.getFrameContentSize(frame);
      if (rawBytes === null || rawBytes < rawBytesMin || rawBytes > blockBytes) return undefined;
      if (zstd.findFrameCompressedSize(frame) !== frame.length) return undefined;
      const hasRoom = into !== undefined && into.length >= rawBytes;
      const raw = hasRoom ? into.subarray(0, rawBytes) : Buffer.allocUnsafe(rawBytes);
      return this.#decompressing.decompress(raw, frame) === rawBytes ? raw : undefined;
    } catch {
      // The binding throws what the library says of a bad frame; that it is bad is all there is to know.
      return undefined;
    }
  }
}
