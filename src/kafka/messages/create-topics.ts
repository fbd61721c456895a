import type { CreatedTopic, NewTopic } from '../api.ts';
import type { Message } from './message.ts';

/**
 * CreateTopics, version 7 (Kafka 2.8): the answer tells the new topic's id. `?` is nullable, `[x]` a compact array; strings are
 * compact; every struct and the whole end with tagged fields.
 *
 * request  = [ name string, num_partitions int32, replication_factor int16, assignments [ ] (none)
 *              configs [ name string, value ?string ] ]
 *            timeout_ms int32, validate_only bool
 * response = throttle_time_ms int32
 *            [ name string, topic_id uuid, error_code int16, error_message ?string, num_partitions int32
 *              replication_factor int16, configs ?[ name string, value ?string, read_only bool, config_source int8, is_sensitive bool ] ]
 */
export interface CreateTopicsRequest {
  readonly topics: readonly NewTopic[];
  readonly validateOnly: boolean;
  readonly timeoutMs: number;
}

export const createTopicsMessage: Message<CreateTopicsRequest, CreatedTopic[]> = {
  name: 'CreateTopics',
  apiKey: 19,
  version: 7,
  write({ topics, validateOnly, timeoutMs }, to) {
    to.array(topics, ({ topic, partitions, replicationFactor, configs }) => {
      to.string(topic).int32(partitions).int16(replicationFactor);
      to.array([], () => undefined);
      to.array(configs, ([name, value]) => to.string(name).string(value).noTags());
      to.noTags();
    });
    to.int32(timeoutMs).bool(validateOnly).noTags();
  },
  read(from) {
    const created = from.array(27, () => {
      const topic = from.string();
      const topicId = from.uuid();
      const errorCode = from.int16();
      const message = from.nullableString();
      from.int32();
      from.int16();
      const rows = from.nullableArray(6, () => {
        const row = { name: from.string(), value: from.nullableString() };
        from.bool();
        from.int8();
        from.bool();
        from.tags();
        return row;
      });
      from.tags();
      const configs = (rows ?? []).flatMap(({ name, value }) =>
        value === undefined ? [] : [{ name, value }],
      );
      return { topic, topicId, errorCode, message, configs };
    });
    from.tags();
    return created;
  },
};
