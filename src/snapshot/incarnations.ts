/** The rows of the next manifest, from those of the last one, what is on disk, and what was sealed. Pure. */
import type {
  ExpiredSegment,
  IncarnationRow,
  IndexedSegment,
  Manifest,
  PartitionRow,
} from '../repository/repository.ts';
import type { CutPartition } from './plan.ts';
import type { SeenTopic } from './request.ts';
import { addSealed, mergeCoverage, removeSealed } from './rows.ts';

export interface RowFacts {
  readonly known: readonly IncarnationRow[];
  readonly cut: readonly CutPartition[];
  readonly firstSeen: ReadonlyMap<string, string | undefined>;
  readonly topics: readonly SeenTopic[] | null;
  /** Whose absence was accepted now, or is no matter: another life of the name is there, or it is no longer included. */
  readonly isAccepted: (topic: string) => boolean;
  readonly sealed: readonly IndexedSegment[];
  readonly expired: readonly IndexedSegment[];
  /** RFC 3339, for a gap that nobody noted before. */
  readonly at: string;
}

export function nextRows(facts: RowFacts): IncarnationRow[] {
  const rows = new Map<string, IncarnationRow>();
  for (const row of facts.known) rows.set(row.topicId, row);
  const cuts = groupBy(facts.cut, ({ topicId }) => topicId);
  const sealed = groupBy(facts.sealed, ({ topicId }) => topicId);
  const expired = groupBy(facts.expired, ({ topicId }) => topicId);
  for (const [topicId, partitions] of cuts) {
    if (rows.has(topicId)) continue;
    const topic = partitions[0]?.topic ?? '';
    rows.set(topicId, { topic, topicId, firstSeen: null, isExpected: true, settings: null, partitions: [] });
  }
  const seen = new Map(facts.topics?.map((topic) => [topic.topicId, topic]));
  const ids = new Set(seen.keys());
  const names = new Set(facts.topics?.map(({ topic }) => topic));
  return [...rows.values()].map((row) => ({
    ...row,
    firstSeen: row.firstSeen ?? facts.firstSeen.get(row.topicId) ?? null,
    isExpected: isExpected(row, facts, { ids, names }),
    settings: seen.get(row.topicId)?.settings ?? row.settings,
    partitions: nextPartitions(row.partitions, {
      cut: cuts.get(row.topicId) ?? [],
      sealed: sealed.get(row.topicId) ?? [],
      expired: expired.get(row.topicId) ?? [],
      at: facts.at,
    }),
  }));
}

interface Seen {
  readonly ids: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
}

function isExpected(
  { topic, topicId, isExpected: before }: IncarnationRow,
  facts: RowFacts,
  seen: Seen,
): boolean {
  if (facts.topics === null) return before;
  if (seen.ids.has(topicId)) return true;
  return before && !facts.isAccepted(topic) && !seen.names.has(topic);
}

function nextPartitions(
  known: readonly PartitionRow[],
  o: {
    cut: readonly CutPartition[];
    sealed: readonly IndexedSegment[];
    expired: readonly IndexedSegment[];
    at: string;
  },
): PartitionRow[] {
  const rows = new Map(known.map((row) => [row.partition, row]));
  for (const { partition, coverage } of o.cut) {
    const row = rows.get(partition);
    const merged = mergeCoverage(row?.coverage, coverage, o.at);
    rows.set(partition, { ...(row ?? emptyRow(partition)), coverage: merged });
  }
  for (const segment of o.sealed) {
    const row = rows.get(segment.partition);
    if (row !== undefined) rows.set(segment.partition, withSegment(row, segment));
  }
  for (const segment of o.expired) {
    const row = rows.get(segment.partition);
    if (row !== undefined) rows.set(segment.partition, withoutSegment(row, segment));
  }
  return [...rows.values()].toSorted((a, b) => a.partition - b.partition);
}

/** What policy has let go of so far, joined; what was sealed again since is not. */
export function nextExpired(
  known: readonly ExpiredSegment[],
  o: { sealed: readonly IndexedSegment[]; expired: readonly IndexedSegment[] },
): ExpiredSegment[] {
  const gone = groupBy(known, keyOfPartition);
  const change = (segment: IndexedSegment, apply: typeof addSealed): void => {
    const { topic, topicId, partition, branch, base, next } = segment;
    const key = keyOfPartition(segment);
    const ranges = apply(gone.get(key) ?? [], { branch, from: base, to: next });
    gone.set(
      key,
      ranges.map((range) => ({ topic, topicId, partition, ...range })),
    );
  };
  for (const segment of o.expired) change(segment, addSealed);
  for (const segment of o.sealed) change(segment, removeSealed);
  return [...gone.values()].flat();
}

function keyOfPartition({ topicId, partition }: { topicId: string; partition: number }): string {
  return `${topicId}/${partition}`;
}

function emptyRow(partition: number): PartitionRow {
  const coverage = { ranges: [], epochs: [], gaps: [], truncations: [] };
  return { partition, coverage, sealed: [], records: 0, rawBytes: 0, firstMs: null, lastMs: null };
}

function withSegment(row: PartitionRow, segment: IndexedSegment): PartitionRow {
  const { branch, base, next, records, rawBytes, firstMs, lastMs } = segment;
  return {
    ...row,
    sealed: addSealed(row.sealed, { branch, from: base, to: next }),
    records: row.records + records,
    rawBytes: row.rawBytes + rawBytes,
    firstMs: row.firstMs === null || firstMs < row.firstMs ? firstMs : row.firstMs,
    lastMs: row.lastMs === null || lastMs > row.lastMs ? lastMs : row.lastMs,
  };
}

/** What is left of the times is not known without the indexes; that they lie within the old ones is. */
function withoutSegment(row: PartitionRow, segment: IndexedSegment): PartitionRow {
  const { branch, base, next } = segment;
  const sealed = removeSealed(row.sealed, { branch, from: base, to: next });
  const isEmpty = sealed.length === 0;
  return {
    ...row,
    sealed,
    records: Math.max(0, row.records - segment.records),
    rawBytes: Math.max(0, row.rawBytes - segment.rawBytes),
    firstMs: isEmpty ? null : row.firstMs,
    lastMs: isEmpty ? null : row.lastMs,
  };
}

/** Included topics that the last snapshot saw at the source, and of which no life is there now. */
export function vanishedTopics(
  known: Manifest | undefined,
  topics: readonly SeenTopic[] | null,
  isIncluded: (topic: string) => boolean,
): string[] {
  if (known === undefined || topics === null) return [];
  const names = new Set(topics.map(({ topic }) => topic));
  const gone = known.incarnations
    .filter((row) => row.isExpected && !names.has(row.topic) && isIncluded(row.topic))
    .map(({ topic }) => topic);
  return [...new Set(gone)].toSorted();
}

/** Fewer than half of the partitions that the last snapshot saw: more likely a mistake than the truth. */
export function isShrunk(
  known: Manifest | undefined,
  topics: readonly SeenTopic[] | null,
  isIncluded: (topic: string) => boolean,
): boolean {
  if (known === undefined || topics === null) return false;
  const before = known.incarnations
    .filter((row) => row.isExpected && isIncluded(row.topic))
    .reduce((sum, { partitions }) => sum + partitions.length, 0);
  const now = topics.reduce((sum, { settings }) => sum + settings.partitions, 0);
  return now * 2 < before;
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
