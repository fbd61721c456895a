import { assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { monthAt, monthOfBatch, monthText, parseMonth, startOfMonthMs } from '../../src/schedule/schedule.ts';

const now = Date.UTC(2026, 10, 21);
const textOf = (maxTimestamp: bigint, soFar?: string, nowMs = now): string =>
  monthText(
    monthOfBatch({ maxTimestamp, nowMs, soFar: soFar === undefined ? undefined : parseMonth(soFar) }),
  );

test('a month begins and ends in UTC, to the millisecond', () => {
  const december = Date.UTC(2025, 11, 1);

  expect(textOf(BigInt(december - 1))).toBe('2025-11');
  expect(textOf(BigInt(december))).toBe('2025-12');
  expect(textOf(BigInt(Date.UTC(2026, 0, 1)) - 1n)).toBe('2025-12');
  expect(textOf(0n)).toBe('1970-01');
});

test('a batch without a usable timestamp follows the ones before it, or lies in the present month', () => {
  expect(textOf(-1n, '2024-02')).toBe('2024-02');
  expect(textOf(-1n)).toBe('2026-11');
  expect(textOf(-(2n ** 63n))).toBe('2026-11');
});

test('a timestamp in the future lies in the present month, up to the largest there is', () => {
  expect(textOf(BigInt(now) + 86_400_000n * 30n)).toBe('2026-11');
  expect(textOf(2n ** 63n - 1n)).toBe('2026-11');
  expect(textOf(2n ** 63n - 1n, '2026-10', now + 0.9)).toBe('2026-11');
});

test('a month never goes backwards: not for an older record, and not when the clock steps back', () => {
  expect(textOf(BigInt(Date.UTC(2026, 2, 1)), '2026-10')).toBe('2026-10');
  expect(textOf(BigInt(now), '2026-11', Date.UTC(2026, 6, 1))).toBe('2026-11');
});

test('months, their texts and their first milliseconds are told from each other', () => {
  assert(
    property(integer({ min: 0, max: 9999 * 12 + 11 }), (month) => {
      if (month >= 100 * 12) expect(monthAt(startOfMonthMs(month))).toBe(month);
      expect(parseMonth(monthText(month))).toBe(month);
    }),
  );
  for (const text of ['2026-00', '2026-13', '2026-1', '26-11', '2026-11 ', 'journal']) {
    expect(parseMonth(text)).toBeUndefined();
  }
});
