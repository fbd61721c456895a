import { expect, test } from 'vitest';
import { SavedThrough } from '../../src/sink/saved-through.ts';

test('what came counts as saved once it is durable, not before', () => {
  const saved = new SavedThrough();
  expect(saved.at(10n)).toBeUndefined();
  saved.claim(20n, { atMs: 1_000, durable: 10n });

  expect(saved.at(19n)).toBeUndefined();
  expect(saved.at(20n)).toBe(1_000);
});

test('a busy partition, which is never durable to its end, moves on all the same', () => {
  const saved = new SavedThrough();
  for (let at = 1; at <= 10; at++) {
    saved.claim(BigInt(at * 10), { atMs: at * 1_000, durable: BigInt((at - 2) * 10) });
  }

  expect(saved.at(80n)).toBeGreaterThanOrEqual(5_000);
  expect(saved.at(80n)).toBeLessThanOrEqual(8_000);
});

test('a time that went back takes nothing away, and offsets that mean other records prove nothing', () => {
  const saved = new SavedThrough();
  saved.claim(10n, { atMs: 5_000, durable: 10n });
  expect(saved.at(10n)).toBe(5_000);
  saved.claim(20n, { atMs: 3_000, durable: 20n });
  expect(saved.at(20n)).toBe(5_000);
  saved.claim(30n, { atMs: 9_000, durable: 20n });
  saved.forget();

  expect(saved.at(40n)).toBe(5_000);
});
