import type { Metadata, PartitionMetadata } from '../kafka/kafka.ts';
import { kafkaError } from '../kafka/kafka.ts';
import type { PartitionKey } from '../local/local.ts';
import type { Leader } from './stream.ts';

export interface PlannedPartition {
  readonly key: PartitionKey;
  /** Absent while the partition has none. */
  readonly leader: Leader | undefined;
  readonly problem: string | undefined;
}

/** Wanted, and not to be had just now: one partition, or a topic as a whole. */
export interface Missing {
  readonly topic: string;
  readonly partition: number | undefined;
  readonly message: string;
  /** True for what an election does, and the end of one undoes. */
  readonly passes: boolean;
}

/** A topic as the cluster tells of it. */
export interface TopicThere {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: number;
  readonly replicationFactor: number;
}

export interface Plan {
  readonly partitions: readonly PlannedPartition[];
  /** Topics that were wanted and cannot be had, with the reason. */
  readonly refused: readonly {
    topic: string;
    message: string;
    isUnauthorised: boolean;
    passes: boolean;
  }[];
  /** Every wanted topic that the cluster has now, by name. */
  readonly topics: ReadonlyMap<string, TopicThere>;
  /** How many topics of the cluster's users are not wanted. */
  readonly excluded: number;
}

/** What to read, given what the cluster says it has. Pure. */
export function planPartitions(metadata: Metadata, isWanted: (topic: string) => boolean): Plan {
  const partitions: PlannedPartition[] = [];
  const refused: Plan['refused'][number][] = [];
  const topics = new Map<string, TopicThere>();
  const brokers = new Set(metadata.brokers.map(({ id }) => id));
  let excluded = 0;
  for (const topic of metadata.topics) {
    if (topic.name === '') continue;
    if (!isWanted(topic.name)) {
      if (!topic.name.startsWith('__')) excluded += 1;
      continue;
    }
    if (topic.errorCode !== 0) {
      const { name, text, kind, retryable: passes } = kafkaError(topic.errorCode);
      refused.push({
        topic: topic.name,
        message: `${name}: ${text}`,
        isUnauthorised: kind === 'authorization',
        passes,
      });
      continue;
    }
    topics.set(topic.name, {
      topic: topic.name,
      topicId: topic.topicId,
      partitions: topic.partitions.length,
      replicationFactor: topic.partitions[0]?.replicas.length ?? 0,
    });
    // Kafka 4 tells them in order, older ones in any.
    for (const partition of topic.partitions.toSorted((one, other) => one.partition - other.partition)) {
      const hasLeader = brokers.has(partition.leaderId);
      partitions.push({
        key: { topic: topic.name, topicId: topic.topicId, partition: partition.partition },
        leader: hasLeader ? { brokerId: partition.leaderId, epoch: partition.leaderEpoch } : undefined,
        problem: hasLeader ? undefined : noLeader(partition),
      });
    }
  }
  return { partitions, refused, topics, excluded };
}

function noLeader({ leaderId, errorCode }: PartitionMetadata): string {
  if (leaderId >= 0) return `its leader ${leaderId} is none of the cluster's brokers`;
  return `no leader (${kafkaError(errorCode).name})`;
}
