import type { Broker, Metadata, PartitionMetadata, TopicMetadata } from '../api.ts';
import type { Reader } from '../reader.ts';
import type { Message } from './message.ts';

/**
 * Metadata, version 12 (Kafka 3.1). `?` is nullable, `[x]` a compact array; strings are compact; every struct and the whole end with
 * tagged fields.
 *
 * request  = ?[ topic_id uuid, name ?string ]  (null: all topics)
 *            allow_auto_topic_creation bool, include_topic_authorized_operations bool
 * response = throttle_time_ms int32
 *            [ node_id int32, host string, port int32, rack ?string ]
 *            cluster_id ?string, controller_id int32
 *            [ error_code int16, name ?string, topic_id uuid, is_internal bool
 *              [ error_code int16, partition_index int32, leader_id int32, leader_epoch int32
 *                replica_nodes [int32], isr_nodes [int32], offline_replicas [int32] ]
 *              topic_authorized_operations int32 ]
 *
 * Asking never creates a topic. Errors of topics and partitions are kept where they are. An answer beyond what a cluster
 * can have is malformed: each partition in it would become files here.
 */
export interface MetadataRequest {
  /** Undefined: all topics. */
  readonly topics: readonly string[] | undefined;
}

export const metadataMessage: Message<MetadataRequest, Metadata> = {
  name: 'Metadata',
  apiKey: 3,
  version: 12,
  write({ topics }, to) {
    if (topics === undefined) to.nullArray();
    else to.array(topics, (name) => to.uuid(zeroTopicId).string(name).noTags());
    to.bool(false).bool(false).noTags();
  },
  read(from) {
    const brokers = from.array(11, () => readBroker(from), brokersMax);
    const clusterId = from.nullableString() ?? '';
    const controllerId = from.int32();
    let partitionsLeft = partitionsMax;
    const readOne = (): TopicMetadata => {
      const topic = readTopic(from, partitionsLeft);
      partitionsLeft -= topic.partitions.length;
      return topic;
    };
    const topics = from.array(26, readOne, partitionsMax);
    from.tags();
    return { clusterId, controllerId, brokers, topics };
  },
};

const zeroTopicId = Buffer.alloc(16).toString('base64url');
const brokersMax = 2000;
/** In all; a multiple of what Kafka's own people recommend for a cluster. */
const partitionsMax = 500_000;
const replicasMax = 1000;

function readBroker(from: Reader): Broker {
  const broker = {
    id: from.int32(),
    host: from.string(),
    port: from.int32(),
    rack: from.nullableString(),
  };
  from.tags();
  return broker;
}

function readTopic(from: Reader, partitionsLeft: number): TopicMetadata {
  const topic = {
    errorCode: from.int16(),
    name: from.nullableString() ?? '',
    topicId: from.uuid(),
    isInternal: from.bool(),
    partitions: from.array(22, () => readPartition(from), partitionsLeft),
  };
  from.int32();
  from.tags();
  return topic;
}

function readPartition(from: Reader): PartitionMetadata {
  const partition = {
    errorCode: from.int16(),
    partition: from.int32(),
    leaderId: from.int32(),
    leaderEpoch: from.int32(),
    replicas: from.array(4, () => from.int32(), replicasMax),
    isr: from.array(4, () => from.int32(), replicasMax),
    offline: from.array(4, () => from.int32(), replicasMax),
  };
  from.tags();
  return partition;
}
