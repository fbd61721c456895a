import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { metricsOf, metricsText, type DaemonFacts } from '../../src/observe/observe.ts';

const facts: DaemonFacts = {
  startedMs: 1_000,
  sink: {
    topics: [{ topic: 'orders', partitions: 3, lagRecords: 7, heldBackRecords: 0, stopped: 1 }],
    states: { fetching: 2, waiting: 0, stopped: 1, gone: 0 },
    lastSyncMs: 2_500,
    unsyncedSinceMs: undefined,
    gaps: 1,
    truncations: 0,
    records: 12,
    bytes: 3400,
    inFlightBytes: 0,
  },
  trouble: { kafka: [], disk: ['the local disk refuses to be written'] },
  localFreeBytes: 5,
  localFullInMs: 3_600_000,
  unfinishedRestores: 2,
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
};

test('facts become samples; what is not known is left out', () => {
  const text = metricsText(facts);

  expect(text).toContain('# TYPE varve_lag_records gauge\nvarve_lag_records{topic="orders"} 7\n');
  expect(text).toContain('varve_last_fsync_time_seconds 2.5\n');
  expect(text).toContain('varve_local_up 0\n');
  expect(text).toContain('varve_kafka_up 1\n');
  expect(text).toContain('varve_target_state{state="stuck"} 1\n');
  expect(text).toContain('varve_target_state{state="up"} 0\n');
  expect(text).toContain('varve_target_stuck_since_time_seconds 8.5\n');
  expect(text).toContain('varve_target_up 0\n');
  expect(text).toContain('varve_local_full_in_seconds 3600\n');
  expect(text).toContain('varve_cycle_interval_seconds 86400\n');
  expect(text).toContain('varve_cycle_overdue_since_time_seconds 7\n');
  expect(text).toContain('varve_snapshot_seq 41\n');
  expect(text).toContain('varve_cycle_last_attempt_success 0\n');
  expect(text).toContain('varve_cycle_phase_seconds{phase="seal"} 0.1\n');
  expect(text).not.toContain('varve_unsynced_since_time_seconds');
});

test('a name is never more than a label, whatever stands in it', () => {
  const { sink } = facts;
  if (sink === undefined) throw new Error('the facts have a sink');
  const topic = 'a"} 1\nvarve_gaps 0\n\\';
  const topics = [{ topic, partitions: 1, lagRecords: 7, heldBackRecords: 0, stopped: 0 }];
  const lines = metricsText({ ...facts, sink: { ...sink, topics } }).split('\n');

  expect(lines).toContain(String.raw`varve_lag_records{topic="a\"} 1\nvarve_gaps 0\n\\"} 7`);
  expect(lines.filter((line) => line.startsWith('varve_gaps '))).toEqual(['varve_gaps 1']);
});

test('docs/metrics.md lists every metric with its type, and no other', () => {
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(varve_[a-z_]+)(?:\{[a-z]+\})?` \| (gauge|counter) \|/gm)];

  expect(documented.map(([, name, type]) => `${name} ${type}`).toSorted()).toEqual(
    metricsOf(facts)
      .map(({ name, type }) => `${name} ${type}`)
      .toSorted(),
  );
});
