import type { CommitResult, OffsetToCommit } from '../api.ts';
import { byTopic } from './by-topic.ts';
import type { Message } from './message.ts';

/**
 * OffsetCommit, version 8 (Kafka 2.4), without being a member of the group: generation -1 and an empty member id. `?` is nullable, `[x]`
 * a compact array; strings are compact; every struct and the whole end with tagged fields.
 *
 * request  = group_id string, generation_id int32 (-1), member_id string (""), group_instance_id ?string (null)
 *            [ name string [ partition_index int32, committed_offset int64, committed_leader_epoch int32
 *                            committed_metadata ?string ] ]
 * response = throttle_time_ms int32, [ name string [ partition_index int32, error_code int16 ] ]
 */
export interface OffsetCommitRequest {
  readonly group: string;
  readonly rows: readonly OffsetToCommit[];
}

export const offsetCommitMessage: Message<OffsetCommitRequest, CommitResult[]> = {
  name: 'OffsetCommit',
  apiKey: 8,
  version: 8,
  write({ group, rows: offsets }, to) {
    to.string(group).int32(-1).string('').nullableString(undefined);
    to.array(byTopic(offsets), ({ topic, rows }) => {
      to.string(topic);
      to.array(rows, (row) => {
        to.int32(row.partition).int64(row.offset).int32(row.leaderEpoch).string(row.metadata).noTags();
      });
      to.noTags();
    });
    to.noTags();
  },
  read(from) {
    const results: CommitResult[] = [];
    from.array(3, () => {
      const topic = from.string();
      from.array(7, () => {
        results.push({ topic, partition: from.int32(), errorCode: from.int16() });
        from.tags();
      });
      from.tags();
    });
    from.tags();
    return results;
  },
};
