import type { CommittedOffset } from '../api.ts';
import type { Message } from './message.ts';

/**
 * OffsetFetch, version 7 (Kafka 2.5): the committed offsets of one group. `?` is nullable, `[x]` a compact array; strings are compact;
 * every struct and the whole end with tagged fields.
 *
 * request  = group_id string, ?[ name string, [int32] ] (null: all topics), require_stable bool (false)
 * response = throttle_time_ms int32
 *            [ name string [ partition_index int32, committed_offset int64, committed_leader_epoch int32
 *                            metadata ?string, error_code int16 ] ]
 *            error_code int16
 */
export interface OffsetFetchRequest {
  readonly group: string;
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[] | undefined;
}

export interface OffsetFetchResult {
  readonly errorCode: number;
  readonly offsets: readonly CommittedOffset[];
}

export const offsetFetchMessage: Message<OffsetFetchRequest, OffsetFetchResult> = {
  name: 'OffsetFetch',
  apiKey: 9,
  version: 7,
  write({ group, topics }, to) {
    to.string(group);
    if (topics === undefined) to.nullArray();
    else {
      to.array(topics, ({ topic, partitions }) => {
        to.string(topic);
        to.array(partitions, (partition) => to.int32(partition));
        to.noTags();
      });
    }
    to.bool(false).noTags();
  },
  read(from) {
    const offsets: CommittedOffset[] = [];
    from.array(3, () => {
      const topic = from.string();
      from.array(20, () => {
        const partition = from.int32();
        const offset = from.int64();
        const leaderEpoch = from.int32();
        const metadata = from.nullableString() ?? '';
        offsets.push({ topic, partition, offset, leaderEpoch, metadata, errorCode: from.int16() });
        from.tags();
      });
      from.tags();
    });
    const errorCode = from.int16();
    from.tags();
    return { errorCode, offsets };
  },
};
