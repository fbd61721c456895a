import type { FetchedPartition, FetchPartition, FetchRequest } from '../records.ts';
import type { SessionStep } from '../fetch-session.ts';
import type { Reader } from '../reader.ts';
import type { Message } from './message.ts';

/**
 * Fetch, version 13 (Kafka 3.1): by topic id, read_committed. `?` is nullable, `[x]` a compact array; strings
 * and bytes are compact; every struct and the whole end with tagged fields.
 *
 * request  = replica_id int32 (-1), max_wait_ms int32, min_bytes int32, max_bytes int32
 *            isolation_level int8 (1), session_id int32, session_epoch int32 (-1: none, 0: a new one)
 *            [ topic_id uuid
 *              [ partition int32, current_leader_epoch int32, fetch_offset int64, last_fetched_epoch int32
 *                log_start_offset int64 (-1), partition_max_bytes int32 ] ]
 *            forgotten [ topic_id uuid, [ partition int32 ] ], rack_id string
 * response = throttle_time_ms int32, error_code int16, session_id int32
 *            [ topic_id uuid
 *              [ partition_index int32, error_code int16, high_watermark int64, last_stable_offset int64
 *                log_start_offset int64, aborted ?[ producer_id int64, first_offset int64 ]
 *                preferred_read_replica int32, records ?bytes
 *                tag 0: diverging_epoch { epoch int32, end_offset int64 } ] ]
 *
 * The records are a view into the response. The order of the partitions asked for is kept: neighbours of one topic share its entry.
 */
export interface FetchQuestion extends Omit<FetchRequest, 'partitions' | 'session'> {
  readonly session: SessionStep;
}

export interface FetchResult {
  readonly errorCode: number;
  /** 0 where the broker has none. */
  readonly sessionId: number;
  readonly partitions: FetchedPartition[];
}

export const fetchMessage: Message<FetchQuestion, FetchResult> = {
  name: 'Fetch',
  apiKey: 1,
  version: 13,
  write(request, to) {
    to.int32(-1).int32(request.maxWaitMs).int32(request.minBytes).int32(request.maxBytes);
    const { id, epoch, partitions: rows, forgotten } = request.session;
    to.int8(1).int32(id).int32(epoch);
    to.array(runsOfOneTopic(rows), ({ topicId, partitions }) => {
      to.uuid(topicId);
      to.array(partitions, (row) => {
        to.int32(row.partition).int32(row.leaderEpoch).int64(row.offset).int32(row.lastEpoch);
        to.int64(-1n).int32(row.maxBytes).noTags();
      });
      to.noTags();
    });
    to.array(runsOfOneTopic(forgotten), ({ topicId, partitions }) => {
      to.uuid(topicId);
      to.array(partitions, ({ partition }) => to.int32(partition));
      to.noTags();
    });
    to.string(request.rackId ?? '').noTags();
  },
  read(from) {
    const errorCode = from.int16();
    const sessionId = from.int32();
    const partitions: FetchedPartition[] = [];
    const readRows = (): void => {
      const topicId = from.uuid();
      const left = rowsMax - partitions.length;
      from.array(37, () => partitions.push(readPartition(from, topicId)), left);
      from.tags();
    };
    from.array(18, readRows, rowsMax);
    from.tags();
    return { errorCode, sessionId, partitions };
  },
};

/** More than anybody asks for at once. */
const rowsMax = 10_000;
const abortedMax = 500_000;

function runsOfOneTopic(
  rows: readonly FetchPartition[],
): { topicId: string; partitions: FetchPartition[] }[] {
  const runs: { topicId: string; partitions: FetchPartition[] }[] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last?.topicId === row.topicId) last.partitions.push(row);
    else runs.push({ topicId: row.topicId, partitions: [row] });
  }
  return runs;
}

function readPartition(from: Reader, topicId: string): FetchedPartition {
  const row = {
    topicId,
    partition: from.int32(),
    errorCode: from.int16(),
    highWatermark: from.int64(),
    lastStableOffset: from.int64(),
    logStartOffset: from.int64(),
    aborted: from.nullableArray(17, () => readAborted(from), abortedMax) ?? [],
    preferredReadReplica: from.int32(),
    records: from.nullableBytes() ?? noRecords,
  };
  let diverging: { epoch: number; endOffset: bigint } | undefined;
  from.tags((tag) => {
    if (tag !== 0) return false;
    diverging = { epoch: from.int32(), endOffset: from.int64() };
    from.tags();
    return true;
  });
  return diverging === undefined ? row : { ...row, diverging };
}

const noRecords = Buffer.alloc(0);

function readAborted(from: Reader): { producerId: bigint; firstOffset: bigint } {
  const aborted = { producerId: from.int64(), firstOffset: from.int64() };
  from.tags();
  return aborted;
}
