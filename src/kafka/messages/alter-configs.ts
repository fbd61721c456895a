import type { ChangedTopic, TopicChange } from '../api.ts';
import type { Message } from './message.ts';

/**
 * IncrementalAlterConfigs, version 1 (Kafka 2.4), of topics: what is not named stays as it is. `?` is nullable, `[x]` a compact array;
 * strings are compact; every struct and the whole end with tagged fields.
 *
 * request  = [ resource_type int8 (2: topic), resource_name string
 *              [ name string, config_operation int8 (0 set, 1 delete), value ?string ] ]
 *            validate_only bool
 * response = throttle_time_ms int32, [ error_code int16, error_message ?string, resource_type int8, resource_name string ]
 */
export interface AlterConfigsRequest {
  readonly changes: readonly TopicChange[];
  readonly validateOnly: boolean;
}

const topicResource = 2;

export const alterConfigsMessage: Message<AlterConfigsRequest, ChangedTopic[]> = {
  name: 'IncrementalAlterConfigs',
  apiKey: 44,
  version: 1,
  write({ changes, validateOnly }, to) {
    to.array(changes, ({ topic, configs }) => {
      to.int8(topicResource).string(topic);
      to.array(configs, ([name, value]) => {
        to.string(name).int8(value === undefined ? 1 : 0);
        to.nullableString(value).noTags();
      });
      to.noTags();
    });
    to.bool(validateOnly).noTags();
  },
  read(from) {
    const changed = from.array(6, () => {
      const errorCode = from.int16();
      const message = from.nullableString();
      from.int8();
      const row = { topic: from.string(), errorCode, message };
      from.tags();
      return row;
    });
    from.tags();
    return changed;
  },
};
