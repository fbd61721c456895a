import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockBytes,
  encodeIdentity,
  headerBytes,
  ObjectOpener,
  ObjectSealer,
  openBlocks,
  openStream,
  openWhole,
  sealedBlockBytesMax,
  sealStream,
  sealWhole,
} from '../../src/crypto/crypto.ts';
import {
  bytesFrom,
  codec,
  content,
  findKey,
  gathered,
  identities,
  inPieces,
  keyFor,
  kinds,
  randomFrom,
  seal,
} from './given.ts';
import { openByOtherMeans } from './second-opener.ts';

const identity = identities.segment;
const opening = { identity, findKey, codec };
const sealing = (): Parameters<typeof sealStream>[1] => ({
  identity,
  key: content,
  codec,
  random: randomFrom('salt'),
});

/** Bytes that do not compress, then bytes that do. */
function rawBytes(count: number): Buffer {
  const raw = Buffer.alloc(count, 'the same words again and again. ');
  bytesFrom('noise', Math.min(count, 4096)).copy(raw);
  return raw;
}

describe('a sealed object', () => {
  it('gives back what was sealed, for every kind and any content', () => {
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.uint8Array({ maxLength: 3000 }), (kind, raw) => {
        const sealed = seal(raw, identities[kind]);
        const opened = openWhole(sealed, { ...opening, identity: identities[kind] });
        expect(opened.equals(raw)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it.each([0, 1, blockBytes - 1, blockBytes, blockBytes + 1, 2 * blockBytes, 2 * blockBytes + 5])(
    'of %i raw bytes opens, for a second opener too, and has no empty block behind a full one',
    (count) => {
      const raw = rawBytes(count);
      const sealed = seal(raw);
      expect(openWhole(sealed, opening).equals(raw)).toBe(true);
      const second = openByOtherMeans(sealed, content.secret(), encodeIdentity(identity));
      expect(second.raw.equals(raw)).toBe(true);
      expect(blocksOf(sealed)).toHaveLength(Math.max(1, Math.ceil(count / blockBytes)));
    },
  );

  it('is the same file however its bytes come, and opens however the file comes', async () => {
    const raw = rawBytes(2 * blockBytes + 777);
    const whole = seal(raw);
    const sizes = fc.array(fc.integer({ min: 1, max: 700_000 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(sizes, sizes, async (written, read) => {
        const large = [...written, 300_000];
        const sealed = await gathered(sealStream(inPieces(raw, large), sealing()));
        expect(sealed.equals(whole)).toBe(true);
        const opened = await gathered(openStream(inPieces(sealed, [...read, 300_000]), opening));
        expect(opened.equals(raw)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('is the same file where its bytes come in whole or half blocks', async () => {
    const raw = rawBytes(3 * blockBytes);
    for (const size of [blockBytes, blockBytes / 2, 2 * blockBytes]) {
      const sealed = await gathered(sealStream(inPieces(raw, [size]), sealing()));
      expect(sealed.equals(seal(raw))).toBe(true);
    }
    const empty = await gathered(sealStream(inPieces(Buffer.alloc(0), [1]), sealing()));
    expect(empty.equals(seal(Buffer.alloc(0)))).toBe(true);
  });

  it('is not sealed from blocks that no opener would take', () => {
    const full = Buffer.alloc(blockBytes);
    const none = Buffer.alloc(0);
    const [behindEnd, emptyEnd] = [new ObjectSealer(sealing()), new ObjectSealer(sealing())];
    behindEnd.block(full, { last: true });
    expect(() => behindEnd.block(full, { last: true })).toThrow('behind the last');
    emptyEnd.block(full, { last: false });
    expect(() => emptyEnd.block(none, { last: true })).toThrow('a block of 0 bytes');
    expect(() => emptyEnd.block(full.subarray(1), { last: false })).toThrow('a block of 1048575 bytes');
    expect(() => emptyEnd.block(Buffer.alloc(blockBytes + 1), { last: true })).toThrow(
      'a block of 1048577 bytes',
    );
  });

  it('opens byte by byte', async () => {
    const sealed = seal(bytesFrom('small', 500));
    const opened = await gathered(openStream(inPieces(sealed, [1]), opening));
    expect(opened.equals(bytesFrom('small', 500))).toBe(true);
  });

  it('opens one block in the middle without the others', () => {
    const raw = rawBytes(3 * blockBytes + 9);
    const sealed = seal(raw);
    const blocks = openBlocks(sealed.subarray(0, headerBytes), opening);
    const places = blocksOf(sealed);
    const number = 2;
    const { start, end } = places[number] ?? { start: 0, end: 0 };
    const opened = blocks.open(sealed.subarray(start, end), { number, last: false });
    expect(opened.equals(raw.subarray(number * blockBytes, (number + 1) * blockBytes))).toBe(true);
  });

  it('gives out a block as soon as it is known not to be the last', () => {
    const raw = rawBytes(blockBytes + 1);
    const sealed = seal(raw);
    const end = blocksOf(sealed)[0]?.end ?? 0;
    const opener = new ObjectOpener(opening);
    expect(opener.push(sealed.subarray(0, end))).toHaveLength(0);
    expect(opener.push(sealed.subarray(end, end + 1))).toHaveLength(1);
  });

  it('of bytes that do not compress stays within the bound that openers allow', () => {
    const sealed = seal(bytesFrom('noise', blockBytes));
    const [only] = blocksOf(sealed);
    expect(only).toBeDefined();
    expect((only?.end ?? 0) - (only?.start ?? 0)).toBeLessThanOrEqual(blockBytes + 62);
    expect(sealedBlockBytesMax).toBeGreaterThan(blockBytes + 62);
  });

  it('sealed twice shares no byte behind its salt: every object has a key of its own', () => {
    const random = randomFrom('two salts');
    const raw = Buffer.from('the same content');
    const [one, two] = [1, 2].map(() => sealWhole(raw, { ...sealing(), random }));
    expect(one?.subarray(0, 32)).toEqual(two?.subarray(0, 32));
    expect(one?.subarray(32, 64)).not.toEqual(two?.subarray(32, 64));
    expect(one?.subarray(64, 96)).not.toEqual(two?.subarray(64, 96));
    expect(one?.subarray(100)).not.toEqual(two?.subarray(100));
  });

  it('shows nothing of its identity', () => {
    for (const kind of kinds) {
      const sealed = seal(Buffer.from('orders orders orders'), identities[kind]);
      expect(sealed.includes('orders')).toBe(false);
      expect(sealed.includes('main')).toBe(false);
      expect(sealed.subarray(16, 32).equals(keyFor(identities[kind]).id)).toBe(true);
    }
  });
});

function blocksOf(sealed: Buffer): { start: number; end: number }[] {
  const places: { start: number; end: number }[] = [];
  for (let position = headerBytes; position < sealed.length;) {
    const end = position + 4 + sealed.readUInt32BE(position);
    places.push({ start: position + 4, end });
    position = end;
  }
  return places;
}
