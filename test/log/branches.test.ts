import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { survivingPieces, type BatchRange, type Truncation } from '../../src/log/log.ts';

function range(
  base: bigint,
  last: bigint,
  epoch: number,
  source = `e${epoch}`,
  recordCount?: number,
): BatchRange<string> {
  return { base, last, epoch, recordCount: recordCount ?? Number(last - base) + 1, source };
}

function pieces(items: BatchRange<string>[], truncations: Truncation[] = []): [string, bigint, bigint][] {
  return survivingPieces(items, truncations).map(({ item, from, to }) => [item.source, from, to]);
}

describe('one log out of several branches', () => {
  test('is the plain sequence where there is one', () => {
    expect(pieces([range(10n, 19n, 1, 'b'), range(0n, 9n, 0, 'a'), range(25n, 29n, 1, 'c')])).toEqual([
      ['a', 0n, 10n],
      ['b', 10n, 20n],
      ['c', 25n, 30n],
    ]);
  });

  test('a truncation drops the older batches behind it and cuts the one it lies in', () => {
    const old = [range(0n, 9n, 1, 'a'), range(10n, 19n, 1, 'b'), range(20n, 29n, 1, 'c')];
    expect(pieces(old, [{ offset: 15n, epoch: 2 }])).toEqual([
      ['a', 0n, 10n],
      ['b', 10n, 15n],
    ]);
  });

  test('a batch of a higher epoch ends the lower ones as a truncation does', () => {
    expect(pieces([range(0n, 9n, 1, 'old'), range(10n, 19n, 1, 'older'), range(5n, 7n, 2, 'new')])).toEqual([
      ['old', 0n, 5n],
      ['new', 5n, 8n],
    ]);
  });

  test('a truncation by a lower or the same epoch touches nothing', () => {
    expect(
      pieces(
        [range(0n, 9n, 3, 'a')],
        [
          { offset: 0n, epoch: 3 },
          { offset: 0n, epoch: 2 },
        ],
      ),
    ).toEqual([['a', 0n, 10n]]);
  });

  test('of two copies of one range and epoch the fuller one is taken', () => {
    expect(pieces([range(0n, 9n, 1, 'compacted', 3), range(0n, 9n, 1, 'full', 10)])).toEqual([
      ['full', 0n, 10n],
    ]);
  });

  test('copies that overlap give each offset once', () => {
    expect(pieces([range(4n, 12n, 1, 'b'), range(0n, 9n, 1, 'a'), range(5n, 7n, 1, 'inside')])).toEqual([
      ['a', 0n, 10n],
      ['b', 10n, 13n],
    ]);
  });

  const anyRange = fc
    .tuple(fc.nat(40), fc.nat(8), fc.nat(3), fc.nat(9))
    .map(([base, length, epoch, count]) => range(BigInt(base), BigInt(base + length), epoch, '', count));
  const anyTruncation = fc
    .tuple(fc.nat(48), fc.nat(4))
    .map(([offset, epoch]): Truncation => ({ offset: BigInt(offset), epoch }));

  test('agrees with the rule applied to each offset by itself', () => {
    fc.assert(
      fc.property(
        fc.array(anyRange, { maxLength: 12 }),
        fc.array(anyTruncation, { maxLength: 4 }),
        (items, truncations) => {
          const taken = survivingPieces(items, truncations).flatMap(({ item, from, to }) =>
            Array.from({ length: Number(to - from) }, (_, index): [bigint, BatchRange<string>] => [
              from + BigInt(index),
              item,
            ]),
          );
          const expected: [bigint, BatchRange<string>][] = [];
          for (let offset = 0n; offset < 60n; offset += 1n) {
            const best = bestAt(offset, items, truncations);
            if (best !== undefined) expected.push([offset, best]);
          }
          expect(taken.map(([offset]) => offset)).toEqual(expected.map(([offset]) => offset));
          for (const [index, [, item]] of taken.entries()) expect(item).toBe(expected[index]?.[1]);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

function bestAt(
  offset: bigint,
  items: BatchRange<string>[],
  truncations: Truncation[],
): BatchRange<string> | undefined {
  let best: BatchRange<string> | undefined;
  for (const item of items) {
    if (offset < item.base || offset > item.last) continue;
    if (truncations.some((each) => each.epoch > item.epoch && each.offset <= offset)) continue;
    if (items.some((each) => each.epoch > item.epoch && each.base <= offset)) continue;
    if (best === undefined || isBetter(item, best)) best = item;
  }
  return best;
}

function isBetter(a: BatchRange<string>, b: BatchRange<string>): boolean {
  if (a.base !== b.base) return a.base < b.base;
  if (a.last !== b.last) return a.last > b.last;
  return a.recordCount > b.recordCount;
}
