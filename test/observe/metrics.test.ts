import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { metricsOf, metricsText, type DaemonFacts } from '../../src/observe/observe.ts';
import { facts, factsWithTopics, topicNamed } from './given.ts';

test('facts become samples; what is not known is left out', async () => {
  const text = await metricsText(facts);

  expect(text).toContain('# TYPE varve_lag_records gauge\nvarve_lag_records{topic="orders"} 7\n');
  expect(text).toContain('varve_last_fsync_time_seconds 2.5\n');
  expect(text).toContain('varve_topic_last_fsync_time_seconds{topic="orders"} 2\n');
  expect(text).toContain('varve_topics_not_backed_up{reason="unauthorised"} 4\n');
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
  expect(text).toContain('# TYPE varve_saved_records_total counter\nvarve_saved_records_total 12\n');
  expect(text).not.toContain('varve_unsynced_since_time_seconds');
});

test('what this process has not seen yet is told by the repository, and not as nothing', async () => {
  const { cycles } = facts;
  if (cycles === undefined) throw new Error('the facts have cycles');
  const started: DaemonFacts = {
    ...facts,
    cycles: {
      ...cycles,
      newestSeq: undefined,
      lastAttempt: undefined,
      lastSuccess: undefined,
      target: 'unknown',
      stuckSinceMs: undefined,
      targetFreeBytes: undefined,
    },
  };
  const text = await metricsText(started);

  expect(text).toContain('varve_cycle_last_success_time_seconds 4\n');
  expect(text).toContain('varve_cycle_new_bytes 15\n');
  expect(text).toContain('varve_cycle_linked_bytes 45\n');
  expect(text).toContain('varve_cycle_verified 1\n');
  expect(text).toContain('varve_snapshot_seq 40\n');
  expect(text).toContain('varve_target_up 1\n');
  expect(text).toContain('varve_target_free_bytes 78\n');
  expect(text).not.toContain('varve_cycle_duration_seconds');

  const away = await metricsText({ ...started, repository: { isReached: false, found: undefined } });
  expect(away).toContain('varve_target_up 0\n');
  expect(away).not.toContain('varve_key_slots');
  const { repository } = started;
  if (repository?.found === undefined) throw new Error('the facts have a repository');
  const lost = { file: 'keyring.1', problem: 'it is missing', hint: '', isKeyring: true };
  const found = { ...repository.found, keyProblems: [lost] };
  expect(await metricsText({ ...started, repository: { isReached: true, found } })).toContain(
    'varve_key_problems 1\n',
  );
  const blind = await metricsText({ ...started, repository: undefined });
  expect(blind).not.toMatch(/varve_(cycle_last_success|snapshot_|verify_|target_up|key_slots)/);
});

test('the age of the oldest unsaved record is held against how long the cluster keeps it', async () => {
  const rows = [
    topicNamed('behind', { unsavedSinceMs: 2_000 }),
    topicNamed('overtaken', { unsavedSinceMs: 2_000 }),
    topicNamed('kept for ever', { unsavedSinceMs: 2_000 }),
    topicNamed('all saved', {}),
  ];
  const retentionMs = new Map([
    ['behind', 10_000],
    ['overtaken', 4_000],
    ['all saved', 1],
  ]);
  const text = await metricsText({ ...factsWithTopics(rows), nowMs: 7_000, retentionMs });

  expect(linesOf(text, 'varve_retention_overtakes_in_seconds')).toEqual([
    '{topic="behind"} 5',
    '{topic="overtaken"} -1',
  ]);
  expect(linesOf(text, 'varve_retention_used_ratio')).toEqual([
    '{topic="behind"} 0.5',
    '{topic="overtaken"} 1.25',
  ]);
  expect(linesOf(text, 'varve_oldest_unsaved_time_seconds')).toHaveLength(3);
});

test('topics beyond the limit share one series, which is as bad as the worst of them', async () => {
  const names = Array.from({ length: 5002 }, (_, index) => `t${String(9999 - index)}`);
  const rows = names.map((name) => topicNamed(name, { lagRecords: 1, unsavedSinceMs: 2_000 }));
  const worst = rows.map((row) => (row.topic === 't9999' ? { ...row, unsavedSinceMs: 1_000 } : row));
  const text = await metricsText({ ...factsWithTopics(worst), nowMs: 7_000 });
  const lag = linesOf(text, 'varve_lag_records');

  expect(lag).toHaveLength(5001);
  expect(lag[0]).toBe('{topic="t4998"} 1');
  expect(lag.at(-1)).toBe('{topic="(other)"} 2');
  expect(linesOf(text, 'varve_oldest_unsaved_time_seconds').at(-1)).toBe('{topic="(other)"} 1');
});

test('3,000 topics are told within 200 ms, in the same words each time', async () => {
  const rows = Array.from({ length: 3000 }, (_, index) =>
    topicNamed(`orders.team-${index}.events`, {
      lagRecords: index,
      unsavedSinceMs: 1_000,
      lastSyncMs: 2_000,
    }),
  );
  const retentionMs = new Map(rows.map(({ topic }) => [topic, 604_800_000]));
  const many = { ...factsWithTopics(rows), retentionMs };
  const tookMs: number[] = [];
  const bytes = new Set<number>();
  for (let scrape = 0; scrape < 8; scrape++) {
    const began = process.cpuUsage(); // whatever else this machine does meanwhile
    bytes.add(Buffer.byteLength(await metricsText(many)));
    const { user, system } = process.cpuUsage(began);
    tookMs.push((user + system) / 1000);
  }

  expect(bytes.size).toBe(1);
  expect(Math.min(...tookMs)).toBeLessThan(200);
});

test('a name is never more than a label, whatever stands in it', async () => {
  const topic = 'a"} 1\nvarve_gaps 0\n\\\u001b[2J\u202e\u0085';
  const lines = (await metricsText(factsWithTopics([topicNamed(topic, { lagRecords: 7 })]))).split('\n');

  expect(lines).toContain(
    String.raw`varve_lag_records{topic="a\"} 1\\u{a}varve_gaps 0\\u{a}\\\\u{1b}[2J\\u{202e}\\u{85}"} 7`,
  );
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

function linesOf(text: string, name: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => line.slice(name.length));
}
