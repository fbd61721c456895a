import type { Message } from './message.ts';

/**
 * FindCoordinator, version 4 (Kafka 3.0): of many groups at once. `?` is nullable, `[x]` a compact array; strings are compact; every
 * struct and the whole end with tagged fields.
 *
 * request  = key_type int8 (0: group), [ coordinator_key string ]
 * response = throttle_time_ms int32
 *            [ key string, node_id int32, host string, port int32, error_code int16, error_message ?string ]
 */
export interface FoundCoordinator {
  readonly group: string;
  readonly host: string;
  readonly port: number;
  readonly errorCode: number;
}

export const findCoordinatorsMessage: Message<readonly string[], FoundCoordinator[]> = {
  name: 'FindCoordinator',
  apiKey: 10,
  version: 4,
  write(groups, to) {
    to.int8(0);
    to.array(groups, (group) => to.string(group));
    to.noTags();
  },
  read(from) {
    const found = from.array(14, () => {
      const group = from.string();
      from.int32();
      const row = { group, host: from.string(), port: from.int32(), errorCode: from.int16() };
      from.nullableString();
      from.tags();
      return row;
    });
    from.tags();
    return found;
  },
};
