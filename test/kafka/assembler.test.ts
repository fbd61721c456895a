import { describe, expect, test } from 'vitest';
import { Assembler, type Frame } from '../../src/kafka/assembler.ts';
import { FramePool, plainMemory, type FrameMemory } from '../../src/kafka/memory.ts';
import { frame } from './given.ts';

const mebibyte = 1024 * 1024;

function assembling(memory: FrameMemory, more: { trustedBytes?: number; frameBytesMax?: number } = {}) {
  const seen = { frames: [] as Frame[], badLengths: [] as number[], ready: 0 };
  const assembler = new Assembler({
    memory,
    frameBytesMax: () => more.frameBytesMax ?? 64 * mebibyte,
    trustedBytes: () => more.trustedBytes ?? 64 * mebibyte,
    onFrame: (one) => seen.frames.push(one),
    onBadLength: (length) => {
      seen.badLengths.push(length);
      assembler.close();
    },
    onReady: () => (seen.ready += 1),
  });
  return { assembler, seen };
}

/** As a socket does that asks for a place before each read. */
function readInto(assembler: Assembler, stream: Buffer, bytesAtOnce: number): void {
  for (let at = 0; at < stream.length;) {
    const place = assembler.next();
    const count = stream.copy(place, 0, at, Math.min(at + bytesAtOnce, at + place.length));
    assembler.landed(count, place);
    at += count;
  }
}

function patterned(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE((at * 2654435761) % 2 ** 32, at);
  return bytes;
}

const bodies = [patterned(4), patterned(100), patterned(70_000), patterned(5), patterned(200_000)];
const stream = Buffer.concat(bodies.map((body) => frame(body)));

describe('a stream of frames', () => {
  test('is cut into the same frames wherever it is split', () => {
    const two = Buffer.concat([frame(bodies[1] ?? ''), frame(bodies[3] ?? '')]);
    for (let split = 0; split <= two.length; split += 1) {
      const { assembler, seen } = assembling(plainMemory);
      assembler.feed(two.subarray(0, split));
      assembler.feed(two.subarray(split));
      expect(seen.frames.map(({ bytes }) => Buffer.from(bytes))).toEqual([bodies[1], bodies[3]]);
    }
  });

  test.each([1, 3, 1000, 65_536, 300_000])('is read straight into place, %i bytes at once', (bytesAtOnce) => {
    const { assembler, seen } = assembling(new FramePool({ bytesInFlightMax: 64 * mebibyte }));

    readInto(assembler, stream, bytesAtOnce);

    expect(seen.frames).toHaveLength(bodies.length);
    seen.frames.forEach(({ bytes }, index) =>
      expect(bytes.equals(bodies[index] ?? Buffer.alloc(0))).toBe(true),
    );
  });

  test('whose frame is longer than it may be is refused before there is memory for it', () => {
    let taken = 0;
    const memory: FrameMemory = {
      ...plainMemory,
      take: (length) => ((taken += length), Buffer.alloc(length)),
    };
    const { assembler, seen } = assembling(memory, { frameBytesMax: 1000 });

    assembler.feed(Buffer.from('000003e9', 'hex'));

    expect(seen.badLengths).toEqual([1001]);
    expect(taken).toBe(0);
  });

  test.each(['00000003', 'ffffffff', '80000000'])('with the length %s is refused', (length) => {
    const { assembler, seen } = assembling(plainMemory);

    assembler.feed(Buffer.from(length, 'hex'));

    expect(seen.badLengths).toHaveLength(1);
  });

  test('that claims more than was asked for gets memory as it arrives', () => {
    const sizes: number[] = [];
    const memory: FrameMemory = {
      ...plainMemory,
      take: (length) => (sizes.push(length), Buffer.alloc(length)),
      grow: (buffer, length) => (sizes.push(length), plainMemory.grow(buffer, length)),
    };
    const { assembler, seen } = assembling(memory, { trustedBytes: 100_000 });
    const body = patterned(350_000);

    assembler.feed(frame(body).subarray(0, 150_004));
    expect(Math.max(...sizes)).toBe(200_000);
    readInto(assembler, frame(body).subarray(150_004), 65_536);

    expect(sizes).toEqual([100_000, 200_000, 350_000]);
    expect(seen.frames[0]?.bytes.equals(body)).toBe(true);
  });
});

describe('frame memory', () => {
  test('that is used up stops the reading until something is released, and then nothing is missing', () => {
    const pool = new FramePool({ bytesInFlightMax: 3 * mebibyte });
    const { assembler, seen } = assembling(pool);
    const body = patterned(mebibyte);
    const frames = Buffer.concat([frame(body), frame(body), frame(body), frame(body)]);

    assembler.feed(frames);

    expect(seen.frames).toHaveLength(2);
    expect(assembler.ready).toBe(false);
    seen.frames[0]?.release();
    expect(seen.frames).toHaveLength(3);
    expect(assembler.ready).toBe(false);
    seen.frames[1]?.release();
    expect(seen.ready).toBe(1);
    expect(seen.frames).toHaveLength(4);
    expect(seen.frames.slice(2).every(({ bytes }) => bytes.equals(body))).toBe(true);
  });

  test('is used again, and released twice counts once', () => {
    const pool = new FramePool({ bytesInFlightMax: 3 * mebibyte });
    const { assembler, seen } = assembling(pool);
    const used = new Set<ArrayBufferLike>();

    for (let turn = 0; turn < 50; turn += 1) {
      assembler.feed(frame(patterned(mebibyte)));
      const one = seen.frames.at(-1);
      if (one !== undefined) used.add(one.bytes.buffer);
      one?.release();
      one?.release();
    }

    expect(used.size).toBe(1);
    expect(pool.bytesInFlight).toBe(0);
    expect(pool.bytesKept).toBeLessThanOrEqual(3 * mebibyte);
  });

  test('never keeps more than its limit', () => {
    const pool = new FramePool({ bytesInFlightMax: 4 * mebibyte });

    for (const size of [3, 1, 2, 1.5, 0.5]) {
      const buffer = pool.take(size * mebibyte);
      if (buffer !== undefined) pool.give(buffer);
      expect(pool.bytesKept).toBeLessThanOrEqual(4 * mebibyte);
    }
  });

  test('has room for a first frame that is larger than the limit, and for what a frame grows to', () => {
    const pool = new FramePool({ bytesInFlightMax: mebibyte });

    const first = pool.take(5 * mebibyte);
    expect(first?.length).toBeGreaterThanOrEqual(5 * mebibyte);
    expect(pool.take(10)).toBeUndefined();
    const grown = pool.grow(first ?? Buffer.alloc(0), 8 * mebibyte);
    pool.give(grown);

    expect(pool.bytesInFlight).toBe(0);
    expect(pool.take(10)).toBeDefined();
  });

  test('of a frame that never arrived whole is given back when the connection closes', () => {
    const pool = new FramePool({ bytesInFlightMax: 4 * mebibyte });
    const { assembler } = assembling(pool);

    assembler.feed(frame(patterned(mebibyte)).subarray(0, 1000));
    expect(pool.bytesInFlight).toBeGreaterThan(mebibyte);
    assembler.close();

    expect(pool.bytesInFlight).toBe(0);
  });
});
