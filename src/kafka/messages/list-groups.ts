import type { Message } from './message.ts';

/**
 * ListGroups, version 4 (Kafka 2.6): the groups whose coordinator the broker is. `[x]` is a compact array; strings are compact; every
 * struct and the whole end with tagged fields.
 *
 * request  = [ states_filter string ]  (empty: all)
 * response = throttle_time_ms int32
 *            error_code int16, [ group_id string, protocol_type string, group_state string ]
 */
export interface ListedGroup {
  readonly group: string;
  readonly protocolType: string;
  readonly state: string;
}

export interface ListGroupsResult {
  readonly errorCode: number;
  readonly groups: readonly ListedGroup[];
}

export const listGroupsMessage: Message<void, ListGroupsResult> = {
  name: 'ListGroups',
  apiKey: 16,
  version: 4,
  write(_, to) {
    to.array([], () => undefined).noTags();
  },
  read(from) {
    const errorCode = from.int16();
    const groups = from.array(4, () => {
      const row = { group: from.string(), protocolType: from.string(), state: from.string() };
      from.tags();
      return row;
    });
    from.tags();
    return { errorCode, groups };
  },
};
