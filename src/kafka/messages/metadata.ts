import type { Message } from './message.ts';

/*
 * Metadata, version 12 (flexible)
 *
 * Request  => [topics] allow_auto_topic_creation include_topic_authorized_operations TAGS
 *   topics (null: all) => topic_id UUID  name COMPACT_NULLABLE_STRING  TAGS
 * Response => throttle_time_ms [brokers] cluster_id controller_id [topics] TAGS
 *   brokers    => node_id INT32  host COMPACT_STRING  port INT32  rack COMPACT_NULLABLE_STRING  TAGS
 *   topics     => error_code INT16  name COMPACT_NULLABLE_STRING  topic_id UUID  is_internal BOOLEAN
 *                 [partitions]  topic_authorized_operations INT32  TAGS
 *   partitions => error_code INT16  partition INT32  leader_id INT32  leader_epoch INT32
 *                 [replicas INT32]  [isr INT32]  [offline INT32]  TAGS
 */
export interface MetadataRequest {
  /** Undefined: all topics. */
  readonly topics: readonly string[] | undefined;
}

export interface BrokerAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

export interface TopicMetadata {
  readonly errorCode: number;
  readonly name: string | null;
  readonly topicId: string;
  readonly isInternal: boolean;
  readonly partitions: readonly PartitionMetadata[];
}

export interface PartitionMetadata {
  readonly errorCode: number;
  readonly partition: number;
  /** −1 where there is none. */
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
}

export interface Metadata {
  readonly brokers: readonly BrokerAddress[];
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly topics: readonly TopicMetadata[];
}

const noTopicId = 'AAAAAAAAAAAAAAAAAAAAAA';

export const metadata: Message<MetadataRequest, Metadata & { throttleMs: number }> = {
  name: 'Metadata',
  apiKey: 3,
  apiVersion: 12,
  write({ topics }, writer) {
    writer
      .compactArray(topics ?? null, (name, to) => to.uuid(noTopicId).compactString(name).noTags())
      .boolean(false)
      .boolean(false)
      .noTags();
  },
  read(reader) {
    const throttleMs = reader.int32();
    const brokers = reader.compactArray((from) => {
      const broker = {
        nodeId: from.int32(),
        host: from.compactString(),
        port: from.int32(),
        rack: from.compactNullableString(),
      };
      from.tags();
      return broker;
    });
    const clusterId = reader.compactNullableString();
    const controllerId = reader.int32();
    const topics = reader.compactArray((from) => {
      const errorCode = from.int16();
      const name = from.compactNullableString();
      const topicId = from.uuid();
      const isInternal = from.boolean();
      const partitions = from.compactArray((each) => {
        const partition = {
          errorCode: each.int16(),
          partition: each.int32(),
          leaderId: each.int32(),
          leaderEpoch: each.int32(),
          replicas: each.compactArray((id) => id.int32()),
          inSync: each.compactArray((id) => id.int32()),
        };
        each.compactArray((id) => id.int32());
        each.tags();
        return partition;
      });
      from.int32();
      from.tags();
      return { errorCode, name, topicId, isInternal, partitions };
    });
    reader.tags();
    return { throttleMs, brokers, clusterId, controllerId, topics };
  },
  throttleMs: (response) => response.throttleMs,
};
