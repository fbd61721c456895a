import type { ProducerIdentity } from '../api.ts';
import type { Message } from './message.ts';

/**
 * InitProducerId, version 4 (Kafka 2.7), without a transaction. `?` is nullable; the whole ends with tagged fields.
 *
 * request  = transactional_id ?string (null), transaction_timeout_ms int32, producer_id int64 (-1), producer_epoch int16 (-1)
 * response = throttle_time_ms int32, error_code int16, producer_id int64, producer_epoch int16
 */
export const initProducerIdMessage: Message<undefined, ProducerIdentity & { readonly errorCode: number }> = {
  name: 'InitProducerId',
  apiKey: 22,
  version: 4,
  write(_request, to) {
    to.nullableString(undefined).int32(0x7fff_ffff).int64(-1n).int16(-1).noTags();
  },
  read(from) {
    const answer = { errorCode: from.int16(), producerId: from.int64(), producerEpoch: from.int16() };
    from.tags();
    return answer;
  },
};
