import type { ErrorCode } from '../errors.ts';
import { timeText } from './time.ts';

/** What a cycle knows when it comes to rotate. */
export interface RotationFacts {
  /** Nothing expires in a cycle that did not publish. */
  readonly published: boolean;
  /** Now, by the daemon's clock. */
  readonly nowMs: number;
  /** Now, by the target's clock. */
  readonly targetNowMs: number;
  /** The latest time that any earlier cycle noted of the daemon's clock. */
  readonly latestNowMs?: number;
  /** Included topics that are gone at the source, until the operator accepts it. */
  readonly vanishedTopics: readonly string[];
  /** Fewer partitions are seen than can be believed, until the operator accepts it. */
  readonly shrunk: boolean;
  /** Damage is marked anywhere in this instance's snapshots. */
  readonly damaged: boolean;
}

export type HoldKind =
  | 'not-published'
  | 'clock-back'
  | 'clock-ahead'
  | 'clocks-disagree'
  | 'vanished-topic'
  | 'shrunk'
  | 'damage'
  | 'no-good-snapshot';

/** A reason for which nothing at all may expire. */
export interface Hold {
  readonly kind: HoldKind;
  readonly text: string;
  /** The finding that the cycle ends with, where holding is not enough. */
  readonly finding?: ErrorCode;
}

interface TimedSnapshot {
  readonly id: string;
  readonly takenMs: number;
  readonly publishedMs: number;
  readonly good: boolean;
}

/** Clocks are set by less than this without anybody noticing. */
const clockStepMaxMs = 5 * 60_000;
/** Ages are the target's and buckets the daemon's: further apart than this, neither is believed. */
const clockDifferenceMaxMs = 3_600_000;

/** A daemon is seldom away for longer, and a clock that is wrong is mostly wrong by more. */
const clockLeapMaxMs = 100 * 86_400_000;

const topicsNamedMax = 5;

export function holdsOf(snapshots: readonly TimedSnapshot[], facts: RotationFacts): readonly Hold[] {
  const holds: Hold[] = [];
  if (!facts.published) holds.push({ kind: 'not-published', text: 'this cycle published nothing' });
  const back = clockBackText(snapshots, facts);
  if (back !== undefined) holds.push({ kind: 'clock-back', text: back, finding: 'clock-back' });
  const difference = Math.abs(facts.nowMs - facts.targetNowMs);
  if (!(difference <= clockDifferenceMaxMs)) {
    holds.push({
      kind: 'clocks-disagree',
      text: `the clocks disagree: ${momentText(facts.nowMs)} here, ${momentText(facts.targetNowMs)} on the target`,
    });
  }
  if (facts.vanishedTopics.length > 0) {
    holds.push({ kind: 'vanished-topic', text: vanishedText(facts.vanishedTopics) });
  }
  if (facts.shrunk) holds.push({ kind: 'shrunk', text: 'far fewer partitions are seen than before' });
  if (facts.damaged) holds.push({ kind: 'damage', text: 'damage is marked' });
  if (snapshots.length > 0 && snapshots.every(({ good }) => !good)) {
    holds.push({ kind: 'no-good-snapshot', text: 'there is no good snapshot' });
  }
  return holds;
}

/** Further ahead than clocks are set without anybody noticing. */
export function isFuture(atMs: number, nowMs: number): boolean {
  return atMs - nowMs > clockStepMaxMs;
}

/** Dated by a clock that was ahead of both that there are now. */
export function isAhead(
  { takenMs, publishedMs }: Pick<TimedSnapshot, 'takenMs' | 'publishedMs'>,
  { nowMs, targetNowMs }: Pick<RotationFacts, 'nowMs' | 'targetNowMs'>,
): boolean {
  return isFuture(takenMs, nowMs) || isFuture(publishedMs, targetNowMs);
}

/** The moment of a cut behind an earlier one: by a small step back of the clock, what comes later is no older. */
export function takenAt(nowMs: number, beforeMs: number | undefined): number {
  const isSmallStep = beforeMs !== undefined && beforeMs > nowMs && beforeMs - nowMs <= clockStepMaxMs;
  return isSmallStep ? beforeMs : nowMs;
}

/**
 * Why no data goes by its age: buckets lose nothing by a clock that leaps, but every month would be past its keep. It
 * lasts until somebody says that the clock is right.
 */
export function clockLeap(nowMs: number, latestNowMs: number | undefined): Hold | undefined {
  if (latestNowMs === undefined || nowMs - latestNowMs <= clockLeapMaxMs) return undefined;
  const days = Math.floor((nowMs - latestNowMs) / 86_400_000);
  return { kind: 'clock-ahead', text: `the clock is ${days} days ahead of the last cycle` };
}

/** What is to be noted as the latest time that any cycle saw. */
export function latestNow(nowMs: number, latestNowMs: number | undefined): number {
  if (latestNowMs === undefined) return nowMs;
  return clockLeap(nowMs, latestNowMs) === undefined ? Math.max(nowMs, latestNowMs) : latestNowMs;
}

/** A snapshot from the future is as much a sign of it as a clock that was seen to step. */
function clockBackText(snapshots: readonly TimedSnapshot[], facts: RotationFacts): string | undefined {
  const { nowMs, latestNowMs } = facts;
  if (latestNowMs !== undefined && latestNowMs - nowMs > clockStepMaxMs) {
    return `the clock went back: expected ${momentText(latestNowMs)} or later, got ${momentText(nowMs)}`;
  }
  const future = snapshots
    .filter((snapshot) => isAhead(snapshot, facts))
    .map(({ id }) => id)
    .toSorted();
  if (future.length === 0) return undefined;
  const which = future.length === 1 ? 'snapshot' : `${future.length} snapshots, the last`;
  return `the clock went back: from the future: ${which} ${future.at(-1)}`;
}

function vanishedText(topics: readonly string[]): string {
  const named = topics.toSorted().slice(0, topicsNamedMax);
  const more = topics.length - named.length;
  return `topics vanished at the source: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function momentText(ms: number): string {
  return Number.isFinite(ms) ? timeText(BigInt(Math.round(ms))) : 'an unknown time';
}
