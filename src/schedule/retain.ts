import {
  bucketRules,
  chooseByBucket,
  newestFirst,
  type BucketCounts,
  type BucketRule,
  type Restorable,
} from './buckets.ts';
import { holdsOf, type Hold, type RotationFacts } from './holds.ts';
import { timeText } from './time.ts';

export interface RetainedSnapshot extends Restorable {
  /** When the rename was seen, by the target's clock. */
  readonly publishedMs: number;
  /** Every pack's digest was read since its publication, and not too long ago. */
  readonly verified: boolean;
  readonly pinned: boolean;
}

export interface RetainPolicy extends BucketCounts {
  /** So many of the newest good snapshots are never expired. */
  readonly minimum: number;
  readonly minAgeMs: number;
}

export type RetainRule =
  | BucketRule
  | 'newest'
  | 'newest-verified'
  | 'minimum'
  | 'min-age'
  | 'pinned'
  | 'misdated'
  /** Would expire, if the plan were not held. */
  | 'held'
  | 'no-rule'
  | 'not-good';

export interface RetainReason {
  readonly rule: RetainRule;
  readonly text: string;
}

export interface RetainDecision {
  readonly id: string;
  readonly decision: 'keep' | 'expire';
  readonly reasons: readonly RetainReason[];
}

export interface RetainPlan {
  /** Newest first. */
  readonly decisions: readonly RetainDecision[];
  /** Why nothing may expire in this cycle; empty where it may. */
  readonly holds: readonly Hold[];
}

/** Which snapshots stay and which go, each with its reasons. Planning what a plan left gives that again. */
export function planRetention(
  snapshots: readonly RetainedSnapshot[],
  policy: RetainPolicy,
  facts: RotationFacts,
): RetainPlan {
  const dated = snapshots.filter(({ misdated }) => misdated !== true);
  const holds = holdsOf(dated, facts);
  const kept = reasonsToKeep(dated, policy, facts);
  const decisions = newestFirst(snapshots).map((snapshot): RetainDecision => {
    const { id } = snapshot;
    const reasons = snapshot.misdated === true ? [misdatedReason(snapshot)] : (kept.get(id) ?? []);
    if (reasons.length > 0) return { id, decision: 'keep', reasons };
    if (holds.length > 0) {
      return { id, decision: 'keep', reasons: holds.map(({ text }) => ({ rule: 'held', text })) };
    }
    return { id, decision: 'expire', reasons: [reasonToExpire(snapshot, policy)] };
  });
  return { decisions, holds };
}

function reasonsToKeep(
  snapshots: readonly RetainedSnapshot[],
  policy: RetainPolicy,
  facts: RotationFacts,
): ReadonlyMap<string, readonly RetainReason[]> {
  const kept = new Map<string, RetainReason[]>();
  const keep = (id: string, rule: RetainRule, text: string): void => {
    const reasons = kept.get(id);
    if (reasons === undefined) kept.set(id, [{ rule, text }]);
    else reasons.push({ rule, text });
  };
  const newest = newestFirst(snapshots);
  const good = newest.filter((snapshot) => snapshot.good);
  for (const rule of bucketRules) {
    const count = policy[rule];
    for (const [index, bucket] of chooseByBucket(rule, { snapshots, count }).entries()) {
      keep(bucket.chosen.id, rule, `${rule} ${index + 1} of ${count}: newest of ${bucket.name}`);
    }
  }
  for (const [index, { id }] of good.slice(0, policy.minimum).entries()) {
    keep(id, 'minimum', `minimum ${index + 1} of ${policy.minimum}`);
  }
  if (good[0] !== undefined) keep(good[0].id, 'newest', 'newest good snapshot');
  const verified = good.find((snapshot) => snapshot.verified);
  if (verified !== undefined) keep(verified.id, 'newest-verified', 'newest verified snapshot');
  for (const { id, pinned, publishedMs } of newest) {
    if (pinned) keep(id, 'pinned', 'pinned');
    if (facts.targetNowMs - publishedMs < policy.minAgeMs) {
      keep(id, 'min-age', `younger than the minimum age, until ${momentText(publishedMs + policy.minAgeMs)}`);
    }
  }
  return kept;
}

function misdatedReason({ takenMs, publishedMs }: RetainedSnapshot): RetainReason {
  const untilMs = Math.max(takenMs, publishedMs);
  return { rule: 'misdated', text: `dated by a clock that was ahead: kept until ${momentText(untilMs)}` };
}

function reasonToExpire(snapshot: RetainedSnapshot, policy: RetainPolicy): RetainReason {
  if (!snapshot.good) return { rule: 'not-good', text: 'cannot be restored from, and no rule keeps it' };
  const counts = bucketRules.filter((rule) => policy[rule] > 0).map((rule) => `${policy[rule]} ${rule}`);
  return {
    rule: 'no-rule',
    text: counts.length === 0 ? 'no rule keeps it' : `not among ${counts.join(', ')}`,
  };
}

function momentText(ms: number): string {
  return timeText(BigInt(Math.ceil(ms)));
}
