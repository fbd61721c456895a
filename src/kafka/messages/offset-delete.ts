import type { CommitResult } from '../api.ts';
import { byTopic } from './by-topic.ts';
import type { Message } from './message.ts';

/**
 * OffsetDelete, version 0 (Kafka 2.4), which has no flexible one: lengths of strings are int16, counts of arrays int32.
 *
 * request  = group_id string, [ name string, [ partition_index int32 ] ]
 * response = error_code int16, throttle_time_ms int32, [ name string, [ partition_index int32, error_code int16 ] ]
 */
export interface OffsetDeleteRequest {
  readonly group: string;
  readonly rows: readonly { readonly topic: string; readonly partition: number }[];
}

export interface OffsetDeleteResponse {
  readonly errorCode: number;
  readonly results: readonly CommitResult[];
}

export const offsetDeleteMessage: Message<OffsetDeleteRequest, OffsetDeleteResponse> = {
  name: 'OffsetDelete',
  apiKey: 47,
  version: 0,
  flexible: false,
  throttle: 'inside',
  write({ group, rows: wanted }, to) {
    const topics = byTopic(wanted);
    to.headerString(group).int32(topics.length);
    for (const { topic, rows } of topics) {
      to.headerString(topic).int32(rows.length);
      for (const { partition } of rows) to.int32(partition);
    }
  },
  read(from) {
    const errorCode = from.int16();
    from.int32();
    const results: CommitResult[] = [];
    from.plainArray(6, () => {
      const topic = from.plainString();
      from.plainArray(6, () => {
        results.push({ topic, partition: from.int32(), errorCode: from.int16() });
      });
    });
    return { errorCode, results };
  },
};
