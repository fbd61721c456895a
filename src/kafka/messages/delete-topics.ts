import type { DeletedTopic } from '../api.ts';
import type { Message } from './message.ts';

/**
 * DeleteTopics, version 6 (Kafka 2.8), by topic id alone: a topic that was made anew under the same name meanwhile stays. `?` is
 * nullable, `[x]` a compact array; strings are compact; every struct and the whole end with tagged fields.
 *
 * request  = [ name ?string (null), topic_id uuid ], timeout_ms int32
 * response = throttle_time_ms int32, [ name ?string, topic_id uuid, error_code int16, error_message ?string ]
 */
export interface DeleteTopicsRequest {
  readonly topicIds: readonly string[];
  readonly timeoutMs: number;
}

export const deleteTopicsMessage: Message<DeleteTopicsRequest, DeletedTopic[]> = {
  name: 'DeleteTopics',
  apiKey: 20,
  version: 6,
  write({ topicIds, timeoutMs }, to) {
    to.array(topicIds, (topicId) => to.nullableString(undefined).uuid(topicId).noTags());
    to.int32(timeoutMs).noTags();
  },
  read(from) {
    const deleted = from.array(21, () => {
      from.nullableString();
      const topicId = from.uuid();
      const row = { topicId, errorCode: from.int16(), message: from.nullableString() };
      from.tags();
      return row;
    });
    from.tags();
    return deleted;
  },
};
