/** The daemon's facts in the text format of Prometheus. Labels are topics and fixed words only. */
import type { CycleFacts, DaemonFacts } from './facts.ts';
import { counter, gauge, many, perWord, seconds, textOf, type Metric } from './samples.ts';
import { topicMetrics } from './topic-metrics.ts';

export async function metricsText(facts: DaemonFacts): Promise<string> {
  return await textOf(metricsOf(facts));
}

/** Times are seconds since 1970, as is the custom. What is not known yet is left out. */
export function metricsOf(facts: DaemonFacts): Metric[] {
  return [
    ...hostMetrics(facts),
    ...topicMetrics(facts),
    ...sinkMetrics(facts),
    ...(facts.cycles === undefined ? [] : cycleMetrics(facts.cycles)),
  ];
}

function hostMetrics(facts: DaemonFacts): Metric[] {
  const { trouble, startedMs, localFreeBytes, localFullInMs, unfinishedRestores } = facts;
  return [
    gauge('varve_start_time_seconds', 'When the daemon began.', seconds(startedMs)),
    gauge('varve_kafka_up', 'Whether a broker can be reached.', trouble.kafka.length === 0 ? 1 : 0),
    gauge('varve_local_up', 'Whether the local disk takes what comes.', trouble.disk.length === 0 ? 1 : 0),
    gauge('varve_local_free_bytes', 'Room on the local disk.', localFreeBytes),
    gauge(
      'varve_local_full_in_seconds',
      'Until the local disk is down to local.minFree at the rate of late.',
      seconds(localFullInMs),
    ),
    gauge('varve_restores_unfinished', 'Restores that were begun and not finished.', unfinishedRestores),
  ];
}

function sinkMetrics({ sink }: DaemonFacts): Metric[] {
  return [
    many(
      'varve_topics_not_backed_up',
      'Topics that are not backed up, or not whole, by reason.',
      perWord('reason', sink?.notBackedUp ?? {}),
    ),
    many('varve_partitions', 'Partitions in each state.', perWord('state', sink?.states ?? {})),
    gauge(
      'varve_last_fsync_time_seconds',
      'When everything that came was last on disk.',
      seconds(sink?.lastSyncMs),
    ),
    gauge(
      'varve_unsynced_since_time_seconds',
      'Since when something is not on disk.',
      seconds(sink?.unsyncedSinceMs),
    ),
    gauge('varve_gaps', 'Ranges of offsets that were deleted before they could be saved.', sink?.gaps),
    gauge('varve_truncations', 'Times that the cluster lost or rewrote records.', sink?.truncations),
    counter('varve_saved_records_total', 'Records saved since the start.', sink?.records),
    counter('varve_saved_bytes_total', 'Bytes saved since the start.', sink?.bytes),
    gauge('varve_in_flight_bytes', 'Fetched, and not written yet.', sink?.inFlightBytes),
  ];
}

function cycleMetrics(cycles: CycleFacts): Metric[] {
  const { lastAttempt, lastSuccess } = cycles;
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
    gauge('varve_snapshot_seq', 'The number of the newest snapshot.', cycles.newestSeq),
    gauge(
      'varve_cycle_verified',
      'Whether its snapshot counts as verified.',
      lastSuccess?.verified === undefined ? undefined : Number(lastSuccess.verified),
    ),
    ...targetMetrics(cycles),
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

function targetMetrics({ target, stuckSinceMs, targetFreeBytes }: CycleFacts): Metric[] {
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
    gauge('varve_target_free_bytes', 'Room on the target.', targetFreeBytes),
  ];
}
