import { expect, test } from 'vitest';
import { planRetention, type RotationFacts } from '../../src/schedule/schedule.ts';
import { factsAt, newestMs, policyOf, snapshotsOf } from './retaining.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const snapshots = snapshotsOf('2026-11-01 2026-11-02 2026-11-03');
const now = newestMs(snapshots);

/** The ids that a plan lets go of under these facts, by a policy that would keep one day. */
function expired(facts: Partial<RotationFacts>): readonly string[] {
  return planRetention(snapshots, policyOf('1d'), { ...factsAt(now), ...facts })
    .decisions.filter(({ decision }) => decision === 'expire')
    .map(({ id }) => id);
}

/** Why the oldest goes. */
const textsUnder = (policy: string): readonly string[] | undefined =>
  planRetention(snapshots, policyOf(policy), factsAt(now))
    .decisions.at(-1)
    ?.reasons.map(({ text }) => text);

test('every snapshot is planned once, newest first, with the rules that keep it', () => {
  const there = snapshotsOf('2026-11-02 2026-10-30v 2026-11-03 2026-11-01* 2026-10-29! 2026-10-31');

  const plan = planRetention(there, policyOf('2d 1w 2m min1 age30'), factsAt(newestMs(there)));

  expect(
    plan.decisions.map(({ id, decision, reasons }) => [id, decision, reasons.map(({ text }) => text)]),
  ).toEqual([
    [
      '2026-11-03',
      'keep',
      [
        'daily 1 of 2: newest of 2026-11-03',
        'weekly 1 of 1: newest of 2026-W45',
        'monthly 1 of 2: newest of 2026-11',
        'minimum 1 of 1',
        'newest good snapshot',
        'younger than the minimum age, until 2026-11-04T09:00:00.000Z',
      ],
    ],
    [
      '2026-11-02',
      'keep',
      ['daily 2 of 2: newest of 2026-11-02', 'younger than the minimum age, until 2026-11-03T09:00:00.000Z'],
    ],
    ['2026-11-01', 'keep', ['pinned']],
    ['2026-10-31', 'keep', ['monthly 2 of 2: newest of 2026-10']],
    ['2026-10-30', 'keep', ['newest verified snapshot']],
    ['2026-10-29', 'expire', ['cannot be restored from, and no rule keeps it']],
  ]);
  expect(plan.holds).toEqual([]);
});

test('what expires is told the rules that it does not meet', () => {
  expect(textsUnder('1d 1w 1m')).toEqual(['not among 1 daily, 1 weekly, 1 monthly']);
  expect(textsUnder('1h')).toEqual(['not among 1 hourly']);
  expect(textsUnder('min2')).toEqual(['no rule keeps it']);
});

test('under facts without a hold the same snapshots do expire', () => {
  expect(expired({})).toEqual(['2026-11-02', '2026-11-01']);
});

test.each<readonly [kind: string, facts: Partial<RotationFacts>, text: string]>([
  ['not-published', { published: false }, 'this cycle published nothing'],
  ['vanished-topic', { vanishedTopics: ['orders'] }, 'topics vanished at the source: orders'],
  ['shrunk', { shrunk: true }, 'far fewer partitions are seen than before'],
  ['damage', { damaged: true }, 'damage is marked'],
  [
    'clocks-disagree',
    { nowMs: now + 2 * hourMs },
    'the clocks disagree: 2026-11-03T05:00:00.000Z here, 2026-11-03T03:00:00.000Z on the target',
  ],
  [
    'clock-back',
    { latestNowMs: now + hourMs },
    'the clock went back: expected 2026-11-03T04:00:00.000Z or later, got 2026-11-03T03:00:00.000Z',
  ],
])('nothing expires on %s, and what would have says so', (kind, facts, text) => {
  const plan = planRetention(snapshots, policyOf('1d'), { ...factsAt(now), ...facts });

  expect(plan.holds.map((hold) => [hold.kind, hold.text])).toEqual([[kind, text]]);
  expect(plan.decisions.map(({ id, decision, reasons }) => [id, decision, reasons.at(-1)])).toEqual([
    ['2026-11-03', 'keep', { rule: 'newest', text: 'newest good snapshot' }],
    ['2026-11-02', 'keep', { rule: 'held', text }],
    ['2026-11-01', 'keep', { rule: 'held', text }],
  ]);
});

test('a clock that went back is a finding, and no other hold is', () => {
  const holds = (facts: Partial<RotationFacts>) =>
    planRetention(snapshots, policyOf('1d'), { ...factsAt(now), ...facts }).holds;

  expect(holds({ latestNowMs: now + hourMs }).map(({ finding }) => finding)).toEqual(['clock-back']);
  const others = holds({ published: false, shrunk: true, damaged: true, vanishedTopics: ['orders'] });
  expect(others.map(({ finding }) => finding)).toEqual([undefined, undefined, undefined, undefined]);
});

test('a snapshot from the future is a clock that went back, by either clock', () => {
  const wentBack = { nowMs: now - hourMs / 2, targetNowMs: now - hourMs / 2 };

  const plan = planRetention(snapshots, policyOf('1d'), { ...factsAt(now), ...wentBack });

  expect(plan.holds).toEqual([
    {
      kind: 'clock-back',
      text: 'the clock went back: from the future: snapshot 2026-11-03',
      finding: 'clock-back',
    },
  ]);
  expect(expired({ nowMs: now - hourMs / 2 })).toEqual([]);
  expect(expired({ targetNowMs: now - hourMs / 2 })).toEqual([]);
});

test('a clock that is set by a little holds nothing up', () => {
  expect(expired({ nowMs: now - minuteMs, targetNowMs: now - minuteMs })).toHaveLength(2);
  expect(expired({ latestNowMs: now + minuteMs })).toHaveLength(2);
});

test('a time that is no number holds everything', () => {
  expect(expired({ targetNowMs: Number.NaN })).toEqual([]);
  expect(expired({ nowMs: Number.NaN })).toEqual([]);
});

test('the age of a snapshot is measured by the target, and its bucket is that of its cut', () => {
  const there = snapshotsOf('2026-11-01T11:00 2026-11-01T11:10 2026-11-02T10').map((snapshot) => ({
    ...snapshot,
    publishedMs: snapshot.takenMs + 65 * minuteMs,
  }));
  const facts = {
    ...factsAt(Date.parse('2026-11-02T12:00Z')),
    targetNowMs: Date.parse('2026-11-02T12:10Z'),
  };

  const plan = planRetention(there, policyOf('1d age24'), facts);

  expect(plan.decisions.map(({ id, decision }) => [id, decision])).toEqual([
    ['2026-11-02T10', 'keep'],
    ['2026-11-01T11:10', 'keep'],
    ['2026-11-01T11:00', 'expire'],
  ]);
});

test('a long list of vanished topics is named in part and counted in whole', () => {
  const vanishedTopics = ['f', 'e', 'd', 'c', 'b', 'a', 'g'];

  const plan = planRetention(snapshots, policyOf('1d'), { ...factsAt(now), vanishedTopics });

  expect(plan.holds.map(({ text }) => text)).toEqual([
    'topics vanished at the source: a, b, c, d, e and 2 more',
  ]);
});
