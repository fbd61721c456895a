import type { TopicMetrics } from '../sink/sink.ts';
import type { DaemonFacts } from './facts.ts';
import { many, seconds, type Metric, type Sample } from './samples.ts';
import { escapeControls } from '../escape.ts';

/** So many topics have series of their own, the first ones by name; all others share one. */
export const topicsMax = 5000;

/** No topic of Kafka can have this name. */
const others = '(other)';

type Fold = (values: readonly number[]) => number;

const sum: Fold = (values) => values.reduce((total, value) => total + value, 0);
const largest: Fold = (values) => values.reduce((best, value) => Math.max(best, value), -Infinity);
const smallest: Fold = (values) => values.reduce((best, value) => Math.min(best, value), Infinity);

export function topicMetrics({ sink, nowMs, retentionMs }: DaemonFacts): Metric[] {
  const all = sink?.topics ?? [];
  const topics = all.length <= topicsMax ? all : all.toSorted((a, b) => (a.topic < b.topic ? -1 : 1));
  // The format escapes quotes and line ends only; a terminal would obey the rest.
  const own = topics
    .slice(0, topicsMax)
    .map((row) => ({ row, labels: { topic: escapeControls(row.topic) } }));
  const more = topics.slice(topicsMax);
  const each = (fold: Fold, valueOf: (topic: TopicMetrics) => number | undefined): Sample[] => {
    const known = more.map(valueOf).filter((value) => value !== undefined);
    const shared = known.length === 0 ? [] : [{ labels: { topic: others }, value: fold(known) }];
    return [...own.map(({ row, labels }) => ({ labels, value: valueOf(row) })), ...shared];
  };
  const ageMs = ({ unsavedSinceMs }: TopicMetrics): number | undefined =>
    unsavedSinceMs === undefined ? undefined : Math.max(0, nowMs - unsavedSinceMs);
  const overtakenInMs = (row: TopicMetrics): number | undefined => {
    const [age, keptMs] = [ageMs(row), retentionMs.get(row.topic)];
    return age === undefined || keptMs === undefined ? undefined : keptMs - age;
  };
  const retentionUsed = (row: TopicMetrics): number | undefined => {
    const [age, keptMs] = [ageMs(row), retentionMs.get(row.topic)];
    return age === undefined || keptMs === undefined ? undefined : age / Math.max(1, keptMs);
  };
  return [
    many(
      'varve_lag_records',
      'Committed records that are not on the local disk yet.',
      each(sum, (row) => row.lagRecords),
    ),
    many(
      'varve_held_back_records',
      'Records that an open transaction holds back.',
      each(sum, (row) => row.heldBackRecords),
    ),
    many(
      'varve_topic_last_fsync_time_seconds',
      'When records of the topic were last made durable.',
      each(largest, (row) => seconds(row.lastSyncMs)),
    ),
    many(
      'varve_oldest_unsaved_time_seconds',
      'No record that is not on disk came before.',
      each(smallest, (row) => seconds(row.unsavedSinceMs)),
    ),
    many(
      'varve_retention_overtakes_in_seconds',
      'Until the cluster may delete a record that was not saved.',
      each(smallest, (row) => seconds(overtakenInMs(row))),
    ),
    many(
      'varve_retention_used_ratio',
      'The age of the oldest unsaved record as a share of how long the cluster keeps it.',
      each(largest, retentionUsed),
    ),
    many(
      'varve_topic_partitions',
      'Partitions that are followed.',
      each(sum, (row) => row.partitions),
    ),
    many(
      'varve_topic_partitions_stopped',
      'Partitions that were given up on.',
      each(sum, (row) => row.stopped),
    ),
  ];
}
