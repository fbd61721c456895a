import { expect, test } from 'vitest';
import * as fc from 'fast-check';
import {
  planRetention,
  viewsOf,
  type RetainedSnapshot,
  type RetainPolicy,
  type RotationFacts,
} from '../../src/schedule/schedule.ts';
import { factsAt, newestMs } from './retaining.ts';

const hourMs = 3_600_000;
const startMs = Date.parse('2019-12-20T00:00Z');

/** Close together or years apart, so that buckets are shared, skipped and crossed. */
const hours = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 70_000 }));

const someSnapshots: fc.Arbitrary<readonly RetainedSnapshot[]> = fc
  .array(
    fc.record({
      hours,
      late: fc.integer({ min: 0, max: 50 }),
      good: fc.boolean(),
      verified: fc.boolean(),
      pinned: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  .map((rows) =>
    rows.map(({ hours: after, late, ...rest }, index) => ({
      ...rest,
      id: `s${index}`,
      takenMs: startMs + after * hourMs,
      publishedMs: startMs + after * hourMs + late * 60_000,
    })),
  );

const count = fc.integer({ min: 0, max: 8 });
const somePolicy: fc.Arbitrary<RetainPolicy> = fc.record({
  hourly: count,
  daily: count,
  weekly: count,
  monthly: count,
  minimum: fc.integer({ min: 0, max: 4 }),
  minAgeMs: fc.integer({ min: 0, max: 96 }).map((value) => value * hourMs),
});

function nowOf(snapshots: readonly RetainedSnapshot[]): RotationFacts {
  return factsAt(Math.max(newestMs(snapshots), ...snapshots.map(({ publishedMs }) => publishedMs)));
}

function keptOf(
  snapshots: readonly RetainedSnapshot[],
  policy: RetainPolicy,
  facts: RotationFacts,
): readonly RetainedSnapshot[] {
  const { decisions } = planRetention(snapshots, policy, facts);
  const kept = new Set(decisions.filter(({ decision }) => decision === 'keep').map(({ id }) => id));
  return snapshots.filter(({ id }) => kept.has(id));
}

test('each snapshot has one decision, with a reason', () => {
  fc.assert(
    fc.property(someSnapshots, somePolicy, (snapshots, policy) => {
      const { decisions } = planRetention(snapshots, policy, nowOf(snapshots));
      expect(decisions.map(({ id }) => id).toSorted()).toEqual(snapshots.map(({ id }) => id).toSorted());
      for (const { reasons } of decisions) expect(reasons.length).toBeGreaterThan(0);
    }),
  );
});

test('the floor, the newest verified, the pinned, the young and the views never expire', () => {
  fc.assert(
    fc.property(someSnapshots, somePolicy, (snapshots, policy) => {
      const facts = nowOf(snapshots);
      const kept = new Set(keptOf(snapshots, policy, facts).map(({ id }) => id));
      const good = snapshots.filter((one) => one.good);
      const goodKept = good.filter(({ id }) => kept.has(id));
      expect(goodKept.length).toBeGreaterThanOrEqual(Math.min(good.length, Math.max(1, policy.minimum)));
      const verifiedMs = good.filter((one) => one.verified).map(({ takenMs }) => takenMs);
      if (verifiedMs.length > 0) {
        expect(goodKept.filter((one) => one.verified).map(({ takenMs }) => takenMs)).toContain(
          Math.max(...verifiedMs),
        );
      }
      for (const { id, pinned, publishedMs } of snapshots) {
        if (pinned || facts.targetNowMs - publishedMs < policy.minAgeMs) expect(kept).toContain(id);
      }
      for (const { snapshotId } of viewsOf(snapshots, policy)) expect(kept).toContain(snapshotId);
    }),
  );
});

test('what no rule keeps does expire', () => {
  fc.assert(
    fc.property(someSnapshots, somePolicy, (snapshots, policy) => {
      const facts = nowOf(snapshots);
      fc.pre(snapshots.some((one) => one.good));
      const countMax = policy.hourly + policy.daily + policy.weekly + policy.monthly + policy.minimum + 2;
      const kept = keptOf(snapshots, policy, facts).filter(
        ({ pinned, publishedMs }) => !pinned && facts.targetNowMs - publishedMs >= policy.minAgeMs,
      );
      expect(kept.length).toBeLessThanOrEqual(countMax);
    }),
  );
});

test('the order in which snapshots are listed changes nothing', () => {
  const shuffled = someSnapshots.chain((snapshots) =>
    fc.record({
      snapshots: fc.constant(snapshots),
      other: fc.shuffledSubarray([...snapshots], { minLength: snapshots.length }),
    }),
  );
  fc.assert(
    fc.property(shuffled, somePolicy, ({ snapshots, other }, policy) => {
      const facts = nowOf(snapshots);
      expect(planRetention(other, policy, facts)).toEqual(planRetention(snapshots, policy, facts));
      expect(viewsOf(other, policy)).toEqual(viewsOf(snapshots, policy));
    }),
  );
});

test('planning what a plan left lets go of nothing more and shows the same views', () => {
  fc.assert(
    fc.property(someSnapshots, somePolicy, (snapshots, policy) => {
      const facts = nowOf(snapshots);
      const once = keptOf(snapshots, policy, facts);
      expect(keptOf(once, policy, facts)).toEqual(once);
      expect(viewsOf(once, policy)).toEqual(viewsOf(snapshots, policy));
    }),
  );
});

test('a clock that jumps, either one or back both, lets go of nothing that it would not have', () => {
  const jump = fc.record({
    which: fc.constantFrom('daemon', 'target', 'both'),
    byMs: fc.integer({ min: -80_000, max: 80_000 }).map((value) => value * hourMs),
  });
  fc.assert(
    fc.property(someSnapshots, somePolicy, jump, (snapshots, policy, { which, byMs }) => {
      const facts = { ...nowOf(snapshots), latestNowMs: nowOf(snapshots).nowMs };
      const jumped = {
        ...facts,
        nowMs: which === 'target' ? facts.nowMs : facts.nowMs + byMs,
        targetNowMs: which === 'daemon' ? facts.targetNowMs : facts.targetNowMs + byMs,
      };
      fc.pre(which !== 'both' || byMs < 0);
      const before = new Set(keptOf(snapshots, policy, facts).map(({ id }) => id));
      const after = new Set(keptOf(snapshots, policy, jumped).map(({ id }) => id));
      expect(before.difference(after).size).toBe(0);
      if (byMs < 0) expect(after.size).toBe(snapshots.length);
    }),
  );
});

test('both clocks jumping ahead age snapshots, and never past buckets, floor or pins', () => {
  fc.assert(
    fc.property(someSnapshots, somePolicy, fc.integer({ min: 0, max: 80_000 }), (snapshots, policy, by) => {
      const facts = nowOf(snapshots);
      const later = {
        ...facts,
        nowMs: facts.nowMs + by * hourMs,
        targetNowMs: facts.targetNowMs + by * hourMs,
      };
      const ageless = { ...policy, minAgeMs: 0 };
      const kept = new Set(keptOf(snapshots, policy, later).map(({ id }) => id));
      for (const { id } of keptOf(snapshots, ageless, facts)) expect(kept).toContain(id);
    }),
  );
});

test('no plan expires anything while anything holds it', () => {
  const hold = fc.constantFrom<Partial<RotationFacts>>(
    { published: false },
    { damaged: true },
    { shrunk: true },
    { vanishedTopics: ['orders'] },
    { latestNowMs: Date.parse('2100-01-01T00:00Z') },
  );
  fc.assert(
    fc.property(someSnapshots, somePolicy, hold, (snapshots, policy, held) => {
      expect(keptOf(snapshots, policy, { ...nowOf(snapshots), ...held })).toEqual(snapshots);
    }),
  );
});
