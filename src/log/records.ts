/**
 * The records of a batch. Numbers are zigzag varints, see varint.ts.
 *
 *     record = varint length of all that follows | i8 attributes, unused | varlong timestamp delta |
 *              varint offset delta | varint key length, -1 null | key | varint value length, -1 null | value |
 *              varint number of headers | header*
 *     header = varint name length | name | varint value length, -1 null | value
 *
 * The section holds exactly the number of records that the head says, and nothing behind them.
 */
import { VarveError } from '../errors.ts';
import { batchHeaderBytes, codecOf, usesAppendTime, type BatchHeader } from './header.ts';
import { inflate, inflatedBytesMax } from './inflate.ts';
import { producerHint } from './malformed.ts';
import { RecordCursor } from './varint.ts';

export interface RecordHeader {
  readonly name: Buffer;
  readonly value: Buffer | null;
}

export interface LogRecord {
  readonly offset: bigint;
  readonly timestamp: bigint;
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** In the order of the record, names as often as they come. */
  readonly headers: readonly RecordHeader[];
}

export interface DecodeLimits {
  readonly inflatedBytesMax?: number;
}

/**
 * One record at a time, so that a batch of countless empty records costs no more than its inflated bytes. Keys, values
 * and headers are views of those bytes. Throws `damage`, naming the batch and the record, at the record that is wrong:
 * the ones before it have been handed out by then.
 */
export function* decodeRecords(
  bytes: Buffer,
  header: BatchHeader,
  limits: DecodeLimits = {},
): Generator<LogRecord, void, void> {
  const where = `the batch at offset ${header.baseOffset}`;
  const section = inflatedSection(bytes, header, {
    where,
    ...limits,
  });
  const cursor = new RecordCursor(section, { from: 0, to: section.length }, where);
  if (header.recordCount < 0)
    throw cursor.damage(`number of records: expected 0 or more, got ${header.recordCount}`);
  let deltaBefore = -1;
  for (let count = 0; count < header.recordCount; count += 1) {
    const length = cursor.varint('record length');
    const from = cursor.position;
    cursor.take(length, 'record');
    const fields = new RecordCursor(section, { from, to: cursor.position }, where);
    const { record, offsetDelta } = decodeRecord(fields, header);
    if (offsetDelta <= deltaBefore || offsetDelta > header.lastOffsetDelta) {
      const expected = `expected ${deltaBefore + 1} to ${header.lastOffsetDelta}`;
      throw fields.damage(`offset delta of record ${count + 1}: ${expected}, got ${offsetDelta}`);
    }
    deltaBefore = offsetDelta;
    yield record;
  }
  if (cursor.left > 0)
    throw cursor.damage(`expected ${header.recordCount}, got ${cursor.left} more bytes behind them`);
}

/** What stands behind the head of a checked batch, inflated. */
export function inflatedSection(
  bytes: Buffer,
  header: BatchHeader,
  options: DecodeLimits & { where: string },
): Buffer {
  const section = bytes.subarray(header.position + batchHeaderBytes, header.position + header.byteLength);
  const codec = codecOf(header);
  if (header.byteLength !== batchHeaderBytes + section.length || codec === undefined) {
    const got = codec === undefined ? `codec ${header.attributes & 0x07}` : `${header.byteLength} bytes`;
    const message = `records of ${options.where}: expected a batch that was checked, got ${got}`;
    throw new VarveError('damage', message, {
      hint: 'the batch is not what the broker stored: read another copy of it.',
    });
  }
  // What compaction leaves of a batch without its records has no section to inflate, whatever its codec was.
  if (section.length === 0) return section;
  try {
    return inflate(codec, section, options.inflatedBytesMax ?? inflatedBytesMax);
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    const hint = error.hint ?? producerHint;
    throw new VarveError('damage', `records of ${options.where}: ${error.message}`, { hint, cause: error });
  }
}

function decodeRecord(fields: RecordCursor, header: BatchHeader): { record: LogRecord; offsetDelta: number } {
  fields.byte('record attributes');
  const timestampDelta = fields.varlong('timestamp delta');
  const offsetDelta = fields.varint('offset delta');
  const key = fields.nullableBytes('key');
  const value = fields.nullableBytes('value');
  const headers = decodeHeaders(fields);
  if (fields.left > 0) throw fields.damage(`a record: expected its end, got ${fields.left} more bytes`);
  const appended = usesAppendTime(header);
  const record: LogRecord = {
    offset: header.baseOffset + BigInt(offsetDelta),
    // 64 bits that wrap, as producers compute the delta: -1 and 2^63 - 1 may share a batch.
    timestamp: appended ? header.maxTimestamp : BigInt.asIntN(64, header.baseTimestamp + timestampDelta),
    timestampType: appended ? 'LogAppendTime' : 'CreateTime',
    key,
    value,
    headers,
  };
  return { record, offsetDelta };
}

function decodeHeaders(fields: RecordCursor): readonly RecordHeader[] {
  const count = fields.varint('number of headers');
  // A header takes two bytes at least.
  if (count < 0 || count > fields.left / 2) {
    throw fields.damage(`number of headers: expected 0 to ${Math.floor(fields.left / 2)}, got ${count}`);
  }
  if (count === 0) return noHeaders;
  const headers: RecordHeader[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = fields.take(fields.varint('length of a header name'), 'a header name');
    headers.push({ name, value: fields.nullableBytes('a header value') });
  }
  return headers;
}

const noHeaders: readonly RecordHeader[] = Object.freeze([]);
