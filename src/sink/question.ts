import type { FetchPartition } from '../kafka/kafka.ts';
import type { PartitionStream } from './stream.ts';

/** What a broker is asked of one partition, and where the partition stood then. */
export interface Question {
  readonly id: string;
  readonly stream: PartitionStream;
  readonly generation: number;
  readonly from: PartitionStream['next'];
  readonly row: FetchPartition;
}

/** The same object as before as long as nothing of it has changed: of thousands of partitions most stand still. */
export function questionOf(stream: PartitionStream, before: Question | undefined): Question {
  const { key, generation, next: from, leader, partitionBytes: maxBytes } = stream;
  if (before !== undefined) {
    const { row } = before;
    const isSame =
      before.generation === generation &&
      row.offset === from.offset &&
      row.lastEpoch === from.epoch &&
      row.leaderEpoch === leader.epoch &&
      row.maxBytes === maxBytes;
    if (isSame) return before;
  }
  const { topicId, partition } = key;
  const { offset, epoch: lastEpoch } = from;
  const row = { topicId, partition, leaderEpoch: leader.epoch, offset, lastEpoch, maxBytes };
  return { id: before?.id ?? partitionId(key), stream, generation, from, row };
}

export function partitionId({ topicId, partition }: { topicId: string; partition: number }): string {
  return `${topicId}/${partition}`;
}
