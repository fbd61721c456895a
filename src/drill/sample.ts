/** Which part of a snapshot a drill takes, so that it stays affordable. Pure. */
import type { Range } from '../restore/restore.ts';

export interface CandidatePartition {
  readonly partition: number;
  /** The offsets that it covers, in order. */
  readonly ranges: readonly Range[];
  readonly rawBytes: number;
}

export interface Candidate {
  readonly topic: string;
  readonly topicId: string;
  /** Of the topic that would be made. */
  readonly partitionCount: number;
  readonly partitions: readonly CandidatePartition[];
}

export interface SampledPartition {
  readonly partition: number;
  /** Only offsets from here on. */
  readonly from: bigint;
  readonly isWhole: boolean;
}

export interface SampledTopic {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: readonly SampledPartition[];
}

export interface Sample {
  readonly topics: readonly SampledTopic[];
  readonly leftOut: readonly string[];
  readonly isWhole: boolean;
}

export interface SampleLimits {
  readonly bytesMax: number;
  readonly partitionsMax: number;
  /** With which topic to begin where not all fit: each drill takes others. */
  readonly turn: number;
}

/**
 * As many topics as fit into the number of partitions, beginning with another one each time; of every partition the
 * newest records. All get the same share of the bytes, and what a small one leaves goes to the others.
 */
export function planSample(candidates: readonly Candidate[], o: SampleLimits): Sample {
  const first = candidates.length === 0 ? 0 : o.turn % candidates.length;
  const inTurn = [...candidates.slice(first), ...candidates.slice(0, first)];
  const taken: Candidate[] = [];
  let partitions = 0;
  for (const candidate of inTurn) {
    if (taken.length > 0 && partitions + candidate.partitionCount > o.partitionsMax) continue;
    taken.push(candidate);
    partitions += candidate.partitionCount;
  }
  const share = shareOf(
    taken.flatMap((topic) => topic.partitions.map(({ rawBytes }) => rawBytes)),
    o.bytesMax,
  );
  const topics = candidates
    .filter((candidate) => taken.includes(candidate))
    .map(({ topic, topicId, partitions: rows }) => ({
      topic,
      topicId,
      partitions: rows.map((row) => newestOf(row, share)),
    }));
  const leftOut = candidates.filter((candidate) => !taken.includes(candidate)).map(({ topic }) => topic);
  const isWhole =
    leftOut.length === 0 && topics.every((topic) => topic.partitions.every((row) => row.isWhole));
  return { topics, leftOut, isWhole };
}

/** The most that one may have, so that all together have no more than the limit. */
function shareOf(sizes: readonly number[], limit: number): number {
  let left = limit;
  const sorted = sizes.toSorted((a, b) => a - b);
  for (const [index, size] of sorted.entries()) {
    const share = left / (sorted.length - index);
    if (size > share) return share;
    left -= size;
  }
  return Infinity;
}

/** By the mean size of its records: about as many bytes, and one offset at least. */
function newestOf({ partition, ranges, rawBytes }: CandidatePartition, share: number): SampledPartition {
  const whole = { partition, from: ranges[0]?.from ?? 0n, isWhole: true };
  if (rawBytes <= share) return whole;
  const all = ranges.reduce((sum, { from, to }) => sum + to - from, 0n);
  let wanted = BigInt(Math.max(1, Math.floor((Number(all) * share) / rawBytes)));
  for (const { from, to } of ranges.toReversed()) {
    if (to - from >= wanted) return { partition, from: to - wanted, isWhole: false };
    wanted -= to - from;
  }
  return whole;
}
