import type { CommittedOffset } from '../api.ts';
import type { Reader } from '../reader.ts';
import type { Message } from './message.ts';

/**
 * OffsetFetch, version 8 (Kafka 3.0): all committed offsets of many groups. `?` is nullable, `[x]` a compact array; strings are compact;
 * every struct and the whole end with tagged fields.
 *
 * request  = [ group_id string, topics ?[ name string, [int32] ] (null: all topics) ], require_stable bool (false)
 * response = throttle_time_ms int32
 *            [ group_id string
 *              [ name string [ partition_index int32, committed_offset int64, committed_leader_epoch int32
 *                              metadata ?string, error_code int16 ] ]
 *              error_code int16 ]
 */
export interface OffsetsOfGroup {
  readonly group: string;
  readonly errorCode: number;
  readonly offsets: readonly CommittedOffset[];
}

export const offsetFetchMessage: Message<readonly string[], OffsetsOfGroup[]> = {
  name: 'OffsetFetch',
  apiKey: 9,
  version: 8,
  write(groups, to) {
    to.array(groups, (group) => to.string(group).nullArray().noTags());
    to.bool(false).noTags();
  },
  read(from) {
    const answers = from.array(5, () => readGroup(from));
    from.tags();
    return answers;
  },
};

function readGroup(from: Reader): OffsetsOfGroup {
  const group = from.string();
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
  return { group, errorCode, offsets };
}
