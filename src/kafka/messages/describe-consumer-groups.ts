import type { GroupState } from '../api.ts';
import type { Reader } from '../reader.ts';
import type { Message } from './message.ts';

/**
 * ConsumerGroupDescribe, version 0 (Kafka 4.0): groups of the new protocol; for any other the error is 69. `?` is nullable, `[x]` a
 * compact array; strings are compact; every struct and the whole end with tagged fields.
 *
 * request  = [ string ], include_authorized_operations bool
 * response = throttle_time_ms int32
 *            [ error_code int16, error_message ?string, group_id string, group_state string, group_epoch int32
 *              assignment_epoch int32, assignor_name string
 *              [ member_id string, instance_id ?string, rack_id ?string, member_epoch int32, client_id string
 *                client_host string, subscribed_topic_names [ string ], subscribed_topic_regex ?string
 *                assignment, target_assignment: [ topic_id uuid, topic_name string, partitions [int32] ] ]
 *              authorized_operations int32 ]
 */
export const describeConsumerGroupsMessage: Message<readonly string[], GroupState[]> = {
  name: 'ConsumerGroupDescribe',
  apiKey: 69,
  version: 0,
  write(groups, to) {
    to.array(groups, (group) => to.string(group));
    to.bool(false).noTags();
  },
  read(from) {
    const found = from.array(20, () => {
      const errorCode = from.int16();
      from.nullableString();
      const group = from.string();
      const state = from.string();
      from.int32();
      from.int32();
      from.string();
      const members = from.array(16, () => readMember(from));
      from.int32();
      from.tags();
      return { group, errorCode, state, members };
    });
    from.tags();
    return found;
  },
};

function readMember(from: Reader): GroupState['members'][number] {
  from.string();
  from.nullableString();
  from.nullableString();
  from.int32();
  const member = { clientId: from.string(), host: from.string() };
  const subscribed = from.array(1, () => from.string());
  from.nullableString();
  const assigned = [...readAssignment(from), ...readAssignment(from)];
  from.tags();
  return { ...member, topics: [...new Set([...subscribed, ...assigned])] };
}

function readAssignment(from: Reader): string[] {
  const topics = from.array(19, () => {
    from.uuid();
    const topic = from.string();
    from.array(4, () => from.int32());
    from.tags();
    return topic;
  });
  from.tags();
  return topics;
}
