import { expect, test } from 'vitest';
import * as fc from 'fast-check';
import {
  monthText,
  parseMonth,
  planArchive,
  type ArchivePolicy,
  type Hold,
  type KeptPack,
} from '../../src/schedule/schedule.ts';

function pack(text: string, ...topics: readonly string[]): KeptPack {
  const month = parseMonth(text);
  if (month === undefined) throw new Error(`no month in ${text}`);
  return { path: `${text}/${topics.join('+')}.tar`, month, topics };
}

function months(count: number): ArchivePolicy {
  return { keep: { months: count }, topics: {} };
}

function expiredAt(now: string, packs: readonly KeptPack[], policy: ArchivePolicy): readonly string[] {
  const nowMs = Date.parse(now);
  return planArchive(packs, policy, { nowMs, targetNowMs: nowMs, holds: [] }).expire.map(({ path }) => path);
}

test('for ever is for ever, also for a topic that no longer exists', () => {
  const packs = [pack('1970-01', 'orders'), pack('2026-11', 'orders')];

  expect(expiredAt('2999-12-31T23:59Z', packs, { keep: 'forever', topics: {} })).toEqual([]);
});

test.each([
  ['2026-11-30T23:59:59.999Z', 1, []],
  ['2026-12-01T00:00Z', 1, ['2026-10/orders.tar']],
  ['2026-11-01T00:00Z', 0, ['2026-10/orders.tar']],
  ['2027-11-30T23:59:59.999Z', 13, []],
  ['2027-12-01T00:00Z', 13, ['2026-10/orders.tar']],
] as const)(
  'at %s with %i months, October 2026 is kept until its last day is that old',
  (now, count, expired) => {
    expect(expiredAt(now, [pack('2026-10', 'orders')], months(count))).toEqual(expired);
  },
);

test('a topic with a rule of its own is kept by that, longer or shorter', () => {
  const policy: ArchivePolicy = {
    keep: { months: 3 },
    topics: { audit: { keep: 'forever' }, clicks: { keep: { months: 1 } } },
  };
  const packs = ['2026-07', '2026-08', '2026-09', '2026-10'].flatMap((month) =>
    ['orders', 'audit', 'clicks'].map((topic) => pack(month, topic)),
  );

  expect(expiredAt('2026-11-15T00:00Z', packs, policy)).toEqual([
    '2026-07/orders.tar',
    '2026-07/clicks.tar',
    '2026-08/clicks.tar',
    '2026-09/clicks.tar',
  ]);
});

test('a topic named like a property of every object has no rule of its own', () => {
  expect(expiredAt('2026-11-15T00:00Z', [pack('2026-07', 'constructor')], months(1))).toEqual([
    '2026-07/constructor.tar',
  ]);
});

test('a pack goes as a whole, once nothing in it is kept', () => {
  const shared = pack('2026-07', 'clicks', 'audit');
  const short = { keep: { months: 1 } };

  expect(expiredAt('2026-11-15T00:00Z', [shared], { keep: 'forever', topics: { clicks: short } })).toEqual(
    [],
  );
  expect(expiredAt('2026-11-15T00:00Z', [shared], { keep: short.keep, topics: {} })).toEqual([
    '2026-07/clicks+audit.tar',
  ]);
});

test('a pack whose topics are not known is kept', () => {
  expect(expiredAt('2026-11-15T00:00Z', [pack('2020-01')], months(1))).toEqual([]);
});

test('what goes is named by topic and month, each once', () => {
  const again = { ...pack('2026-08', 'orders'), path: '2026-08/2.tar' };
  const nowMs = Date.parse('2026-11-15T00:00Z');
  const packs = [
    pack('2026-08', 'orders', 'clicks'),
    again,
    pack('2026-07', 'orders'),
    pack('2026-11', 'orders'),
  ];

  const plan = planArchive(packs, months(1), { nowMs, targetNowMs: nowMs, holds: [] });

  expect(plan.expiredMonths.map(({ topic, month }) => `${monthText(month)} ${topic}`)).toEqual([
    '2026-07 orders',
    '2026-08 clicks',
    '2026-08 orders',
  ]);
  expect(plan.keep).toEqual([pack('2026-11', 'orders')]);
});

test('no data goes in a cycle in which no snapshot may', () => {
  const held: readonly Hold[] = [{ kind: 'clock-back', text: 'the clock went back' }];
  const nowMs = Date.parse('2026-11-15T00:00Z');
  const packs = [pack('2026-07', 'orders')];

  const plan = planArchive(packs, months(1), { nowMs, targetNowMs: nowMs, holds: held });

  expect(plan).toEqual({ keep: packs, expire: [], expiredMonths: [] });
});

test('of two clocks the earlier says which month it is', () => {
  const [before, after] = [Date.parse('2026-11-30T23:59Z'), Date.parse('2026-12-01T00:01Z')];
  const packs = [pack('2026-10', 'orders')];
  const at = (nowMs: number, targetNowMs: number) =>
    planArchive(packs, months(1), { nowMs, targetNowMs, holds: [] }).expire.length;

  expect([at(before, after), at(after, before), at(after, after)]).toEqual([0, 0, 1]);
});

test('no clock that is no number lets data go', () => {
  const packs = [pack('1970-01', 'orders')];

  expect(planArchive(packs, months(1), { nowMs: Number.NaN, targetNowMs: 0, holds: [] }).keep).toEqual(packs);
});

test('every pack is kept or goes, later months outlive earlier ones, and time lets only more go', () => {
  const some = fc.array(fc.integer({ min: 24_000, max: 24_100 }), { maxLength: 20 });
  const inputs = fc.record({
    some,
    count: fc.nat(20),
    nowMs: fc.integer({ min: Date.parse('1999-12-01'), max: Date.parse('2012-01-01') }),
    laterMs: fc.nat(100_000_000_000),
  });
  fc.assert(
    fc.property(inputs, ({ some: chosen, count, nowMs, laterMs }) => {
      const packs = chosen.map((month, index) => ({ path: `${index}`, month, topics: ['orders'] }));
      const planAt = (ms: number) =>
        planArchive(packs, months(count), { nowMs: ms, targetNowMs: ms, holds: [] });
      const plan = planAt(nowMs);
      expect(plan.keep.length + plan.expire.length).toBe(packs.length);
      const newestGone = Math.max(-Infinity, ...plan.expire.map(({ month }) => month));
      for (const { month } of plan.keep) expect(month).toBeGreaterThan(newestGone);
      expect(planAt(nowMs + laterMs).expire).toEqual(expect.arrayContaining([...plan.expire]));
    }),
  );
});
