import type { Isolation, ListedOffset, OffsetQuestion } from '../api.ts';
import { byTopic } from './by-topic.ts';
import type { Message } from './message.ts';

/**
 * ListOffsets, version 7 (Kafka 3.0). `[x]` is a compact array; strings are compact; every struct and the whole end with tagged fields.
 *
 * request  = replica_id int32 (-1), isolation_level int8
 *            [ name string [ partition_index int32, current_leader_epoch int32, timestamp int64 ] ]
 * response = throttle_time_ms int32
 *            [ name string [ partition_index int32, error_code int16, timestamp int64, offset int64, leader_epoch int32 ] ]
 *
 * A partition may stand in a request once: two questions about it need two requests.
 */
export interface ListOffsetsRequest {
  readonly isolation: Isolation;
  readonly questions: readonly OffsetQuestion[];
}

export const listOffsetsMessage: Message<ListOffsetsRequest, ListedOffset[]> = {
  name: 'ListOffsets',
  apiKey: 2,
  version: 7,
  write({ isolation, questions }, to) {
    to.int32(-1).int8(isolation === 'read_committed' ? 1 : 0);
    to.array(byTopic(questions), ({ topic, rows }) => {
      to.string(topic);
      to.array(rows, (row) => to.int32(row.partition).int32(row.leaderEpoch).int64(row.timestamp).noTags());
      to.noTags();
    });
    to.noTags();
  },
  read(from) {
    const answers: ListedOffset[] = [];
    from.array(3, () => {
      const topic = from.string();
      from.array(27, () => {
        const partition = from.int32();
        const errorCode = from.int16();
        const timestamp = from.int64();
        answers.push({
          topic,
          partition,
          errorCode,
          timestamp,
          offset: from.int64(),
          leaderEpoch: from.int32(),
        });
        from.tags();
      });
      from.tags();
    });
    from.tags();
    return answers;
  },
};
