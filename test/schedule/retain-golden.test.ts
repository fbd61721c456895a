import { expect, test } from 'vitest';
import { planRetention, viewsOf } from '../../src/schedule/schedule.ts';
import { factsAt, newestMs, policyOf, snapshotsOf } from './retaining.ts';

/** What is asked, what there is, under which policy; the views (oldest last), and what expires. */
type Golden = readonly [behaviour: string, there: string, policy: string, views: string, expired: string];

const golden: readonly Golden[] = [
  ['nothing is planned for no snapshots', '', '7d 4w 12m', '', ''],
  ['one snapshot fills a bucket of each rule', '2026-11-03', '7d 4w 12m', 'd 11-03 | w 11-03 | m 11-03', ''],
  [
    'days beyond the last seven expire',
    '2026-11-01..10',
    '7d',
    'd 11-10 11-09 11-08 11-07 11-06 11-05 11-04',
    '11-03 11-02 11-01',
  ],
  [
    'of one day the newest stays',
    '2026-11-03T01 2026-11-03T09 2026-11-03T17',
    '7d',
    'd 11-03T17',
    '11-03T09 11-03T01',
  ],
  ['empty days do not count', '2026-06-01 2026-08-15 2026-11-03', '3d', 'd 11-03 08-15 06-01', ''],
  [
    'a long silence expires nothing by itself',
    '2025-01-01 2025-01-02 2026-11-03',
    '2d 1w',
    'd 11-03 2025-01-02 | w 11-03',
    '2025-01-01',
  ],
  [
    'the week runs from Monday to Sunday',
    '2026-11-01 2026-11-02 2026-11-08 2026-11-09',
    '4w',
    'w 11-09 11-08 11-01',
    '11-02',
  ],
  ['of a week its newest stays', '2026-11-02..08', '4w', 'w 11-08', '11-07 11-06 11-05 11-04 11-03 11-02'],
  [
    'of a month its newest stays',
    '2026-09-30 2026-10-01 2026-10-31 2026-11-01',
    '2m',
    'm 11-01 10-31',
    '10-01 09-30',
  ],
  [
    'months beyond the last twelve expire',
    '2025-10-31 2025-11-30 2025-12-31 2026-01-31 2026-02-28 2026-03-31 2026-04-30 2026-05-31 2026-06-30 2026-07-31 2026-08-31 2026-09-30 2026-10-31',
    '12m',
    'm 10-31 09-30 08-31 07-31 06-30 05-31 04-30 03-31 02-28 01-31 2025-12-31 2025-11-30',
    '2025-10-31',
  ],
  [
    'a snapshot that one rule keeps is not expired by the others',
    '2026-10-31 2026-11-01 2026-11-02',
    '1d 2m',
    'd 11-02 | m 11-02 10-31',
    '11-01',
  ],
  [
    'rules overlap instead of adding up',
    '2026-11-01..05',
    '2d 2w',
    'd 11-05 11-04 | w 11-05 11-01',
    '11-03 11-02',
  ],
  [
    'days, weeks and months together',
    '2026-09-30 2026-10-18 2026-10-25 2026-10-31 2026-11-01..04',
    '2d 3w 3m',
    'd 11-04 11-03 | w 11-04 11-01 10-25 | m 11-04 10-31 09-30',
    '11-02 10-18',
  ],
  [
    'hours are kept where asked for',
    '2026-11-03T01 2026-11-03T01:30 2026-11-03T02 2026-11-03T05',
    '2h',
    'h 11-03T05 11-03T02',
    '11-03T01:30 11-03T01',
  ],
  [
    'an hour is a UTC hour',
    '2026-11-03T00:59 2026-11-03T01:00 2026-11-03T01:59',
    '9h',
    'h 11-03T01:59 11-03T00:59',
    '11-03T01:00',
  ],
  [
    'a day ends with its last minute',
    '2026-11-03T23:59 2026-11-04T00:00',
    '9d',
    'd 11-04T00:00 11-03T23:59',
    '',
  ],
  [
    'the hour that summer time repeats is two hours',
    '2026-10-25T00:30 2026-10-25T01:30',
    '9h 9d',
    'h 10-25T01:30 10-25T00:30 | d 10-25T01:30',
    '',
  ],
  [
    'a leap day is a day and ends its month',
    '2024-02-28 2024-02-29 2024-03-01',
    '9d 9m',
    'd 2024-03-01 2024-02-29 2024-02-28 | m 2024-03-01 2024-02-29',
    '',
  ],
  [
    'in a common year February ends on the 28th',
    '2100-02-27 2100-02-28 2100-03-01',
    '9m',
    'm 2100-03-01 2100-02-28',
    '2100-02-27',
  ],
  [
    'week 53 goes over the end of the year',
    '2026-12-28 2026-12-31 2027-01-03',
    '9w',
    'w 2027-01-03',
    '12-31 12-28',
  ],
  [
    'after week 53 comes week 1',
    '2026-12-27 2027-01-03 2027-01-04',
    '9w',
    'w 2027-01-04 2027-01-03 12-27',
    '',
  ],
  [
    'week 1 may begin in December',
    '2024-12-29 2024-12-30 2025-01-05',
    '9w',
    'w 2025-01-05 2024-12-29',
    '2024-12-30',
  ],
  [
    'week 52 may end in January',
    '2021-12-27 2022-01-02 2022-01-03',
    '9w',
    'w 2022-01-03 2022-01-02',
    '2021-12-27',
  ],
  [
    'the first of January is another month and, in mid-week, the same week',
    '2025-12-31 2026-01-01',
    '9w 9m',
    'w 01-01 | m 01-01 2025-12-31',
    '',
  ],
  [
    'the year ends a month, a week and a day at once',
    '2023-12-31 2024-01-01',
    '9d 9w 9m',
    'd 2024-01-01 2023-12-31 | w 2024-01-01 2023-12-31 | m 2024-01-01 2023-12-31',
    '',
  ],
  ['what is not good fills no bucket', '2026-11-02 2026-11-03! 2026-11-04', '2d', 'd 11-04 11-02', '11-03'],
  [
    'an older good snapshot stands for a day whose newest is not good',
    '2026-11-03T01 2026-11-03T09!',
    '2d',
    'd 11-03T01',
    '11-03T09',
  ],
  ['nothing expires while no snapshot is good', '2026-11-01! 2026-11-02!', '1d', '', ''],
  [
    'the minimum stays whatever the rules say',
    '2026-11-03T01 2026-11-03T02 2026-11-03T03',
    '1d min2',
    'd 11-03T03',
    '11-03T01',
  ],
  [
    'the minimum counts good snapshots only',
    '2026-11-03T01 2026-11-03T02 2026-11-03T03! 2026-11-03T04',
    '1d min2',
    'd 11-03T04',
    '11-03T03 11-03T01',
  ],
  ['a minimum above what there is keeps all', '2026-11-03T01 2026-11-03T02', '1d min9', 'd 11-03T02', ''],
  [
    'the minimum age keeps the young and lets go at its last moment',
    '2026-11-02T02 2026-11-02T03 2026-11-02T04 2026-11-03T03',
    '1d age24',
    'd 11-03T03',
    '11-02T03 11-02T02',
  ],
  [
    'what is not good is spared by its age too',
    '2026-11-01! 2026-11-02T12! 2026-11-03',
    '1d age24',
    'd 11-03',
    '11-01',
  ],
  [
    'pinned snapshots stay and fill no further bucket',
    '2026-11-01* 2026-11-02 2026-11-03',
    '1d',
    'd 11-03',
    '11-02',
  ],
  ['a pin keeps what is not good', '2026-11-01!* 2026-11-03', '1d', 'd 11-03', ''],
  [
    'the newest verified snapshot stays behind newer ones',
    '2026-10-01v 2026-10-02v 2026-11-03',
    '1d',
    'd 11-03',
    '10-01',
  ],
  [
    'the newest good snapshot stays without any rule',
    '2026-11-01 2026-11-02 2026-11-03!',
    '',
    '',
    '11-03 11-01',
  ],
  [
    'the defaults of the configuration, after a fortnight',
    '2026-10-20..31 2026-11-01..03',
    '7d 4w 12m min2 age24',
    'd 11-03 11-02 11-01 10-31 10-30 10-29 10-28 | w 11-03 11-01 10-25 | m 11-03 10-31',
    '10-27 10-26 10-24 10-23 10-22 10-21 10-20',
  ],
];

test.each(golden)('%s', (_behaviour, there, policyText, views, expired) => {
  const snapshots = snapshotsOf(there);
  const policy = policyOf(policyText);

  const plan = planRetention(snapshots, policy, factsAt(newestMs(snapshots)));

  expect(viewsText(viewsOf(snapshots, policy))).toBe(views);
  const gone = plan.decisions.filter(({ decision }) => decision === 'expire');
  expect(gone.map(({ id }) => short(id)).join(' ')).toBe(expired);
  const left = snapshots.filter(({ id }) => gone.every((one) => one.id !== id));
  expect(viewsText(viewsOf(left, policy)), 'rotating leaves the views as they are').toBe(views);
});

/** `d 11-03 11-02 | w 11-03`, after checking that each rule counts from 0. */
function viewsText(views: ReturnType<typeof viewsOf>): string {
  const rules = Map.groupBy(views, ({ name }) => name.slice(0, name.indexOf('.')));
  return [...rules]
    .map(([rule, own]) => {
      expect(own.map(({ name }) => name)).toEqual(own.map((_, index) => `${rule}.${index}`));
      return [rule.slice(0, 1), ...own.map(({ snapshotId }) => short(snapshotId))].join(' ');
    })
    .join(' | ');
}

function short(id: string): string {
  return id.replace(/^2026-/, '');
}
