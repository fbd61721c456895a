/** What is left of a batch when records are taken away, as compaction leaves one: every record keeps its offset. */
import { crc32c } from '@node-rs/crc32';
import { BatchEncoder, rawRecords, type RawRecord } from './encode.ts';
import { checkedFrom, codecOf, nextOffsetOf, type BatchHeader } from './header.ts';
import { RecordCursor } from './varint.ts';

const codecBits = 0x07;
const appendTimeBit = 0x08;

/**
 * The records in [from, to) that are taken, in a batch that answers for just these offsets; undefined where none is.
 * It has no producer any more. Throws `damage`.
 */
export function retainRecords(
  bytes: Buffer,
  header: BatchHeader,
  o: { from: bigint; to: bigint; takes: (record: RawRecord) => boolean },
): Buffer | undefined {
  const base = header.baseOffset > o.from ? header.baseOffset : o.from;
  const next = nextOffsetOf(header) < o.to ? nextOffsetOf(header) : o.to;
  const encoder = new BatchEncoder(codecOf(header) ?? 'none');
  for (const record of rawRecords(bytes, header)) {
    if (record.offset < base || record.offset >= next || !o.takes(record)) continue;
    encoder.add(record, Number(record.offset - base));
  }
  if (encoder.count === 0) return undefined;
  const batch = encoder.finish();
  batch.writeBigInt64BE(base, 0);
  batch.writeInt32BE(header.leaderEpoch, 12);
  batch.writeInt16BE((batch.readInt16BE(21) & codecBits) | (header.attributes & appendTimeBit), 21);
  batch.writeInt32BE(Number(next - 1n - base), 23);
  batch.writeUInt32BE(crc32c(batch.subarray(checkedFrom)), 17);
  return batch;
}

/** A view; null where it has none. Throws `damage`. */
export function keyOfBody({ offset, body }: RawRecord): Buffer | null {
  return new RecordCursor(body, { from: 0, to: body.length }, `the record at offset ${offset}`).nullableBytes(
    'key',
  );
}
