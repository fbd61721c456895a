import { expect, test } from 'vitest';
import { headerBytes, openWhole, SecondOpener } from '../../src/crypto/crypto.ts';
import { codec, findKey, identities, kinds, root, seal } from './given.ts';

test('every kind of object is opened again, block by block', () => {
  const second = new SecondOpener();
  for (const kind of kinds) {
    const identity = identities[kind];
    openWhole(seal(Buffer.from('some'), identity), { identity, findKey, codec, second });
  }
  openWhole(seal(Buffer.alloc(2 ** 21 + 1, 'varve ')), {
    identity: identities.segment,
    findKey,
    codec,
    second,
  });
  expect(second.blocks).toBe(kinds.length + 3);
});

test('what the two openers do not agree on is damage: the head, the bytes, the place, the end', () => {
  const identity = identities.segment;
  const raw = Buffer.from('some');
  const sealed = seal(raw, identity);
  const [head, block] = [sealed.subarray(0, headerBytes), sealed.subarray(headerBytes + 4)];
  const second = new SecondOpener();
  const compare = second.begin(head, identity, findKey);
  const last = { number: 0, last: true };
  const flipped = Buffer.from(block);
  flipped.writeUInt8(flipped.readUInt8(3) ^ 1, 3);
  const damage = expect.objectContaining({ code: 'damage', reason: 'block-damaged' });
  expect(() => compare(block, last, Buffer.from('same'))).toThrow(damage);
  expect(() => compare(flipped, last, raw)).toThrow(damage);
  expect(() => compare(block, { number: 1, last: true }, raw)).toThrow(damage);
  expect(() => compare(block, { number: 0, last: false }, raw)).toThrow(damage);
  expect(() => second.begin(head, { ...identity, next: 1n }, findKey)).toThrow(damage);
  expect(() => second.begin(head, identity, () => root)).toThrow(damage);
  compare(block, last, raw);
  expect(second.blocks).toBe(1);
});
