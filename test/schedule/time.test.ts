import { expect, test } from 'vitest';
import { assert, bigInt, property } from 'fast-check';
import { parseTime, timeText } from '../../src/schedule/schedule.ts';

const ms = (text: string): bigint | undefined => {
  const parsed = parseTime(text);
  return parsed.kind === 'time' ? parsed.ms : undefined;
};

const readings = (text: string, minutesEast = 0): readonly string[] | undefined => {
  const parsed = parseTime(text, () => minutesEast);
  return parsed.kind === 'refused' ? parsed.readings : undefined;
};

test('seconds and fractions may be left out, and letters may be small', () => {
  const day = BigInt(Date.UTC(2026, 10, 1));

  expect(ms('2026-11-01T00:00Z')).toBe(day);
  expect(ms('2026-11-01t00:00:07z')).toBe(day + 7000n);
  expect(ms('2026-11-01T00:00:00.5Z')).toBe(day + 500n);
  expect(ms('2026-11-01T00:00:00.123Z')).toBe(day + 123n);
});

test('an offset is taken off, in both directions and across midnight', () => {
  expect(ms('2026-11-01T00:30+01:00')).toBe(BigInt(Date.UTC(2026, 9, 31, 23, 30)));
  expect(ms('2026-12-31T23:30:00-05:45')).toBe(BigInt(Date.UTC(2027, 0, 1, 5, 15)));
  expect(ms('2026-11-01T00:00-00:00')).toBe(BigInt(Date.UTC(2026, 10, 1)));
});

test('a fraction finer than a millisecond is rounded up, so that no record below it is taken', () => {
  expect(ms('1970-01-01T00:00:00.0010Z')).toBe(1n);
  expect(ms('1970-01-01T00:00:00.0010001Z')).toBe(2n);
  expect(ms('1970-01-01T00:00:00.999999999Z')).toBe(1000n);
  expect(ms('1969-12-31T23:59:59.9995Z')).toBe(0n);
});

test('years that no Date argument takes plainly are exact', () => {
  expect(ms('0000-01-01T00:00Z')).toBe(-62_167_219_200_000n);
  expect(ms('0050-06-01T00:00Z')).toBe(BigInt(Date.parse('0050-06-01T00:00:00Z')));
  expect(ms('9999-12-31T23:59:59.999Z')).toBe(253_402_300_799_999n);
});

test('what is printed is read back as the same moment', () => {
  assert(
    property(bigInt(-62_167_219_200_000n, 253_402_300_799_999n), (moment) => {
      expect(ms(timeText(moment))).toBe(moment);
    }),
  );
  expect(timeText(2n ** 62n)).toBe('4611686018427387904 ms since 1970');
});

test.each([
  ['2026-02-29T00:00Z', 'expected day 01 to 28 in 2026-02, got 29'],
  ['1900-02-29T00:00Z', 'expected day 01 to 28 in 1900-02, got 29'],
  ['2026-04-31T00:00Z', 'expected day 01 to 30 in 2026-04, got 31'],
  ['2026-11-00T00:00Z', 'expected day 01 to 30 in 2026-11, got 00'],
  ['2026-13-01T00:00Z', 'expected a month from 01 to 12, got 13'],
  ['2026-00-01T00:00Z', 'expected a month from 01 to 12, got 00'],
  ['2026-11-01T24:00Z', 'expected hour 00 to 23, got 24'],
  ['2026-11-01T00:60Z', 'expected minute 00 to 59, got 60'],
  ['2026-11-01T00:00:60Z', 'expected second 00 to 59, got 60'],
  ['2026-11-01T00:00+24:00', 'expected a zone from -23:59 to +23:59, got +24:00'],
])('%s is no moment: %s', (text, problem) => {
  expect(parseTime(text)).toEqual({ kind: 'refused', problem, readings: [] });
});

test('leap days are days', () => {
  expect(ms('2024-02-29T00:00Z')).toBe(BigInt(Date.UTC(2024, 1, 29)));
  expect(ms('2000-02-29T00:00Z')).toBe(BigInt(Date.UTC(2000, 1, 29)));
});

test('a time without a zone is refused with what it could have meant', () => {
  expect(readings('2026-11-01', 60)).toEqual(['2026-11-01T00:00Z', '2026-11-01T00:00+01:00']);
  expect(readings('2026-11-01T12:30:05.25', -330)).toEqual([
    '2026-11-01T12:30:05.25Z',
    '2026-11-01T12:30:05.25-05:30',
  ]);
  expect(readings('2026-11-01 12:30')).toEqual(['2026-11-01T12:30Z']);
  expect(readings('2026-11')).toEqual(['2026-11-01T00:00Z']);
});

test('other ways to write a time are refused with the way that is taken', () => {
  expect(readings('2026-11-01 12:30:00Z')).toEqual(['2026-11-01T12:30:00Z']);
  expect(readings('2026-11-01T12:30:00+0100')).toEqual(['2026-11-01T12:30:00+01:00']);
  expect(readings('2026-11-01 12:30 UTC')).toEqual(['2026-11-01T12:30Z']);
  expect(readings('01/02/2026')).toEqual(['2026-02-01T00:00Z', '2026-01-02T00:00Z']);
  expect(readings('31/12/2026')).toEqual(['2026-12-31T00:00Z']);
  expect(readings('1793491200')).toEqual(['2026-11-01T00:00:00.000Z', '1970-01-21T18:11:31.200Z']);
  expect(readings('1793491200000')).toContain('2026-11-01T00:00:00.000Z');
});

test('anything else is refused, and never taken for a time', () => {
  for (const text of [
    '',
    'now',
    'yesterday',
    '-1',
    '2026',
    '2026-11-01T',
    '2026-02-30',
    '12:30Z',
    '2026-11-01T00Z',
  ]) {
    expect(parseTime(text), text).toMatchObject({ kind: 'refused', readings: [] });
  }
  for (const text of [
    '2026-11-01T00:00Z ',
    '2026-11-01T00:00ZZ',
    '2026-11-01T00:00:00,5Z',
    '+2026-11-01T00:00Z',
  ])
    expect(parseTime(text).kind, text).toBe('refused');
});
