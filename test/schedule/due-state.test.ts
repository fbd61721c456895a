import { expect, test } from 'vitest';
import { dueState, overdueGraceMs, type DueFacts } from '../../src/schedule/schedule.ts';

type Texts = { readonly [Key in keyof DueFacts]: string };

/** The answer of a schedule of 03:00 UTC, in words: absent parts are left out. */
function stateOf(
  texts: Texts,
  [schedule, timezone]: readonly [string, string] = ['0 3 * * *', 'UTC'],
): Readonly<Record<string, string>> {
  const facts: DueFacts = {
    nowMs: Date.parse(texts.nowMs),
    sinceMs: Date.parse(texts.sinceMs),
    ...(texts.lastSuccessMs !== undefined && { lastSuccessMs: Date.parse(texts.lastSuccessMs) }),
    ...(texts.lastAttemptMs !== undefined && { lastAttemptMs: Date.parse(texts.lastAttemptMs) }),
  };
  const { nextMs, missedMs, overdueMs, clockBack } = dueState({ schedule, timezone }, facts);
  return {
    ...(nextMs !== undefined && { next: minuteText(nextMs) }),
    ...(missedMs !== undefined && { missed: minuteText(missedMs) }),
    ...(overdueMs !== undefined && { overdue: minuteText(overdueMs) }),
    ...(clockBack && { clock: 'back' }),
  };
}

function minuteText(ms: number): string {
  return new Date(ms).toISOString().slice(5, 16);
}

const sinceMs = '2026-11-01T12:00Z';

test('nothing is missed or overdue before the first scheduled time', () => {
  expect(stateOf({ sinceMs, nowMs: '2026-11-01T12:00Z' })).toEqual({ next: '11-02T03:00' });
  expect(stateOf({ sinceMs, nowMs: '2026-11-02T02:59:59.999Z' })).toEqual({ next: '11-02T03:00' });
});

test('a time that has come is missed until something is attempted, and overdue two hours later', () => {
  expect(overdueGraceMs).toBe(7_200_000);
  expect(stateOf({ sinceMs, nowMs: '2026-11-02T03:00Z' })).toEqual({
    next: '11-03T03:00',
    missed: '11-02T03:00',
  });
  expect(stateOf({ sinceMs, nowMs: '2026-11-02T04:59:59.999Z' })).not.toHaveProperty('overdue');
  expect(stateOf({ sinceMs, nowMs: '2026-11-02T05:00Z' })).toEqual({
    next: '11-03T03:00',
    missed: '11-02T03:00',
    overdue: '11-02T03:00',
  });
});

test('a cycle that succeeded is enough until the next scheduled time', () => {
  const lastSuccessMs = '2026-11-02T03:00:01Z';

  expect(stateOf({ sinceMs, lastSuccessMs, nowMs: '2026-11-03T02:59Z' })).toEqual({ next: '11-03T03:00' });
  expect(stateOf({ sinceMs, lastSuccessMs, nowMs: '2026-11-03T05:00Z' })).toEqual({
    next: '11-04T03:00',
    missed: '11-03T03:00',
    overdue: '11-03T03:00',
  });
});

test('a cycle that began at its very time has met it', () => {
  const lastSuccessMs = '2026-11-02T03:00Z';

  expect(stateOf({ sinceMs, lastSuccessMs, nowMs: '2026-11-02T09:00Z' })).toEqual({ next: '11-03T03:00' });
});

test('an attempt that failed is not attempted again before the next time, and is overdue', () => {
  const lastSuccessMs = '2026-11-02T03:00Z';
  const lastAttemptMs = '2026-11-03T03:00Z';

  expect(stateOf({ sinceMs, lastSuccessMs, lastAttemptMs, nowMs: '2026-11-03T06:00Z' })).toEqual({
    next: '11-04T03:00',
    overdue: '11-03T03:00',
  });
});

test('however many times were missed, one attempt catches up, and the first of them is overdue', () => {
  const lastSuccessMs = '2026-11-02T03:00Z';
  const nowMs = '2026-11-09T12:00Z';

  expect(stateOf({ sinceMs, lastSuccessMs, nowMs })).toEqual({
    next: '11-10T03:00',
    missed: '11-03T03:00',
    overdue: '11-03T03:00',
  });
  expect(stateOf({ sinceMs, lastSuccessMs, lastAttemptMs: nowMs, nowMs })).toEqual({
    next: '11-10T03:00',
    overdue: '11-03T03:00',
  });
  expect(stateOf({ sinceMs, lastSuccessMs: nowMs, lastAttemptMs: nowMs, nowMs })).toEqual({
    next: '11-10T03:00',
  });
});

test('a snapshot taken by hand stands for the times before it only', () => {
  const lastSuccessMs = '2026-11-02T14:00Z';

  expect(stateOf({ sinceMs, lastSuccessMs, nowMs: '2026-11-03T02:00Z' })).toEqual({ next: '11-03T03:00' });
  expect(stateOf({ sinceMs, lastSuccessMs, nowMs: '2026-11-03T03:00Z' })).toMatchObject({
    missed: '11-03T03:00',
  });
});

test('an older attempt does not hide that a success came after it', () => {
  const state = stateOf({
    sinceMs,
    lastSuccessMs: '2026-11-03T03:00Z',
    lastAttemptMs: '2026-11-02T03:00Z',
    nowMs: '2026-11-03T12:00Z',
  });

  expect(state).toEqual({ next: '11-04T03:00' });
});

test('a first attempt that failed leaves no success to count from: overdue from the first scheduled time', () => {
  expect(stateOf({ sinceMs, lastAttemptMs: '2026-11-02T03:00Z', nowMs: '2026-11-02T06:00Z' })).toEqual({
    next: '11-03T03:00',
    overdue: '11-02T03:00',
  });
});

test('a cycle noted in the future is a clock that went back, and the schedule goes on from now', () => {
  const lastSuccessMs = '2027-11-02T03:00Z';

  expect(stateOf({ sinceMs, lastSuccessMs, nowMs: '2026-11-03T02:00Z' })).toEqual({
    next: '11-03T03:00',
    clock: 'back',
  });
  expect(
    stateOf({ sinceMs, lastSuccessMs: sinceMs, lastAttemptMs: lastSuccessMs, nowMs: '2026-11-02T06:00Z' }),
  ).toEqual({ next: '11-03T03:00', overdue: '11-02T03:00', clock: 'back' });
});

test('the day on which the clocks jump over the time is neither left out nor overdue for it', () => {
  const timetable = ['30 2 * * *', 'Europe/Berlin'] as const;
  const lastSuccessMs = '2026-03-28T01:30Z';
  const since = '2026-03-01T00:00Z';

  expect(stateOf({ sinceMs: since, lastSuccessMs, nowMs: '2026-03-29T01:00Z' }, timetable)).toEqual({
    next: '03-30T00:30',
    missed: '03-29T01:00',
  });
  const met = { sinceMs: since, lastSuccessMs: '2026-03-29T01:00Z', nowMs: '2026-03-30T00:29Z' };
  expect(stateOf(met, timetable)).toEqual({ next: '03-30T00:30' });
});

test('a schedule whose day never comes is never due', () => {
  expect(stateOf({ sinceMs, nowMs: '2036-11-02T03:00Z' }, ['0 0 L-30 2 *', 'UTC'])).toEqual({});
});
