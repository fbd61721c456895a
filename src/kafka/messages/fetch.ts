import type { Reader } from '../primitives.ts';
import type { Message } from './message.ts';

/*
 * Fetch, version 13 (flexible; topics by id)
 *
 * Request  => replica_id INT32  max_wait_ms INT32  min_bytes INT32  max_bytes INT32  isolation_level INT8
 *             session_id INT32  session_epoch INT32  [topics]  [forgotten]  rack_id COMPACT_STRING  TAGS
 *   topics     => topic_id UUID  [partitions]  TAGS
 *   partitions => partition INT32  current_leader_epoch INT32  fetch_offset INT64  last_fetched_epoch INT32
 *                 log_start_offset INT64  partition_max_bytes INT32  TAGS
 *   forgotten  => topic_id UUID  [partition INT32]  TAGS
 * Response => throttle_time_ms INT32  error_code INT16  session_id INT32  [responses]  TAGS
 *   responses  => topic_id UUID  [partitions]  TAGS
 *   partitions => partition INT32  error_code INT16  high_watermark INT64  last_stable_offset INT64
 *                 log_start_offset INT64  [aborted]  preferred_read_replica INT32  records COMPACT_BYTES
 *                 TAGS (0: diverging_epoch => epoch INT32  end_offset INT64  TAGS)
 *   aborted    => producer_id INT64  first_offset INT64  TAGS
 */
export interface FetchRequest {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly rackId?: string;
  readonly partitions: readonly AskedPartition[];
}

export interface AskedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly offset: bigint;
  /** The leader epoch of the last batch before the offset; −1 where none is known. */
  readonly lastEpoch: number;
  readonly maxBytes: number;
}

export interface FetchedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
  readonly logStartOffset: bigint;
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[];
  readonly preferredReadReplica: number;
  /** The leader's log is another one: the largest epoch it knows up to ours, and where that ends there. */
  readonly diverging?: { readonly epoch: number; readonly endOffset: bigint };
  /** A view of the frame: gone when it is released. */
  readonly records: Buffer;
}

export interface FetchAnswer {
  readonly throttleMs: number;
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

const readCommitted = 1;

export const fetchMessage: Message<FetchRequest, FetchAnswer> = {
  name: 'Fetch',
  apiKey: 1,
  apiVersion: 13,
  write(request, writer) {
    const byTopic = Map.groupBy(request.partitions, ({ topicId }) => topicId);
    writer.int32(-1).int32(request.maxWaitMs).int32(request.minBytes).int32(request.maxBytes);
    writer.int8(readCommitted).int32(0).int32(-1);
    writer.compactArray([...byTopic], ([topicId, partitions], to) => {
      to.uuid(topicId).compactArray(partitions, (asked, each) => {
        each.int32(asked.partition).int32(asked.leaderEpoch).int64(asked.offset).int32(asked.lastEpoch);
        each.int64(-1n).int32(asked.maxBytes).noTags();
      });
      to.noTags();
    });
    writer.compactArray([], () => undefined).compactString(request.rackId ?? '').noTags();
  },
  read(reader) {
    const throttleMs = reader.int32();
    const errorCode = reader.int16();
    reader.int32();
    const partitions: FetchedPartition[] = [];
    reader.compactArray((from) => {
      const topicId = from.uuid();
      from.compactArray((each) => partitions.push(readPartition(topicId, each)));
      from.tags();
    });
    reader.tags();
    return { throttleMs, errorCode, partitions };
  },
  throttleMs: (response) => response.throttleMs,
};

function readPartition(topicId: string, reader: Reader): FetchedPartition {
  const head = {
    topicId,
    partition: reader.int32(),
    errorCode: reader.int16(),
    highWatermark: reader.int64(),
    lastStableOffset: reader.int64(),
    logStartOffset: reader.int64(),
    aborted: reader.compactArray((from) => {
      const transaction = { producerId: from.int64(), firstOffset: from.int64() };
      from.tags();
      return transaction;
    }),
    preferredReadReplica: reader.int32(),
    records: reader.compactBytes(),
  };
  let diverging: FetchedPartition['diverging'];
  reader.tags({
    0: (tag) => {
      diverging = { epoch: tag.int32(), endOffset: tag.int64() };
    },
  });
  return diverging === undefined ? head : { ...head, diverging };
}
