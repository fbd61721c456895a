import type { CommitResult, RecordsToDelete } from '../api.ts';
import { byTopic } from './by-topic.ts';
import type { Message } from './message.ts';

/**
 * DeleteRecords, version 2 (Kafka 2.4), to the leaders of the partitions: what stands below the offset goes. `[x]` is a compact array;
 * strings are compact; every struct and the whole end with tagged fields.
 *
 * request  = [ name string [ partition_index int32, offset int64 ] ], timeout_ms int32
 * response = throttle_time_ms int32, [ name string [ partition_index int32, low_watermark int64, error_code int16 ] ]
 */
export interface DeleteRecordsRequest {
  readonly rows: readonly RecordsToDelete[];
  readonly timeoutMs: number;
}

export const deleteRecordsMessage: Message<DeleteRecordsRequest, CommitResult[]> = {
  name: 'DeleteRecords',
  apiKey: 21,
  version: 2,
  write({ rows: wanted, timeoutMs }, to) {
    to.array(byTopic(wanted), ({ topic, rows }) => {
      to.string(topic);
      to.array(rows, ({ partition, before }) => to.int32(partition).int64(before).noTags());
      to.noTags();
    });
    to.int32(timeoutMs).noTags();
  },
  read(from) {
    const results: CommitResult[] = [];
    from.array(3, () => {
      const topic = from.string();
      from.array(15, () => {
        const partition = from.int32();
        from.int64();
        results.push({ topic, partition, errorCode: from.int16() });
        from.tags();
      });
      from.tags();
    });
    from.tags();
    return results;
  },
};
