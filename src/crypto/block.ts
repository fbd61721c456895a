/**
 * One block under suite 1: ChaCha20-Poly1305 of RFC 8439, no associated data.
 *
 *   nonce = u88 block number | u8: 1 for the last block, else 0
 *
 * The key is this object's alone, so a nonce never repeats; the number holds the blocks in order, and the flag tells the
 * end from a cut (the STREAM construction).
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';

export const blockSizeLog = 20;
/** Raw bytes of every block but the last. */
export const blockBytes = 2 ** blockSizeLog;
export const tagBytes = 16;
/** A frame of bytes that do not compress is 46 bytes longer than they are; its authentication adds 16. */
export const sealedBlockBytesMax = blockBytes + 4096 + tagBytes;
/** 4 PiB of raw bytes: nothing that is sealed comes near. */
const blocksMax = 2 ** 32;

export interface BlockPosition {
  /** From 0. */
  readonly number: number;
  readonly last: boolean;
}

/** The sealed frame in two pieces, to be written one behind the other. */
export function sealBlock(objectKey: Buffer, position: BlockPosition, frame: Buffer): [Buffer, Buffer] {
  const cipher = createCipheriv(algorithm, objectKey, nonceOf(position), { authTagLength: tagBytes });
  const sealed = cipher.update(frame);
  cipher.final();
  return [sealed, cipher.getAuthTag()];
}

/** Undefined where this is not the block that was sealed at this position. */
export function unsealBlock(objectKey: Buffer, position: BlockPosition, sealed: Buffer): Buffer | undefined {
  if (sealed.length < tagBytes) return undefined;
  const decipher = createDecipheriv(algorithm, objectKey, nonceOf(position), { authTagLength: tagBytes });
  const frameBytes = sealed.length - tagBytes;
  decipher.setAuthTag(sealed.subarray(frameBytes));
  const frame = decipher.update(sealed.subarray(0, frameBytes));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return frame;
}

const algorithm = 'chacha20-poly1305';

function nonceOf({ number, last }: BlockPosition): Buffer {
  if (!Number.isInteger(number) || number < 0 || number >= blocksMax)
    throw new Error(`block number out of range: ${number}`);
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(number, 7);
  nonce[11] = last ? 1 : 0;
  return nonce;
}
