/**
 * The record section of a batch, inflated within a limit. No decoder allocates what its input claims: each stops at
 * `bytesMax` of real output.
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { messageOf, VarveError } from '../errors.ts';
import type { Codec } from './header.ts';
import { inflateLz4 } from './lz4.ts';
import { malformed, tooLarge } from './malformed.ts';
import { inflateSnappy } from './snappy.ts';

/**
 * A broker limits a batch by its compressed size and looks no further. A default batch is at most 1 MiB, and what
 * producers gather before they compress is far below this; a bomb reaches it at once.
 */
export const inflatedBytesMax = 1024 ** 3;

/** Producers write one; each costs a decoder of its own, however small it is. */
const zstdFramesMax = 1000;

export function inflate(codec: Codec, section: Buffer, bytesMax: number): Buffer {
  return inflateBy[codec](section, bytesMax);
}

const inflateBy = {
  none: (section) => section,
  gzip: (section, maxOutputLength) =>
    byZlib('gzip', () => gunzipSync(section, { maxOutputLength, chunkSize })),
  zstd: (section, maxOutputLength) => byZlib('zstd', () => inflateFrames(section, maxOutputLength)),
  snappy: inflateSnappy,
  lz4: inflateLz4,
} satisfies Record<Codec, (section: Buffer, bytesMax: number) => Buffer>;

/**
 * zstd frames may follow one another, and a call inflates only the first: without asking how much it took, the records
 * of the others would be dropped without a word.
 */
function inflateFrames(section: Buffer, bytesMax: number): Buffer {
  const pieces: Buffer[] = [];
  let position = 0;
  let length = 0;
  for (let frames = 0; position < section.length || frames === 0; frames += 1) {
    if (frames === zstdFramesMax)
      throw malformed('zstd', `expected at most ${zstdFramesMax} frames, got more`);
    // At least one byte, since the option knows no zero; the sum below is what counts.
    const options = { maxOutputLength: Math.max(1, bytesMax - length), chunkSize, info: true };
    const { buffer, bytesTaken } = taken(zstdDecompressSync(section.subarray(position), options));
    length += buffer.length;
    if (length > bytesMax) throw tooLarge('zstd');
    if (buffer.length > 0) pieces.push(buffer);
    position += Math.max(1, bytesTaken);
  }
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, length);
}

/** With the option `info` the answer is a pair, which its types leave out. */
function taken(answer: unknown): { buffer: Buffer; bytesTaken: number } {
  if (typeof answer === 'object' && answer !== null && 'buffer' in answer && 'engine' in answer) {
    const { buffer, engine } = answer;
    if (
      Buffer.isBuffer(buffer) &&
      typeof engine === 'object' &&
      engine !== null &&
      'bytesWritten' in engine
    ) {
      if (typeof engine.bytesWritten === 'number') return { buffer, bytesTaken: engine.bytesWritten };
    }
  }
  throw new Error('zlib no longer says how much of a zstd section it took');
}

const chunkSize = 64 * 1024;

function byZlib(codec: Codec, run: () => Buffer): Buffer {
  try {
    return run();
  } catch (error) {
    if (error instanceof VarveError || !(error instanceof Error) || !('code' in error)) throw error;
    if (error.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(codec);
    throw malformed(codec, messageOf(error), error);
  }
}
