import { expect, test } from 'vitest';
import { viewsOf } from '../../src/schedule/schedule.ts';
import { policyOf, snapshotsOf } from './retaining.ts';

const viewsText = (there: string, policy: string): readonly string[] =>
  viewsOf(snapshotsOf(there), policyOf(policy)).map(({ name, snapshotId }) => `${name} ${snapshotId}`);

test('views are numbered from the newest, rule by rule', () => {
  expect(viewsText('2026-11-01 2026-11-03T05 2026-10-31 2026-11-03T04 2026-11-02', '2h 2d 2w 2m')).toEqual([
    'hourly.0 2026-11-03T05',
    'hourly.1 2026-11-03T04',
    'daily.0 2026-11-03T05',
    'daily.1 2026-11-02',
    'weekly.0 2026-11-03T05',
    'weekly.1 2026-11-01',
    'monthly.0 2026-11-03T05',
    'monthly.1 2026-10-31',
  ]);
});

test('a rule that keeps nothing has no view, and what it does not keep is in none', () => {
  expect(viewsText('2026-11-01* 2026-11-02v 2026-11-03', '1d')).toEqual(['daily.0 2026-11-03']);
});

test('no view leads to a snapshot that cannot be restored from', () => {
  expect(viewsText('2026-11-01 2026-11-02!', '7d')).toEqual(['daily.0 2026-11-01']);
  expect(viewsText('2026-11-01!', '7d 4w 12m')).toEqual([]);
});

test('of two snapshots of one moment the later id is the newer, however they are listed', () => {
  const [first, second] = ['20261103T030000Z-00aa', '20261103T030000Z-00ab'].map((id) => ({
    id,
    takenMs: Date.parse('2026-11-03T03:00Z'),
    good: true,
  }));
  if (first === undefined || second === undefined) throw new Error('two snapshots are there');
  const policy = policyOf('7d');

  expect(viewsOf([first, second], policy)).toEqual([{ name: 'daily.0', snapshotId: second.id }]);
  expect(viewsOf([second, first], policy)).toEqual([{ name: 'daily.0', snapshotId: second.id }]);
});

test('views keep to the calendar before 1970 and in years far ahead', () => {
  expect(viewsText('1969-12-28 1969-12-29 1970-01-04 1970-01-05', '9w')).toEqual([
    'weekly.0 1970-01-05',
    'weekly.1 1970-01-04',
    'weekly.2 1969-12-28',
  ]);
  expect(viewsText('9999-12-30 9999-12-31', '9m')).toEqual(['monthly.0 9999-12-31']);
});
