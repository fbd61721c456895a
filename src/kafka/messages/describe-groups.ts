import type { GroupState } from '../api.ts';
import type { Message } from './message.ts';

/**
 * DescribeGroups, version 5 (Kafka 2.4): groups of the classic protocol; any other is told as Dead. `?` is nullable, `[x]` a compact
 * array; strings and bytes are compact; every struct and the whole end with tagged fields.
 *
 * request  = [ string ], include_authorized_operations bool
 * response = throttle_time_ms int32
 *            [ error_code int16, group_id string, group_state string, protocol_type string, protocol_data string
 *              [ member_id string, group_instance_id ?string, client_id string, client_host string, member_metadata bytes
 *                member_assignment bytes ]
 *              authorized_operations int32 ]
 *
 * Of a consumer, member_metadata begins: version int16, [ topic string ] with plain lengths; member_assignment: version int16,
 * [ topic string, [ int32 ] ].
 */
export const describeGroupsMessage: Message<readonly string[], GroupState[]> = {
  name: 'DescribeGroups',
  apiKey: 15,
  version: 5,
  write(groups, to) {
    to.array(groups, (group) => to.string(group));
    to.bool(false).noTags();
  },
  read(from) {
    const found = from.array(12, () => {
      const errorCode = from.int16();
      const group = from.string();
      const state = from.string();
      const protocolType = from.string();
      from.string();
      const members = from.array(7, () => {
        from.string();
        from.nullableString();
        const member = { clientId: from.string(), host: from.string() };
        const subscribed = topicsIn(from.nullableBytes(), () => 0);
        const assigned = topicsIn(from.nullableBytes(), partitionListBytes);
        const topics = [...subscribed, ...assigned];
        from.tags();
        return { ...member, topics: [...new Set(topics)] };
      });
      from.int32();
      from.tags();
      const isConsumer = protocolType === 'consumer';
      return {
        group,
        errorCode,
        state,
        members: isConsumer ? members : members.map((member) => ({ ...member, topics: [] })),
      };
    });
    from.tags();
    return found;
  },
};

/** The topics of a subscription or an assignment; what does not read as one names none. */
function topicsIn(bytes: Buffer | undefined, behindName: (bytes: Buffer, at: number) => number): string[] {
  const topics: string[] = [];
  if (bytes === undefined || bytes.length < 6) return topics;
  const count = bytes.readInt32BE(2);
  let at = 6;
  for (let index = 0; index < count && at + 2 <= bytes.length; index += 1) {
    const length = bytes.readInt16BE(at);
    at += 2;
    if (length < 0 || at + length > bytes.length) break;
    topics.push(bytes.toString('utf8', at, at + length));
    at += length;
    at += behindName(bytes, at);
  }
  return topics;
}

function partitionListBytes(bytes: Buffer, at: number): number {
  return at + 4 > bytes.length ? bytes.length : 4 + Math.max(0, bytes.readInt32BE(at)) * 4;
}
