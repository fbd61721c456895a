/** The daemon's facts as a table of metrics. Labels are topics and fixed words only. */
/** The daemon's facts in the text format of Prometheus. Labels are topics and fixed words only. */
import { cycleMetrics } from './cycle-metrics.ts';
import { drillMetrics } from './drill-metrics.ts';
import type { DaemonFacts } from './facts.ts';
import { repositoryMetrics } from './repository-metrics.ts';
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
    ...cycleMetrics(facts),
    ...repositoryMetrics(facts),
    ...drillMetrics(facts),
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
