import type { Plan } from './plan.ts';
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
  /** Topics by why they are not backed up. */
  readonly notBackedUp: Readonly<Record<NotBackedUpReason, number>>;
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
  /** When something of it was last made durable; undefined where nothing came since the start. */
  readonly lastSyncMs: number | undefined;
  /** No record that is not on disk came before; undefined where none is missing, or nothing is known yet. */
  readonly unsavedSinceMs: number | undefined;
}

/**
 * Why a topic, or a part of it, is not backed up: left out by configuration; Kafka denies it, or refuses it otherwise;
 * partitions were given up on; a partition has no leader, or its files cannot be opened, just now.
 */
export type NotBackedUpReason = 'excluded' | 'unauthorised' | 'refused' | 'stopped' | 'unavailable';

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

type Mutable<Row> = { -readonly [Name in keyof Row]: Row[Name] };

export function metricsOf(
  streams: Iterable<PartitionStream>,
  o: Pick<SinkMetrics, 'lastSyncMs' | 'unsyncedSinceMs' | 'inFlightBytes'> & {
    readonly nowMs: number;
    readonly left: Pick<Plan, 'refused' | 'excluded'>;
    readonly missing: readonly { readonly topic: string }[];
  },
): SinkMetrics {
  const { nowMs, left, missing, ...more } = o;
  const total = { gaps: 0, truncations: 0, records: 0, bytes: 0 };
  const states = { fetching: 0, waiting: 0, stopped: 0, gone: 0 };
  const topics = new Map<string, Mutable<TopicMetrics>>();
  for (const stream of streams) {
    const { key, state, log } = stream;
    states[state.kind] += 1;
    total.records += stream.records;
    total.bytes += stream.bytes;
    total.gaps += log.coverage.gaps.length;
    total.truncations += log.coverage.truncations.length;
    if (state.kind === 'gone') continue; // an earlier life of the topic has no end to lag behind
    const row = topics.get(key.topic) ?? { ...emptyRow, topic: key.topic };
    topics.set(key.topic, row);
    addTo(row, stream, nowMs);
  }
  const rows = [...topics.values()];
  return { ...total, ...more, states, topics: rows, notBackedUp: notBackedUp({ left, missing, rows }) };
}

const emptyRow: Omit<TopicMetrics, 'topic'> = {
  partitions: 0,
  lagRecords: 0,
  heldBackRecords: 0,
  stopped: 0,
  lastSyncMs: undefined,
  unsavedSinceMs: undefined,
};

/** Leaders answer twice a second; one that has not for so long may have more than it told. */
const silentMs = 60_000;

function addTo(row: Mutable<TopicMetrics>, stream: PartitionStream, nowMs: number): void {
  const { state, log, ends, savedThroughMs, syncedMs } = stream;
  const lagRecords = distance(log.durable?.offset ?? stream.next.offset, ends?.stable);
  row.partitions += 1;
  if (state.kind === 'stopped') row.stopped += 1;
  row.lagRecords += lagRecords;
  row.heldBackRecords += distance(ends?.stable, ends?.highWatermark);
  row.lastSyncMs = larger(row.lastSyncMs, syncedMs);
  const isSilent = ends === undefined || nowMs - ends.atMs > silentMs;
  if ((lagRecords > 0 || isSilent) && savedThroughMs !== undefined)
    row.unsavedSinceMs = Math.min(row.unsavedSinceMs ?? Infinity, savedThroughMs);
}

/** A topic counts once, for the first of the reasons that it has. */
function notBackedUp({
  left,
  missing,
  rows,
}: {
  left: Pick<Plan, 'refused' | 'excluded'>;
  missing: readonly { readonly topic: string }[];
  rows: readonly TopicMetrics[];
}): SinkMetrics['notBackedUp'] {
  const reasons = new Map<string, NotBackedUpReason>();
  const note = (topic: string, reason: NotBackedUpReason): void => {
    if (!reasons.has(topic)) reasons.set(topic, reason);
  };
  for (const { topic, isUnauthorised } of left.refused)
    note(topic, isUnauthorised ? 'unauthorised' : 'refused');
  for (const { topic, stopped } of rows) if (stopped > 0) note(topic, 'stopped');
  for (const { topic } of missing) note(topic, 'unavailable');
  const counts = { excluded: left.excluded, unauthorised: 0, refused: 0, stopped: 0, unavailable: 0 };
  for (const reason of reasons.values()) counts[reason] += 1;
  return counts;
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a;
}

/** What was never heard of counts as nothing. */
function distance(from: bigint | undefined, to: bigint | undefined): number {
  return from === undefined || to === undefined || to <= from ? 0 : Number(to - from);
}
