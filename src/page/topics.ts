import { gapId } from '../local/local.ts';
import { momentText } from '../observe/observe.ts';
import { monthAt, monthText, type Month } from '../schedule/schedule.ts';
import type { FollowedPartition } from '../sink/sink.ts';
import type { LayeredTopic } from '../snapshot/snapshot.ts';
import type { PageFacts } from './facts.ts';

/** One life of a topic: what lies of it, and from when to when it can be had back. */
export interface TopicDocument extends TopicRow {
  /** Newest first. */
  readonly months: readonly MonthDocument[];
}

/** Without its layers, which are made for those alone that are looked at. */
export interface TopicRow {
  readonly topic: string;
  readonly topicId: string;
  /** The cluster has it, and it is followed. */
  readonly isLive: boolean;
  readonly partitions: number;
  readonly stopped: number;
  readonly lagRecords: number;
  readonly unsavedRecords: number;
  readonly unsavedBytes: number;
  /** As they lie in the segments, before they are compressed and sealed. */
  readonly bytes: number;
  /** Of the newest snapshot; null where it has none of it. */
  readonly records: number | null;
  /** Of the oldest record in a snapshot, and of the newest; a topic that is live can be had back up to now. */
  readonly from: string | null;
  readonly to: string | null;
  readonly gaps: readonly GapDocument[];
}

export interface MonthDocument {
  readonly month: string;
  readonly savedBytes: number;
  /** On the local disk only. */
  readonly unsavedBytes: number;
  /** The month is over, and all of it is in a snapshot. */
  readonly isSealed: boolean;
}

export interface GapDocument {
  readonly partition: number;
  readonly from: string;
  readonly to: string;
  /** When it was met. */
  readonly at: string;
  /** Somebody has said that it is known. */
  readonly isAccepted: boolean;
}

/** The largest first; of equal ones by name. */
export function topicsOf(facts: PageFacts): TopicRow[] {
  const saved = new Map((facts.repository?.strata?.topics ?? []).map((topic) => [topic.topicId, topic]));
  const followed = Map.groupBy(facts.followed, ({ topicId }) => topicId);
  const ids = new Set([...saved.keys(), ...followed.keys(), ...(facts.unsaved?.keys() ?? [])]);
  return [...ids]
    .map((topicId) =>
      topicOf(facts, topicId, { saved: saved.get(topicId), partitions: followed.get(topicId) ?? [] }),
    )
    .toSorted((a, b) => b.bytes - a.bytes || (a.topic < b.topic ? -1 : 1));
}

function topicOf(
  facts: PageFacts,
  topicId: string,
  o: { saved: LayeredTopic | undefined; partitions: readonly FollowedPartition[] },
): TopicRow {
  const { saved, partitions } = o;
  const local = facts.unsaved?.get(topicId);
  const live = partitions.filter(({ state }) => state !== 'gone');
  const unsavedBytes = sumOf([...(local?.months.values() ?? [])], (bytes) => bytes);
  const held = new Map(saved?.partitions.map(({ partition, to }) => [partition, to]));
  const topic = partitions[0]?.topic ?? saved?.topic ?? local?.topic ?? '';
  return {
    topic,
    topicId,
    isLive: live.length > 0,
    partitions: Math.max(partitions.length, saved?.partitions.length ?? 0),
    stopped: partitions.filter(({ state }) => state === 'stopped').length,
    lagRecords: sumOf(live, ({ durable, stable }) => distance(durable, stable)),
    unsavedRecords: sumOf(partitions, ({ partition, from, durable, stable, state }) => {
      const end = state === 'gone' || stable === undefined || stable < durable ? durable : stable;
      return distance(held.get(partition) ?? from, end);
    }),
    unsavedBytes,
    bytes: sumOf(saved?.months ?? [], ({ bytes }) => bytes) + unsavedBytes,
    records: saved?.records ?? null,
    from: saved?.firstMs === undefined ? null : timeOrNull(saved.firstMs),
    to: saved?.lastMs === undefined ? null : timeOrNull(saved.lastMs),
    gaps: gapsOf(facts.acceptedGaps, { ...o, topic, topicId }),
  };
}

/** The row with its layers. */
export function layersOf(facts: PageFacts, row: TopicRow): TopicDocument {
  const { topicId } = row;
  const saved = facts.repository?.strata?.topics.find((topic) => topic.topicId === topicId);
  const local = facts.unsaved?.get(topicId)?.months ?? new Map<Month, number>();
  const now = monthAt(facts.nowMs);
  const sealed = new Map(saved?.months.map(({ month, bytes }) => [month, bytes]));
  const months = [...new Set([...sealed.keys(), ...local.keys()])]
    .toSorted((a, b) => b - a)
    .map((month) => {
      const unsavedBytes = local.get(month) ?? 0;
      const savedBytes = sealed.get(month) ?? 0;
      const isSealed = month < now && unsavedBytes === 0;
      return { month: monthText(month), savedBytes, unsavedBytes, isSealed };
    });
  return { ...row, months };
}

/** What follows a partition knows its gaps; of what is gone, the snapshot does. */
function gapsOf(
  accepted: ReadonlySet<string>,
  o: {
    topic: string;
    topicId: string;
    saved: LayeredTopic | undefined;
    partitions: readonly FollowedPartition[];
  },
): GapDocument[] {
  const { topic, topicId } = o;
  const told = new Set(o.partitions.map(({ partition }) => partition));
  const others = (o.saved?.partitions ?? []).filter(({ partition }) => !told.has(partition));
  return [...o.partitions, ...others].flatMap(({ partition, gaps }) =>
    gaps.map(({ from, to, at }) => ({
      partition,
      from: String(from),
      to: String(to),
      at,
      isAccepted: accepted.has(gapId({ topic, topicId, partition, from, to })),
    })),
  );
}

/** Timestamps are whatever producers set: one that no calendar has is no end of a range. */
function timeOrNull(ms: bigint | null): string | null {
  return ms === null || ms < 0n || ms > 253_402_300_799_999n ? null : momentText(Number(ms));
}

function distance(from: bigint, to: bigint | undefined): number {
  return to === undefined || to <= from ? 0 : Number(to - from);
}

function sumOf<Item>(items: readonly Item[], valueOf: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + valueOf(item), 0);
}
