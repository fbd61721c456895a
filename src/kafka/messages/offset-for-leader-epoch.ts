import type { EpochEnd, EpochQuestion } from '../api.ts';
import { byTopic } from './by-topic.ts';
import type { Message } from './message.ts';

/**
 * OffsetForLeaderEpoch, version 4 (Kafka 2.8). `[x]` is a compact array; strings are compact; every struct and the whole end with
 * tagged fields.
 *
 * request  = replica_id int32 (-1)
 *            [ topic string [ partition int32, current_leader_epoch int32, leader_epoch int32 ] ]
 * response = throttle_time_ms int32
 *            [ topic string [ error_code int16, partition int32, leader_epoch int32, end_offset int64 ] ]
 */
export const offsetForLeaderEpochMessage: Message<readonly EpochQuestion[], EpochEnd[]> = {
  name: 'OffsetForLeaderEpoch',
  apiKey: 23,
  version: 4,
  write(questions, to) {
    to.int32(-1);
    to.array(byTopic(questions), ({ topic, rows }) => {
      to.string(topic);
      to.array(rows, (row) => to.int32(row.partition).int32(row.leaderEpoch).int32(row.epoch).noTags());
      to.noTags();
    });
    to.noTags();
  },
  read(from) {
    const answers: EpochEnd[] = [];
    from.array(3, () => {
      const topic = from.string();
      from.array(19, () => {
        const errorCode = from.int16();
        answers.push({
          topic,
          errorCode,
          partition: from.int32(),
          epoch: from.int32(),
          endOffset: from.int64(),
        });
        from.tags();
      });
      from.tags();
    });
    from.tags();
    return answers;
  },
};
