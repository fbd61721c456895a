import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockBytes, FrameCodec, FrameStream } from '../../src/crypto/crypto.ts';
import { bytesFrom } from './given.ts';

const codec = new FrameCodec();
const raw = Buffer.from('a frame of words, and of words, and of words again');
const frame = Buffer.from(codec.compress(raw));

function foreignFrame(content: Buffer, params: Record<number, number>): Buffer {
  return zstdCompressSync(content, { params, pledgedSrcSize: content.length });
}

describe('a frame', () => {
  it('gives back any bytes, at every level, and opens with another library', () => {
    for (const level of [1, 3, 19]) {
      const leveled = new FrameCodec({ level });
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
          const made = Buffer.from(leveled.compress(bytes));
          expect(leveled.decompress(made, 0)?.equals(bytes)).toBe(true);
          expect(zstdDecompressSync(made).equals(bytes)).toBe(true);
        }),
        { numRuns: 30 },
      );
    }
  });

  it('made by another library opens, as long as it has size and checksum', () => {
    const { ZSTD_c_checksumFlag: checksum, ZSTD_c_contentSizeFlag: size } = constants;
    expect(codec.decompress(foreignFrame(raw, { [checksum]: 1, [size]: 1 }), 0)?.equals(raw)).toBe(true);
    expect(codec.decompress(foreignFrame(raw, { [checksum]: 0, [size]: 1 }), 0)).toBeUndefined();
    expect(codec.decompress(foreignFrame(raw, { [checksum]: 1, [size]: 0 }), 0)).toBeUndefined();
  });

  it('cut at any length is refused', () => {
    for (let length = 0; length < frame.length; length += 1)
      expect(codec.decompress(frame.subarray(0, length), 0)).toBeUndefined();
  });

  it('with a bit changed anywhere gives back nothing else than what was compressed', () => {
    for (let at = 0; at < frame.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const bad = Buffer.from(frame);
        bad.writeUInt8(bad.readUInt8(at) ^ (1 << bit), at);
        const got = codec.decompress(bad, 0);
        if (got !== undefined) expect(got.equals(raw)).toBe(true);
      }
    }
  });

  it('joined with another, followed by bytes, or behind a skippable one is refused', () => {
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
    expect(codec.decompress(Buffer.concat([frame, frame]), 0)).toBeUndefined();
    expect(codec.decompress(Buffer.concat([frame, skippable]), 0)).toBeUndefined();
    expect(codec.decompress(Buffer.concat([skippable, frame]), 0)).toBeUndefined();
    expect(codec.decompress(Buffer.concat([frame, Buffer.alloc(1)]), 0)).toBeUndefined();
    expect(codec.decompress(skippable, 0)).toBeUndefined();
  });

  it('that claims more than a block is refused before anything is allocated', () => {
    for (const claimed of [BigInt(blockBytes) + 1n, 1n << 40n, 1n << 62n]) {
      const head = Buffer.alloc(13);
      head.writeUInt32LE(0xfd2fb528);
      head[4] = 0xe4; // an 8-byte content size, a single segment, a checksum
      head.writeBigUInt64LE(claimed, 5);
      const before = process.memoryUsage().arrayBuffers;
      expect(codec.decompress(Buffer.concat([head, frame.subarray(9)]), 0)).toBeUndefined();
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(blockBytes);
    }
    const large = Buffer.alloc(blockBytes + 1);
    const { ZSTD_c_checksumFlag: checksum } = constants;
    expect(codec.decompress(foreignFrame(large, { [checksum]: 1 }), 0)).toBeUndefined();
    expect(codec.decompress(foreignFrame(large.subarray(1), { [checksum]: 1 }), 0)?.length).toBe(blockBytes);
  });

  it('that holds less than is expected is refused', () => {
    expect(codec.decompress(frame, raw.length)?.equals(raw)).toBe(true);
    expect(codec.decompress(frame, raw.length + 1)).toBeUndefined();
  });

  it('of bytes that do not compress still fits', () => {
    const noise = bytesFrom('noise', blockBytes);
    expect(codec.decompress(Buffer.from(codec.compress(noise)), blockBytes)?.equals(noise)).toBe(true);
  });

  it('has a level from 1 to 19', () => {
    for (const level of [0, 20, 1.5, -1]) expect(() => new FrameCodec({ level })).toThrow('zstd level');
  });
});

function unpack(bytes: Buffer, at: number): { held: Buffer; isBetweenFrames: boolean } {
  const stream = new FrameStream();
  const pieces: Buffer[] = [];
  for (const part of [bytes.subarray(0, at), bytes.subarray(at)]) {
    stream.feed(part);
    for (let piece = stream.next(); piece !== undefined; piece = stream.next())
      pieces.push(Buffer.from(piece));
  }
  return { held: Buffer.concat(pieces), isBetweenFrames: stream.isBetweenFrames };
}

describe('a row of frames', () => {
  const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const large = Buffer.alloc(blockBytes + 1, 7);
  const row = Buffer.concat([skipped, frame, zstdCompressSync(large), skipped, frame]);
  const whole = Buffer.concat([raw, large, raw]);

  it('unpacks to the same wherever it is cut in two, and tells where it is cut off', () => {
    const ends = [skipped, frame, zstdCompressSync(large), skipped, frame].reduce<number[]>(
      (all, { length }) => [...all, (all.at(-1) ?? 0) + length],
      [0],
    );
    for (let at = 0; at <= row.length; at += 1) {
      const { held, isBetweenFrames } = unpack(row, at);
      expect(isBetweenFrames && held.equals(whole), String(at)).toBe(true);
      expect(unpack(row.subarray(0, at), 0).isBetweenFrames, String(at)).toBe(ends.includes(at));
    }
  });

  it('that fills what it is unpacked into to the last byte ends there', () => {
    expect(unpack(zstdCompressSync(large.subarray(1)), 0)).toMatchObject({ isBetweenFrames: true });
  });
});
