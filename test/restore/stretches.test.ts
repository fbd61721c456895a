import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { clipStretches, planStretches, without, type CopyFacts } from '../../src/restore/stretches.ts';

type Range = { readonly from: bigint; readonly to: bigint };

/** The epoch of each offset, as it stood at one moment. */
type Log = readonly number[];

/** A partition under one leader after the other: each cuts the log back, and writes something. */
function historyOf(leaders: readonly { cut: number; writes: number }[]): Log[] {
  const moments: Log[] = [];
  let log: Log = [];
  for (const [epoch, { cut, writes }] of leaders.entries()) {
    log = [...log.slice(0, Math.max(0, log.length - cut)), ...Array.from({ length: writes }, () => epoch)];
    moments.push(log);
  }
  return moments;
}

function copyOf(log: Log, { from, to }: { from: number; to: number }, absent: readonly Range[]): CopyFacts {
  const epochs: { epoch: number; from: bigint }[] = [];
  for (let at = from; at < to; at += 1) {
    const epoch = log[at];
    if (epoch !== undefined && epoch !== epochs.at(-1)?.epoch) epochs.push({ epoch, from: BigInt(at) });
  }
  const ranges = from < to ? [{ from: BigInt(from), to: BigInt(to) }] : [];
  return { coverage: { ranges, epochs, truncations: [], gaps: [] }, absent };
}

function isIn(ranges: readonly Range[], offset: number): boolean {
  return ranges.some(({ from, to }) => from <= BigInt(offset) && BigInt(offset) < to);
}

const leaders = fc.array(
  fc.record({ cut: fc.integer({ min: 0, max: 6 }), writes: fc.integer({ min: 1, max: 8 }) }),
  { minLength: 1, maxLength: 5 },
);
const range = fc
  .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 8 }))
  .map(([from, length]) => ({ from: BigInt(from), to: BigInt(from + length) }));
const sight = fc.record({
  moment: fc.nat(4),
  from: fc.nat(40),
  length: fc.nat(40),
  absent: fc.array(range, { maxLength: 2 }),
});

test('every offset comes from exactly the copies that hold what the last leader left there', () => {
  fc.assert(
    fc.property(
      leaders,
      fc.array(sight, { maxLength: 3 }),
      fc.array(range, { maxLength: 2 }),
      (led, seen, lost) => {
        const moments = historyOf(led);
        const last = moments.at(-1) ?? [];
        const sights = seen.map(({ moment, from, length, absent }) => {
          const log = moments[moment % moments.length] ?? [];
          return { log, from, to: Math.min(log.length, from + length), absent };
        });
        const all = [...sights, { log: last, from: 0, to: last.length, absent: lost }];
        const plan = planStretches(all.map(({ log, absent, ...part }) => copyOf(log, part, absent)));

        for (let offset = 0; offset < 60; offset += 1) {
          const holders = all.flatMap(({ log, from, to, absent }, copy) =>
            offset >= from && offset < to && log[offset] === last[offset] && !isIn(absent, offset)
              ? [copy]
              : [],
          );
          const found = plan.stretches.filter((stretch) => isIn([stretch], offset));
          const expected = offset < last.length && holders.length > 0 ? [holders] : [];
          expect(found.map(({ copies }) => copies)).toEqual(expected);
          expect(isIn(plan.missing, offset)).toBe(offset < last.length && holders.length === 0);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a truncation that a copy tells of takes away what an older leader wrote behind it', () => {
  const old = copyOf([0, 0, 0, 0, 0, 0], { from: 0, to: 6 }, []);
  const told = {
    coverage: {
      ranges: [],
      epochs: [],
      truncations: [{ epoch: 1, offset: 4n, at: '2026-11-01T00:00:00Z' }],
      gaps: [],
    },
    absent: [],
  };

  expect(planStretches([old, told]).stretches).toEqual([{ from: 0n, to: 4n, copies: [0] }]);
});

test('what is left of a range, and what stretches share with ranges, is right at every offset', () => {
  fc.assert(
    fc.property(range, fc.array(range, { maxLength: 4 }), (whole, taken) => {
      const left = without(whole, taken);
      for (let offset = 0; offset < 60; offset += 1)
        expect(isIn(left, offset)).toBe(isIn([whole], offset) && !isIn(taken, offset));
      const clipped = clipStretches([{ ...whole, copies: [2] }], taken);
      for (let offset = 0; offset < 60; offset += 1)
        expect(isIn(clipped, offset)).toBe(isIn([whole], offset) && isIn(taken, offset));
      expect(clipped.every(({ copies }) => copies.join() === '2')).toBe(true);
    }),
  );
});

test('records that were rewritten, and that an older leader brought back, are the log again', () => {
  const coverage = {
    ranges: [
      { from: 0n, to: 10n },
      { from: 5n, to: 20n },
      { from: 5n, to: 30n },
    ],
    epochs: [
      { epoch: 1, from: 0n },
      { epoch: 3, from: 10n },
    ],
    truncations: [
      { offset: 5n, epoch: 2, at: '' },
      { offset: 5n, epoch: 3, at: '' },
    ],
    gaps: [],
  };
  expect(planStretches([{ coverage, absent: [] }])).toEqual({
    stretches: [{ from: 0n, to: 30n, copies: [0] }],
    missing: [],
    expired: [],
    gaps: [],
  });
});

test('what policy let go of is missed by nobody, whichever copy once had it', () => {
  const coverage = { ranges: [{ from: 0n, to: 30n }], epochs: [], truncations: [], gaps: [] };
  const sealed = { coverage, absent: [{ from: 0n, to: 10n }], expired: [{ from: 0n, to: 10n }] };
  const freed = { coverage, absent: [{ from: 0n, to: 20n }] };
  const held = { coverage: { ...coverage, ranges: [{ from: 5n, to: 10n }] }, absent: [] };
  expect(planStretches([freed, sealed])).toMatchObject({
    stretches: [
      { from: 10n, to: 20n },
      { from: 20n, to: 30n },
    ],
    missing: [],
    expired: [{ from: 0n, to: 10n }],
  });
  expect(planStretches([sealed, held])).toMatchObject({ missing: [], expired: [{ from: 0n, to: 5n }] });
  const { absent } = sealed;
  expect(planStretches([{ coverage, absent }])).toMatchObject({ missing: absent, expired: [] });
});
