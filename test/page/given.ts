import { keyOf } from '../snapshot/given.ts';
import type { CycleNote, PageFacts } from '../../src/page/page.ts';
import { monthAt } from '../../src/schedule/schedule.ts';
import type { FollowedPartition } from '../../src/sink/sink.ts';
import type { LayeredSnapshot, LayeredTopic } from '../../src/snapshot/snapshot.ts';

export const now = Date.UTC(2026, 10, 21, 8, 14);
const dayMs = 86_400_000;

/** A topic of made-up facts: so much a month, the newest last. */
export interface GivenTopic {
  readonly topic: string;
  readonly months: readonly number[];
  readonly partitions?: number;
  /** Committed and in no snapshot. */
  readonly unsaved?: number;
  readonly unsavedBytes?: number;
  readonly lag?: number;
  readonly isGone?: boolean;
  readonly stopped?: string;
  readonly gaps?: readonly { from: bigint; to: bigint; at: string }[];
}

export function given(topics: readonly GivenTopic[], more: Partial<PageFacts> = {}): PageFacts {
  return {
    nowMs: now,
    version: '0.1.0',
    name: 'shop',
    instance: 'main',
    cluster: 'k3PN8zE1QCa7mL0rT5wXyA',
    daemon: {
      nowMs: now,
      retentionMs: new Map(),
      startedMs: now - 12 * dayMs,
      sink: undefined,
      trouble: { kafka: [], disk: [] },
      localFreeBytes: 81e9,
      unfinishedRestores: 0,
      cycles: {
        runningSinceMs: undefined,
        nextMs: Date.UTC(2026, 10, 22, 3),
        intervalMs: dayMs,
        overdueSinceMs: undefined,
        newestSeq: 412,
        lastAttempt: { atMs: Date.UTC(2026, 10, 21, 3), isPublished: true },
        lastSuccess: undefined,
        target: 'up',
        stuckSinceMs: undefined,
        targetFreeBytes: 2.4e12,
      },
    },
    followed: topics.flatMap(followedOf),
    missing: [],
    cycles: [],
    repository: {
      lookedMs: now - 5 * 3_600_000,
      problem: undefined,
      strata: {
        repository: '0b8f8a1e-5e0f-4a0b-9a55-6f3f1b2c4e6a',
        snapshots: [],
        problems: [],
        freeBytes: 2.4e12,
        sharing: [],
        retired: [],
        topics: topics.map(layeredOf),
        drills: [],
        keySlots: 2,
        keyProblems: [],
        reads: { lastMs: undefined, cleanMs: undefined },
        layers: new Map(),
        unread: [],
      },
    },
    unsaved: new Map(
      topics.map(({ topic, unsavedBytes = 0 }) => [
        keyOf(topic).topicId,
        { topic, months: new Map(unsavedBytes === 0 ? [] : [[monthAt(now), unsavedBytes]]) },
      ]),
    ),
    acceptedGaps: new Set(),
    ...more,
  };
}

function followedOf(row: GivenTopic): FollowedPartition[] {
  const { topic, partitions = 3, unsaved = 0, lag = 0, stopped, gaps = [], isGone = false } = row;
  return Array.from({ length: isGone ? 0 : partitions }, (_, partition): FollowedPartition => {
    const isFirst = partition === 0;
    return {
      ...keyOf(topic, partition),
      state: stopped !== undefined && isFirst ? 'stopped' : 'fetching',
      problem: isFirst ? stopped : undefined,
      from: 0n,
      durable: savedEnd + BigInt(isFirst ? unsaved - lag : 0),
      stable: savedEnd + BigInt(isFirst ? unsaved : 0),
      gaps: isFirst ? gaps : [],
      truncations: 0,
    };
  });
}

const savedEnd = 1_000_000n;

function layeredOf({ topic, months, partitions = 3, isGone = false }: GivenTopic): LayeredTopic {
  const thisMonth = monthAt(now);
  const rawBytes = months.reduce((sum, bytes) => sum + bytes, 0);
  return {
    topic,
    topicId: keyOf(topic).topicId,
    firstSeen: null,
    isExpected: !isGone,
    records: Math.round(rawBytes / 310),
    rawBytes,
    firstMs: BigInt(Date.UTC(2026, 10 - months.length + 1, 3, 7, 12)),
    lastMs: BigInt(Date.UTC(2026, 10, 21, 2, 59, 58)),
    missingOffsets: 0n,
    months: months
      .map((bytes, index) => ({ month: thisMonth - months.length + 1 + index, bytes }))
      .filter(({ bytes }) => bytes > 0),
    partitions: Array.from({ length: partitions }, (_, partition) => ({
      partition,
      from: 0n,
      to: savedEnd,
      gaps: [],
    })),
  };
}

export function snapshot(seq: number, takenMs: number, more: Partial<LayeredSnapshot> = {}): LayeredSnapshot {
  const stamp = new Date(takenMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  return {
    instance: 'main',
    id: `${stamp}-${(seq * 7919).toString(16).padStart(4, '0').slice(-4)}`,
    seq,
    takenMs,
    publishedMs: takenMs + 94_000,
    cluster: 'k3PN8zE1QCa7mL0rT5wXyA',
    topics: 14,
    partitions: 96,
    records: 61_204_118,
    rawBytes: 31.2e9,
    bytes: 7.4e9,
    newBytes: 61e6 + ((seq * 7919) % 40) * 1e6,
    verified: true,
    verifiedMs: takenMs,
    pinned: false,
    views: [],
    reasons: [],
    ...more,
  };
}

export function cycleNote(beganMs: number, more: Partial<CycleNote> = {}): CycleNote {
  return {
    trigger: 'schedule',
    beganMs,
    endedMs: beganMs + 94_000,
    outcome: 'published',
    phase: undefined,
    phasesMs: {
      open: 900,
      plan: 700,
      seal: 51_000,
      check: 24_000,
      publish: 11_000,
      rotate: 4000,
      free: 2400,
    },
    snapshot: undefined,
    newBytes: 74e6,
    linkedBytes: 7.3e9,
    verified: true,
    expired: 1,
    problem: undefined,
    hint: undefined,
    ...more,
  };
}
