import type { PartitionStream, StreamState } from './stream.ts';

/** What the sink knows of itself, for a terminal or a log line. */
export interface SinkStatus {
  readonly partitions: number;
  readonly records: number;
  readonly bytes: number;
  readonly stopped: number;
  readonly waiting: number;
  readonly inFlightBytes: number;
}

/** Why somebody should look, in words; empty where all is well. */
export interface Trouble {
  readonly kafka: readonly string[];
  readonly disk: readonly string[];
}

export function troubleOf(
  streams: Iterable<PartitionStream>,
  o: { kafkaIsAway: boolean; diskIsLow: boolean; diskRefuses: boolean },
): Trouble {
  const all = [...streams];
  const lost = all.filter(({ state }) => state.kind === 'waiting' && state.isBrokerLost);
  const isAway = o.kafkaIsAway || (all.length > 0 && lost.length === all.length);
  return {
    kafka: isAway ? ['no broker can be reached'] : [],
    disk: [
      ...(o.diskIsLow ? ['the local disk has less room than local.minFree'] : []),
      ...(o.diskRefuses ? ['the local disk refuses to be written'] : []),
    ],
  };
}

/** The same for somebody who asks every few seconds for years. Counted in one walk over the partitions. */
export interface SinkMetrics {
  readonly topics: readonly TopicMetrics[];
  /** Partitions in each state. */
  readonly states: Readonly<Record<StreamState['kind'], number>>;
  /** When everything that had been written was last on disk. */
  readonly lastSyncMs: number | undefined;
  /** Since when something written is not on disk. */
  readonly unsyncedSinceMs: number | undefined;
  /** As the journals tell it: since each topic was first seen. */
  readonly gaps: number;
  readonly truncations: number;
  /** Since the start. */
  readonly records: number;
  readonly bytes: number;
  readonly inFlightBytes: number;
}

export interface TopicMetrics {
  readonly topic: string;
  readonly partitions: number;
  /** Offsets between what is durable here and what a reader of committed records could have. */
  readonly lagRecords: number;
  /** Offsets that an open transaction holds back. */
  readonly heldBackRecords: number;
  readonly stopped: number;
}

export function statusOf(
  streams: Iterable<PartitionStream>,
  { inFlightBytes }: { inFlightBytes: number },
): SinkStatus {
  const status = { partitions: 0, records: 0, bytes: 0, stopped: 0, waiting: 0 };
  for (const stream of streams) {
    status.partitions += 1;
    status.records += stream.records;
    status.bytes += stream.bytes;
    if (stream.state.kind === 'stopped') status.stopped += 1;
    if (stream.state.kind === 'waiting') status.waiting += 1;
  }
  return { ...status, inFlightBytes };
}

export function metricsOf(
  streams: Iterable<PartitionStream>,
  more: Pick<SinkMetrics, 'lastSyncMs' | 'unsyncedSinceMs' | 'inFlightBytes'>,
): SinkMetrics {
  const total = { gaps: 0, truncations: 0, records: 0, bytes: 0 };
  const states = { fetching: 0, waiting: 0, stopped: 0, gone: 0 };
  const topics = new Map<string, { -readonly [Name in keyof TopicMetrics]: TopicMetrics[Name] }>();
  for (const stream of streams) {
    const { key, state, log, ends } = stream;
    states[state.kind] += 1;
    total.records += stream.records;
    total.bytes += stream.bytes;
    total.gaps += log.coverage.gaps.length;
    total.truncations += log.coverage.truncations.length;
    if (state.kind === 'gone') continue; // an earlier life of the topic has no end to lag behind
    const { topic } = key;
    const row = topics.get(topic) ?? { topic, partitions: 0, lagRecords: 0, heldBackRecords: 0, stopped: 0 };
    topics.set(topic, row);
    row.partitions += 1;
    if (state.kind === 'stopped') row.stopped += 1;
    row.lagRecords += distance(log.durable?.offset ?? stream.next.offset, ends?.stable);
    row.heldBackRecords += distance(ends?.stable, ends?.highWatermark);
  }
  return { ...total, ...more, states, topics: [...topics.values()] };
}

/** What was never heard of counts as nothing. */
function distance(from: bigint | undefined, to: bigint | undefined): number {
  return from === undefined || to === undefined || to <= from ? 0 : Number(to - from);
}
