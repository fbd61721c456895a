import type { CycleFacts, DaemonFacts, LastCycle, RepositoryFacts } from './facts.ts';
import { newestOf } from './repository-metrics.ts';
import { gauge, many, seconds, type Metric } from './samples.ts';

export function cycleMetrics({ cycles, repository }: DaemonFacts): Metric[] {
  if (cycles === undefined) return [];
  const { lastAttempt } = cycles;
  const lastSuccess = known(cycles.lastSuccess, repository);
  return [
    gauge('varve_cycle_running', 'Whether a cycle runs now.', cycles.runningSinceMs === undefined ? 0 : 1),
    ...scheduleMetrics(cycles),
    gauge('varve_cycle_last_attempt_time_seconds', 'When the last cycle began.', seconds(lastAttempt?.atMs)),
    gauge(
      'varve_cycle_last_attempt_success',
      'Whether the last cycle published.',
      lastAttempt === undefined ? undefined : Number(lastAttempt.isPublished),
    ),
    gauge(
      'varve_cycle_last_success_time_seconds',
      'When the last cycle that published began.',
      seconds(lastSuccess?.atMs),
    ),
    gauge('varve_cycle_duration_seconds', 'How long it took.', seconds(lastSuccess?.tookMs)),
    many(
      'varve_cycle_phase_seconds',
      'How long each part of it took.',
      Object.entries(lastSuccess?.phasesMs ?? {}).map(([phase, ms]) => ({
        labels: { phase },
        value: seconds(ms),
      })),
    ),
    gauge('varve_cycle_new_bytes', 'What it added to the target.', lastSuccess?.newBytes),
    gauge(
      'varve_cycle_linked_bytes',
      'What it took over from the snapshot before.',
      lastSuccess?.linkedBytes,
    ),
    gauge(
      'varve_snapshot_seq',
      'The number of the newest snapshot.',
      largest(cycles.newestSeq, newestOf(repository)?.seq),
    ),
    gauge(
      'varve_cycle_verified',
      'Whether its snapshot counts as verified.',
      lastSuccess?.verified === undefined ? undefined : Number(lastSuccess.verified),
    ),
    ...targetMetrics(cycles, repository),
  ];
}

function scheduleMetrics({ nextMs, intervalMs, overdueSinceMs }: CycleFacts): Metric[] {
  return [
    gauge('varve_cycle_next_time_seconds', 'When the next cycle is due.', seconds(nextMs)),
    gauge(
      'varve_cycle_interval_seconds',
      'From the next scheduled time to the one after.',
      seconds(intervalMs),
    ),
    gauge(
      'varve_cycle_overdue_since_time_seconds',
      'The scheduled time that has led to no snapshot.',
      seconds(overdueSinceMs),
    ),
  ];
}

/** What this process has not seen itself, the newest snapshot tells. */
function known(seen: LastCycle | undefined, repository: RepositoryFacts | undefined): LastCycle | undefined {
  const newest = newestOf(repository);
  if (newest === undefined || (seen?.newBytes !== undefined && seen.atMs >= newest.takenMs)) return seen;
  const { takenMs, newBytes, bytes, verified } = newest;
  const atMs = seen?.atMs ?? takenMs;
  return { atMs, tookMs: undefined, newBytes, linkedBytes: bytes - newBytes, verified, phasesMs: {} };
}

function largest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : Math.max(a, b ?? a);
}

function targetMetrics(
  { target: found, stuckSinceMs, targetFreeBytes }: CycleFacts,
  repository: RepositoryFacts | undefined,
): Metric[] {
  const looked = repository === undefined ? 'unknown' : repository.isReached ? 'up' : 'down';
  const target = found === 'unknown' ? looked : found;
  return [
    many(
      'varve_target_state',
      'What the last cycle found of the target: one of these is 1.',
      (['unknown', 'up', 'down', 'stuck'] as const).map((state) => ({
        labels: { state },
        value: Number(state === target),
      })),
    ),
    gauge(
      'varve_target_up',
      'Whether the target could be used.',
      target === 'unknown' ? undefined : Number(target === 'up'),
    ),
    gauge(
      'varve_target_stuck_since_time_seconds',
      'When the child process that hangs on the target began.',
      seconds(stuckSinceMs),
    ),
    gauge('varve_target_free_bytes', 'Room on the target.', targetFreeBytes ?? repository?.found?.freeBytes),
  ];
}
