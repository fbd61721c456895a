import type { CatchUpReport } from '../sink/sink.ts';

/** What a backup did, for programs. Offsets are text: JSON's numbers end before they do. */
export interface CatchUpDocument {
  readonly topics: number;
  readonly partitions: number;
  readonly records: number;
  readonly bytes: number;
  readonly gaps: readonly OffsetRange[];
  readonly truncations: readonly { topic: string; topicId: string; partition: number; offset: string }[];
  readonly openTransactions: readonly OffsetRange[];
  readonly damaged: readonly {
    topic: string;
    topicId: string;
    partition: number;
    path: string;
    problem: string;
  }[];
  readonly missing: readonly { topic: string; partition: number | null; reason: string }[];
}

export interface OffsetRange {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly from: string;
  readonly to: string;
}

export function catchUpDocument(report: CatchUpReport): CatchUpDocument {
  const { topics, partitions, records, bytes } = report;
  return {
    topics,
    partitions,
    records,
    bytes,
    gaps: report.gaps.map(rangeOf),
    truncations: report.truncations.map(({ topic, topicId, partition, offset }) => ({
      topic,
      topicId,
      partition,
      offset: String(offset),
    })),
    openTransactions: report.openTransactions.map(rangeOf),
    damaged: report.damaged.map(({ topic, topicId, partition, path, problem }) => ({
      topic,
      topicId,
      partition,
      path,
      problem,
    })),
    missing: report.missing.map(({ topic, partition, message }) => ({
      topic,
      partition: partition ?? null,
      reason: message,
    })),
  };
}

function rangeOf(range: CatchUpReport['gaps'][number]): OffsetRange {
  const { topic, topicId, partition, from, to } = range;
  return { topic, topicId, partition, from: String(from), to: String(to) };
}
