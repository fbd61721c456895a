import { array, assert, bigInt, integer, property, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { commonEnd, positionOf } from '../../src/local/local.ts';
import {
  addGap,
  addTruncation,
  beginAt,
  branchOf,
  extend,
  nothingCovered,
} from '../../src/local/coverage.ts';

const at = '2026-11-21T00:00:00.000Z';
const begun = beginAt(nothingCovered, 10n);

test('before the first range there is no position; at its beginning no epoch is known', () => {
  expect(positionOf(nothingCovered)).toBeUndefined();
  expect(positionOf(begun)).toEqual({ offset: 10n, epoch: -1 });
});

test('a range is carried on with its epochs, and never back', () => {
  const covered = extend(begun, 20n, [
    { epoch: 3, from: 10n },
    { epoch: 3, from: 12n },
    { epoch: 5, from: 15n },
    { epoch: 4, from: 18n },
  ]);

  expect(covered.ranges).toEqual([{ from: 10n, to: 20n }]);
  expect(covered.epochs).toEqual([
    { epoch: 3, from: 10n },
    { epoch: 5, from: 15n },
  ]);
  expect(positionOf(covered)).toEqual({ offset: 20n, epoch: 5 });
  expect(() => extend(covered, 19n, [])).toThrow('a range cannot end at 19: it ends at 20');
  expect(() => extend(nothingCovered, 1n, [])).toThrow('nothing');
});

test('behind a gap a new range begins, of which no epoch is known', () => {
  const covered = addGap(extend(begun, 20n, [{ epoch: 3, from: 10n }]), { from: 20n, to: 30n, at });

  expect(covered.ranges).toEqual([
    { from: 10n, to: 20n },
    { from: 30n, to: 30n },
  ]);
  expect(covered.gaps).toEqual([{ from: 20n, to: 30n, at }]);
  expect(positionOf(covered)).toEqual({ offset: 30n, epoch: -1 });
  expect(branchOf(covered)).toBe(0);
});

test('a truncation begins a branch, keeps what was covered, and forgets the epochs that began behind it', () => {
  const before = extend(begun, 20n, [
    { epoch: 3, from: 10n },
    { epoch: 5, from: 15n },
  ]);
  const covered = addTruncation(before, { offset: 15n, epoch: 6, at });

  expect(covered.ranges).toEqual([
    { from: 10n, to: 20n },
    { from: 15n, to: 15n },
  ]);
  expect(covered.epochs).toEqual([{ epoch: 3, from: 10n }]);
  expect(branchOf(covered)).toBe(6);
});

test('behind a truncation the epoch is that of the record before it, for who has just started too', () => {
  const before = extend(begun, 20n, [
    { epoch: 3, from: 10n },
    { epoch: 5, from: 15n },
  ]);

  expect(positionOf(addTruncation(before, { offset: 17n, epoch: 6, at }))).toEqual({ offset: 17n, epoch: 5 });
  expect(positionOf(addTruncation(before, { offset: 15n, epoch: 6, at }))).toEqual({ offset: 15n, epoch: 3 });
  expect(positionOf(addTruncation(before, { offset: 10n, epoch: 6, at }))).toEqual({
    offset: 10n,
    epoch: -1,
  });
});

test('the last 64 epochs are remembered', () => {
  const starts = Array.from({ length: 100 }, (_, epoch) => ({ epoch, from: 10n + BigInt(epoch) }));
  const { epochs } = extend(begun, 200n, starts);

  expect(epochs).toHaveLength(64);
  expect(epochs[0]?.epoch).toBe(36);
  expect(epochs.at(-1)?.epoch).toBe(99);
});

test('two logs part where the epoch that both know ends in the shorter of them', () => {
  const covered = extend(begun, 40n, [
    { epoch: 2, from: 10n },
    { epoch: 4, from: 25n },
  ]);

  expect(commonEnd(covered, { epoch: 4, endOffset: 33n })).toBe(33n);
  expect(commonEnd(covered, { epoch: 4, endOffset: 99n })).toBe(40n);
  expect(commonEnd(covered, { epoch: 3, endOffset: 99n })).toBe(25n);
  expect(commonEnd(covered, { epoch: 2, endOffset: 20n })).toBe(20n);
  expect(commonEnd(covered, { epoch: -1, endOffset: -1n })).toBeUndefined();
  expect(commonEnd(nothingCovered, { epoch: 1, endOffset: 5n })).toBeUndefined();
});

test('the common end is that of two logs laid side by side', () => {
  const growth = array(tuple(integer({ min: 1, max: 3 }), bigInt({ min: 1n, max: 9n })), { maxLength: 6 });
  assert(
    property(growth, growth, growth, (shared, ours, theirs) => {
      const mine = log([...shared, ...ours]);
      // What the other leader wrote apart has epochs of its own.
      const behind = Math.max(0, ...mine);
      const other = [...log(shared), ...log(theirs).map((epoch) => epoch + behind)];
      if (mine.length === 0) return;
      const covered = extend(
        beginAt(nothingCovered, 0n),
        BigInt(mine.length),
        mine.map((epoch, from) => ({ epoch, from: BigInt(from) })),
      );
      const asked = mine.at(-1) ?? 0;
      const known = other.filter((epoch) => epoch <= asked);
      const leader = { epoch: known.at(-1) ?? -1, endOffset: BigInt(known.length) };
      const differs = mine.findIndex((epoch, index) => epoch !== other[index]);
      const common = differs === -1 ? mine.length : differs;
      const found = commonEnd(covered, leader);
      // One answer need not find the place at once, but never says less than what is common.
      if (found !== undefined) expect(Number(found)).toBeGreaterThanOrEqual(common);
      if (ours.length === 0 || shared.length === 0) return;
      if (leader.epoch === log(shared).at(-1)) expect(Number(found)).toBe(common);
    }),
  );
});

/** The epoch of each offset in turn. */
function log(pieces: readonly [number, bigint][]): number[] {
  let epoch = 0;
  return pieces.flatMap(([more, count]) => {
    epoch += more;
    return Array.from({ length: Number(count) }, () => epoch);
  });
}
