import { createTask } from 'node-cron';
import { expect, test } from 'vitest';
import * as fc from 'fast-check';
import { nextDue, type Timetable } from '../../src/schedule/schedule.ts';

/** The first so many due times after a moment, in UTC to the minute, or to the second where it is not 0. */
function dueTimes(
  [schedule, timezone]: readonly [schedule: string, timezone: string],
  after: string,
  count: number,
): readonly string[] {
  const times: string[] = [];
  let at: number | undefined = Date.parse(after);
  while (times.length < count) {
    at = nextDue({ schedule, timezone }, at);
    if (at === undefined) return [...times, 'never'];
    times.push(new Date(at).toISOString().replace(/(:00)?\.000Z$/, 'Z'));
  }
  return times;
}

type Row = readonly [
  behaviour: string,
  timetable: readonly [string, string],
  after: string,
  due: readonly string[],
];

test.each<Row>([
  [
    'a daily schedule in UTC',
    ['0 3 * * *', 'UTC'],
    '2026-11-03T02:00Z',
    ['2026-11-03T03:00Z', '2026-11-04T03:00Z'],
  ],
  [
    'a moment that is due is not after itself',
    ['0 3 * * *', 'UTC'],
    '2026-11-03T03:00Z',
    ['2026-11-04T03:00Z'],
  ],
  ['a moment just before is', ['0 3 * * *', 'UTC'], '2026-11-03T02:59:59.999Z', ['2026-11-03T03:00Z']],
  [
    'six fields begin with the seconds',
    ['15,45 59 23 * * *', 'UTC'],
    '2026-12-31T23:59:15Z',
    ['2026-12-31T23:59:45Z', '2027-01-01T23:59:15Z'],
  ],
  [
    'a zone far to the east',
    ['0 0 * * *', 'Pacific/Kiritimati'],
    '2026-11-03T09:59Z',
    ['2026-11-03T10:00Z', '2026-11-04T10:00Z'],
  ],
  ['a zone far to the west', ['59 23 * * *', 'Pacific/Niue'], '2026-11-03T10:59Z', ['2026-11-04T10:59Z']],
  ['a zone of 45 minutes', ['0 3 * * *', 'Asia/Kathmandu'], '2026-11-03T00:00Z', ['2026-11-03T21:15Z']],
  [
    'a weekday is one of the zone',
    ['0 1 * * 1', 'Asia/Tokyo'],
    '2026-11-01T00:00Z',
    ['2026-11-01T16:00Z', '2026-11-08T16:00Z'],
  ],
  ['Sunday is 0 and 7', ['0 0 * * 7', 'UTC'], '2026-11-03T00:00Z', ['2026-11-08T00:00Z']],
  [
    'a day and a weekday must both fit',
    ['0 0 13 * 5', 'UTC'],
    '2026-01-01T00:00Z',
    ['2026-02-13T00:00Z', '2026-03-13T00:00Z', '2026-11-13T00:00Z'],
  ],
  [
    'the last day of each month',
    ['0 0 L * *', 'UTC'],
    '2024-01-31T12:00Z',
    ['2024-02-29T00:00Z', '2024-03-31T00:00Z', '2024-04-30T00:00Z'],
  ],
  [
    'the third last day of each month',
    ['0 0 L-2 * *', 'UTC'],
    '2026-02-01T00:00Z',
    ['2026-02-26T00:00Z', '2026-03-29T00:00Z'],
  ],
  [
    'the weekday nearest to the first stays in its month',
    ['0 0 1W * *', 'UTC'],
    '2026-07-15T00:00Z',
    ['2026-08-03T00:00Z', '2026-09-01T00:00Z'],
  ],
  [
    'the last weekday of the month',
    ['0 0 LW * *', 'UTC'],
    '2026-05-01T00:00Z',
    ['2026-05-29T00:00Z', '2026-06-30T00:00Z'],
  ],
  [
    'the second and the last Friday',
    ['0 0 * * 5#2,5L', 'UTC'],
    '2026-11-01T00:00Z',
    ['2026-11-13T00:00Z', '2026-11-27T00:00Z', '2026-12-11T00:00Z'],
  ],
  ['the leap day', ['0 0 29 2 *', 'UTC'], '2097-01-01T00:00Z', ['2104-02-29T00:00Z', '2108-02-29T00:00Z']],
  ['a leap day on a Monday', ['0 0 29 2 1', 'UTC'], '2073-01-01T00:00Z', ['2112-02-29T00:00Z']],
  ['a day that never comes', ['0 0 L-30 2 *', 'UTC'], '2026-01-01T00:00Z', ['never']],
  [
    'the thirty-first is not in each month',
    ['0 0 31 * *', 'UTC'],
    '2026-03-31T00:00Z',
    ['2026-05-31T00:00Z', '2026-07-31T00:00Z'],
  ],
  [
    'the end of a year',
    ['0 0 1 JAN *', 'America/New_York'],
    '2026-12-31T23:00Z',
    ['2027-01-01T05:00Z', '2028-01-01T05:00Z'],
  ],
])('%s', (_behaviour, timetable, after, due) => {
  expect(dueTimes(timetable, after, due.length)).toEqual(due);
});

const berlin = 'Europe/Berlin';

test.each<Row>([
  [
    'a wall time stays where it is when summer begins',
    ['0 4 * * *', berlin],
    '2026-03-28T00:00Z',
    ['2026-03-28T03:00Z', '2026-03-29T02:00Z', '2026-03-30T02:00Z'],
  ],
  [
    'and when it ends',
    ['0 4 * * *', berlin],
    '2026-10-24T00:00Z',
    ['2026-10-24T02:00Z', '2026-10-25T03:00Z', '2026-10-26T03:00Z'],
  ],
  [
    'a time that is skipped is due when the clock jumps',
    ['30 2 * * *', berlin],
    '2026-03-28T00:00Z',
    ['2026-03-28T01:30Z', '2026-03-29T01:00Z', '2026-03-30T00:30Z'],
  ],
  [
    'many skipped times are due once',
    ['*/10 2 29 * *', berlin],
    '2026-03-28T12:00Z',
    ['2026-03-29T01:00Z', '2026-04-29T00:00Z'],
  ],
  [
    'a skipped time and the one jumped to are one',
    ['0 2,3 * * *', berlin],
    '2026-03-28T12:00Z',
    ['2026-03-29T01:00Z', '2026-03-30T00:00Z'],
  ],
  [
    'a time that comes twice is due once',
    ['30 2 * * *', berlin],
    '2026-10-24T12:00Z',
    ['2026-10-25T00:30Z', '2026-10-26T01:30Z'],
  ],
  ['also when asked between the two', ['30 2 * * *', berlin], '2026-10-25T00:45Z', ['2026-10-26T01:30Z']],
  [
    'each elapsed hour is due when summer begins',
    ['0 * * * *', berlin],
    '2026-03-28T23:30Z',
    ['2026-03-29T00:00Z', '2026-03-29T01:00Z', '2026-03-29T02:00Z'],
  ],
  [
    'and when it ends',
    ['0 * * * *', berlin],
    '2026-10-24T23:30Z',
    ['2026-10-25T00:00Z', '2026-10-25T01:00Z', '2026-10-25T02:00Z'],
  ],
  [
    'summer time of half an hour, beginning',
    ['15 2 * * *', 'Australia/Lord_Howe'],
    '2026-10-03T00:00Z',
    ['2026-10-03T15:30Z', '2026-10-04T15:15Z'],
  ],
  [
    'summer time of half an hour, ending',
    ['45 1 * * *', 'Australia/Lord_Howe'],
    '2026-04-04T00:00Z',
    ['2026-04-04T14:45Z', '2026-04-05T15:15Z'],
  ],
  [
    'summer time of two hours',
    ['30 2 * * *', 'Antarctica/Troll'],
    '2026-03-28T12:00Z',
    ['2026-03-29T01:00Z', '2026-03-30T00:30Z'],
  ],
  [
    'two hours that come twice',
    ['30 2 * * *', 'Antarctica/Troll'],
    '2026-10-24T12:00Z',
    ['2026-10-25T00:30Z', '2026-10-26T02:30Z'],
  ],
  [
    'summer time at midnight',
    ['0 0 * * *', 'Africa/Cairo'],
    '2026-04-23T12:00Z',
    ['2026-04-23T22:00Z', '2026-04-24T21:00Z'],
  ],
  [
    'a day that a zone left out',
    ['0 12 * * *', 'Pacific/Apia'],
    '2011-12-29T00:00Z',
    ['2011-12-29T22:00Z', '2011-12-30T10:00Z', '2011-12-30T22:00Z'],
  ],
])('over a change of the clocks: %s', (_behaviour, timetable, after, due) => {
  expect(dueTimes(timetable, after, due.length)).toEqual(due);
});

test('a schedule that cannot be read is refused', () => {
  expect(() => nextDue({ schedule: '61 3 * * *', timezone: 'UTC' }, 0)).toThrow();
  expect(() => nextDue({ schedule: '0 3 * * *', timezone: 'Mars/Olympus' }, 0)).toThrow();
});

const someSchedule = fc
  .tuple(
    fc.constantFrom('*', '0', '*/7', '3,59', '10-20'),
    fc.constantFrom('*', '0', '2', '*/5', '1-3', '23'),
    fc.constantFrom('*', '1', '13', '28-31', 'L', 'L-1', '15W', '1W', 'LW'),
    fc.constantFrom('*', '2', '*/3', 'NOV'),
    fc.constantFrom('*', '0', '1-5', '7', '5#3', '1L'),
  )
  .map((fields) => fields.join(' '));

const someMoment = fc.integer({ min: Date.parse('2000-01-01'), max: Date.parse('2045-01-01') });

test('what is due is what node-cron matches, and it matches nothing in between', () => {
  const steps = 200;
  fc.assert(
    fc.property(someSchedule, someMoment, (schedule, moment) => {
      const task = createTask(schedule, () => undefined, { timezone: 'UTC' });
      try {
        const found = nextDue({ schedule, timezone: 'UTC' }, moment);
        if (found !== undefined) expect(task.match(new Date(found))).toBe(true);
        const due = found ?? moment + 5 * 366 * 86_400_000;
        const firstMinute = Math.floor(moment / 60_000) * 60_000 + 60_000;
        const stride = Math.max(1, Math.floor((due - firstMinute) / 60_000 / steps)) * 60_000;
        for (let at = firstMinute; at < due; at += stride) expect(task.match(new Date(at))).toBe(false);
      } finally {
        void task.destroy();
      }
    }),
    { numRuns: 100 },
  );
});

test('asking later never answers earlier, in any zone', () => {
  const zone = fc.constantFrom('UTC', berlin, 'America/St_Johns', 'Australia/Lord_Howe', 'Antarctica/Troll');
  fc.assert(
    fc.property(someSchedule, zone, someMoment, fc.nat(400 * 3_600_000), (schedule, timezone, moment, by) => {
      const timetable: Timetable = { schedule, timezone };
      const first = nextDue(timetable, moment) ?? Infinity;
      const later = nextDue(timetable, moment + by) ?? Infinity;
      expect(first).toBeGreaterThan(moment);
      expect(later).toBe(first > moment + by ? first : later);
      expect(later).toBeGreaterThanOrEqual(first);
    }),
    { numRuns: 100 },
  );
});
