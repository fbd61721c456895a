import { describe, expect, it } from 'vitest';
import { blockBytes, BlockPool, makeHead, openWhole } from '../../src/crypto/crypto.ts';
import { bytesFrom, codec, content, findKey, identities, seal } from './given.ts';

const identity = identities.segment;
const { header, objectKey } = makeHead(identity, content, bytesFrom('salt 1', 32));

/** In memory of its own, as a pool wants it. */
function ownCopy(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes);
}

describe('a pool of sealing threads', () => {
  it('seals, in whatever order the threads answer, what one thread seals', async () => {
    await using pool = new BlockPool({ threads: 2, level: 3 });
    const raw = bytesFrom('raw', 3 * blockBytes + 77);
    const places = [0, 1, 2, 3];
    const sealed = await Promise.all(
      places.map(async (number) => {
        const block = raw.subarray(number * blockBytes, (number + 1) * blockBytes);
        return pool.seal(objectKey, { number, last: number === 3 }, ownCopy(block));
      }),
    );
    const file = Buffer.concat([header, ...sealed.map(({ bytes }) => bytes)]);
    expect(file.equals(seal(raw))).toBe(true);
    expect(openWhole(file, { identity, findKey, codec }).equals(raw)).toBe(true);
    expect(sealed.map(({ spare }) => spare.byteLength)).toEqual([blockBytes, blockBytes, blockBytes, 77]);
  });

  it('opens a block where it was sealed, and leaves the bytes it was given alone', async () => {
    await using pool = new BlockPool({ threads: 1, level: 3 });
    const raw = bytesFrom('raw', 500);
    const last = { number: 0, last: true };
    const { bytes } = await pool.seal(objectKey, last, ownCopy(raw));
    const around = Buffer.concat([bytes, Buffer.alloc(100)]);
    const sealed = around.subarray(4, bytes.length);
    expect(await pool.open(objectKey, last, { sealed, rawBytesMin: 1 })).toEqual(raw);
    expect(await pool.open(objectKey, { number: 1, last: true }, { sealed, rawBytesMin: 1 })).toBe('sealed');
    expect(await pool.open(objectKey, last, { sealed, rawBytesMin: 501 })).toBe('frame');
    expect(around.subarray(0, bytes.length).equals(bytes)).toBe(true);
  });

  it('takes no memory that is shared', async () => {
    await using pool = new BlockPool({ threads: 1, level: 3 });
    const shared = new Uint8Array(new SharedArrayBuffer(10));
    await expect(pool.seal(objectKey, { number: 0, last: true }, shared)).rejects.toThrow('shared');
  });

  it('that was stopped fails what is waiting and what comes', async () => {
    const pool = new BlockPool({ threads: 1, level: 3 });
    const waiting = pool.seal(objectKey, { number: 0, last: true }, new Uint8Array(10));
    const [ended] = await Promise.allSettled([waiting, pool[Symbol.asyncDispose]()]);
    expect(ended.status).toBe('rejected');
    await expect(pool.seal(objectKey, { number: 1, last: true }, new Uint8Array(10))).rejects.toThrow(
      'stopped',
    );
  });

  it('that cannot begin, because of a level that there is not, fails and does not wait', async () => {
    await using pool = new BlockPool({ threads: 1, level: 99 });
    await expect(pool.seal(objectKey, { number: 0, last: true }, new Uint8Array(10))).rejects.toThrow(
      'level',
    );
  });
});
