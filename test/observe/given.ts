import type { DaemonFacts, RepositoryFound } from '../../src/observe/observe.ts';
import type { SinkMetrics, TopicMetrics } from '../../src/sink/sink.ts';

const sink: SinkMetrics = {
  topics: [topicNamed('orders', { partitions: 3, lagRecords: 7, stopped: 1, lastSyncMs: 2_000 })],
  states: { fetching: 2, waiting: 0, stopped: 1, gone: 0 },
  notBackedUp: { excluded: 3, unauthorised: 4, refused: 0, stopped: 1, unavailable: 0 },
  lastSyncMs: 2_500,
  unsyncedSinceMs: undefined,
  gaps: 1,
  truncations: 0,
  records: 12,
  bytes: 3400,
  inFlightBytes: 0,
};

export const snapshot: RepositoryFound['snapshots'][number] = {
  instance: 'main',
  id: '19700101T000004Z-abcd',
  seq: 40,
  takenMs: 4_000,
  publishedMs: 4_200,
  cluster: 'c',
  topics: 1,
  partitions: 3,
  records: 12,
  rawBytes: 100,
  bytes: 60,
  newBytes: 15,
  verified: true,
  verifiedMs: 3_000,
  pinned: false,
  views: ['daily.0'],
};

export const facts: DaemonFacts = {
  nowMs: 10_000,
  startedMs: 1_000,
  sink,
  retentionMs: new Map(),
  trouble: { kafka: [], disk: ['the local disk refuses to be written'] },
  localFreeBytes: 5,
  localFullInMs: 3_600_000,
  unfinishedRestores: 2,
  drills: {
    runningSinceMs: undefined,
    nextMs: 9_100,
    last: { atMs: 8_100, passed: false, tookMs: 300, passedMs: 4_100 },
  },
  cycles: {
    runningSinceMs: undefined,
    nextMs: 9_000,
    intervalMs: 86_400_000,
    overdueSinceMs: 7_000,
    newestSeq: 41,
    lastAttempt: { atMs: 8_000, isPublished: false },
    lastSuccess: {
      atMs: 4_000,
      tookMs: 250,
      newBytes: 10,
      linkedBytes: 20,
      verified: true,
      phasesMs: { seal: 100 },
    },
    target: 'stuck',
    stuckSinceMs: 8_500,
    targetFreeBytes: 77,
  },
  repository: {
    isReached: true,
    found: {
      lookedMs: 9_500,
      snapshots: [snapshot],
      problems: [],
      freeBytes: 78,
      keySlots: 2,
      keyProblems: [],
      reads: { lastMs: 9_000, cleanMs: 4_500 },
    },
  },
};

export function topicNamed(topic: string, known: Partial<TopicMetrics>): TopicMetrics {
  return {
    topic,
    partitions: 1,
    lagRecords: 0,
    heldBackRecords: 0,
    stopped: 0,
    lastSyncMs: undefined,
    unsavedSinceMs: undefined,
    ...known,
  };
}

export function factsWithTopics(topics: readonly TopicMetrics[]): DaemonFacts {
  return { ...facts, sink: { ...sink, topics } };
}
