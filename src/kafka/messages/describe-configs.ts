import type { Reader } from '../reader.ts';
import type { Message } from './message.ts';

/**
 * DescribeConfigs, version 4 (Kafka 2.8), of topics. `?` is nullable, `[x]` a compact array; strings are compact; every struct and the
 * whole end with tagged fields.
 *
 * request  = [ resource_type int8 (2: topic), resource_name string, configuration_keys ?[ string ] (null: all) ]
 *            include_synonyms bool, include_documentation bool
 * response = throttle_time_ms int32
 *            [ error_code int16, error_message ?string, resource_type int8, resource_name string
 *              [ name string, value ?string, read_only bool, config_source int8, is_sensitive bool
 *                [ name string, value ?string, source int8 ]  (synonyms: not asked for)
 *                config_type int8, documentation ?string ] ]
 */
export interface DescribedTopic {
  readonly topic: string;
  readonly errorCode: number;
  /** All that apply, but secrets. */
  readonly configs: readonly DescribedConfig[];
}

export interface DescribedConfig {
  readonly name: string;
  readonly value: string;
  /** Set on the topic itself; what else it has is from the brokers. */
  readonly isOwn: boolean;
}

const topicResource = 2;
const setOnTopic = 1;

export const describeConfigsMessage: Message<readonly string[], DescribedTopic[]> = {
  name: 'DescribeConfigs',
  apiKey: 32,
  version: 4,
  write(topics, to) {
    to.array(topics, (topic) => to.int8(topicResource).string(topic).nullArray().noTags());
    to.bool(false).bool(false).noTags();
  },
  read(from) {
    const described = from.array(7, () => readTopic(from));
    from.tags();
    return described;
  },
};

function readTopic(from: Reader): DescribedTopic {
  const errorCode = from.int16();
  from.nullableString();
  from.int8();
  const topic = from.string();
  const configs: DescribedConfig[] = [];
  from.array(9, () => {
    const name = from.string();
    const value = from.nullableString();
    from.bool();
    const source = from.int8();
    const isSensitive = from.bool();
    from.array(4, () => {
      from.string();
      from.nullableString();
      from.int8();
      from.tags();
    });
    from.int8();
    from.nullableString();
    from.tags();
    if (!isSensitive && value !== undefined) configs.push({ name, value, isOwn: source === setOnTopic });
  });
  from.tags();
  return { topic, errorCode, configs };
}
