import type { ProducedRow } from '../records.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';
import type { Message } from './message.ts';

/**
 * Produce, version 13 (Kafka 4.1) by topic id, and version 9 (Kafka 2.8) by name for brokers that are older. `?` is nullable, `[x]` a
 * compact array; strings and bytes are compact; every struct and the whole end with tagged fields.
 *
 * request  = transactional_id ?string (null), acks int16 (-1: all in sync), timeout_ms int32
 *            [ topic_id uuid (version 9: name string) [ index int32, records ?bytes ] ]
 * response = [ topic_id uuid (version 9: name string)
 *              [ index int32, error_code int16, base_offset int64, log_append_time_ms int64, log_start_offset int64
 *                [ batch_index int32, batch_index_error_message ?string ], error_message ?string ] ]
 *            throttle_time_ms int32
 *
 * One batch for each partition, in one piece.
 */
/** By topic id, or by name where the broker is older than that. */
interface ProduceRequest {
  readonly timeoutMs: number;
  readonly partitions: readonly {
    readonly topicKey: string;
    readonly partition: number;
    readonly batch: Buffer;
  }[];
}

interface ProducedPartition extends Omit<ProducedRow, 'topicId'> {
  readonly topicKey: string;
}

export const produceByIdMessage: Message<ProduceRequest, ProducedPartition[]> = {
  name: 'Produce',
  apiKey: 0,
  version: 13,
  throttle: 'last',
  write: (request, to) => write(request, to, (topicId) => to.uuid(topicId)),
  read: (from) => read(from, () => from.uuid()),
};

export const produceByNameMessage: Message<ProduceRequest, ProducedPartition[]> = {
  name: 'Produce',
  apiKey: 0,
  version: 9,
  throttle: 'last',
  write: (request, to) => write(request, to, (topic) => to.string(topic)),
  read: (from) => read(from, () => from.string()),
};

function write({ partitions, timeoutMs }: ProduceRequest, to: Writer, topic: (key: string) => void): void {
  to.nullableString(undefined).int16(-1).int32(timeoutMs);
  to.array([...Map.groupBy(partitions, (row) => row.topicKey)], ([key, rows]) => {
    topic(key);
    to.array(rows, ({ partition, batch }) => {
      to.int32(partition)
        .uvarint(batch.length + 1)
        .view(batch)
        .noTags();
    });
    to.noTags();
  });
  to.noTags();
}

function read(from: Reader, topic: () => string): ProducedPartition[] {
  const rows: ProducedPartition[] = [];
  from.array(3, () => {
    const topicKey = topic();
    from.array(33, () => {
      const partition = from.int32();
      const errorCode = from.int16();
      const baseOffset = from.int64();
      from.int64();
      from.int64();
      const records = from.array(6, () => {
        from.int32();
        const message = from.nullableString();
        from.tags();
        return message;
      });
      const message = from.nullableString() ?? records.find((text) => text !== undefined);
      from.tags();
      rows.push({ topicKey, partition, errorCode, baseOffset, message });
    });
    from.tags();
  });
  return rows;
}
