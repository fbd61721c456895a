/**
 * The record section of a batch, inflated within a limit. No decoder allocates what its input claims: each stops at
 * `bytesMax` of real output.
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Codec } from './header.ts';
import { inflateLz4 } from './lz4.ts';
import { malformed, tooLarge } from './malformed.ts';
import { inflateSnappy } from './snappy.ts';

/**
 * A broker limits a batch by its compressed size and looks no further. A default batch is at most 1 MiB, and what
 * producers gather before they compress is far below this; a bomb reaches it at once.
 */
export const inflatedBytesMax = 1024 ** 3;

export function inflate(codec: Codec, section: Buffer, bytesMax: number): Buffer {
  return inflateBy[codec](section, bytesMax);
}

const inflateBy = {
  none: (section) => section,
  gzip: (section, maxOutputLength) =>
    byZlib('gzip', () => gunzipSync(section, { maxOutputLength, chunkSize })),
  zstd: (section, maxOutputLength) =>
    byZlib('zstd', () => zstdDecompressSync(section, { maxOutputLength, chunkSize })),
  snappy: inflateSnappy,
  lz4: inflateLz4,
} satisfies Record<Codec, (section: Buffer, bytesMax: number) => Buffer>;

const chunkSize = 64 * 1024;

function byZlib(codec: Codec, run: () => Buffer): Buffer {
  try {
    return run();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLarge(codec);
    throw malformed(codec, error instanceof Error ? error.message : String(error), error);
  }
}
