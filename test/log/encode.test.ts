import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  BatchEncoder,
  checkBatch,
  codecOf,
  decodeRecords,
  isReusable,
  rawRecords,
  scanBatches,
  stampBatch,
  type BatchHeader,
  type LogRecord,
} from '../../src/log/log.ts';
import { encodeBatch, record, type RecordToEncode } from './encoder.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const records = fc.array(
  fc.record({
    timestampDelta: fc.oneof(fc.bigInt({ min: -1000n, max: 1000n }), int64),
    key: fc.option(bytes),
    value: fc.option(bytes),
    headers: fc.array(fc.record({ name: bytes, value: fc.option(bytes) }), { maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 40 },
);

function head(batch: Buffer): BatchHeader {
  const [header] = scanBatches(batch).batches;
  if (header === undefined) throw new Error('no batch');
  return header;
}

function placed(given: readonly Omit<RecordToEncode, 'offsetDelta'>[], step: number): RecordToEncode[] {
  return given.map((fields, index) => ({ ...fields, offsetDelta: index * step }));
}

test('records taken raw out of a batch and put into another are the same records', () => {
  fc.assert(
    fc.property(
      records,
      int64,
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 1, max: 9 }),
      (given, base, codec, step) => {
        const source = encodeBatch({
          baseOffset: 70n,
          baseTimestamp: base,
          attributes: codec,
          records: placed(given, step),
        });
        const encoder = new BatchEncoder(codecOf(head(source)) ?? 'none');
        for (const raw of rawRecords(source, head(source))) encoder.add(raw);
        const batch = encoder.finish();

        expect(checkBatch(batch, head(batch))).toBeUndefined();
        expect(isReusable(head(batch))).toBe(true);
        const expected = [...decodeRecords(source, head(source))].map((row, index) => ({
          ...row,
          offset: BigInt(index),
        }));
        expect([...decodeRecords(batch, head(batch))]).toEqual(expected);
        const times = expected.map(({ timestamp }) => timestamp);
        expect(head(batch).maxTimestamp).toBe(times.reduce((most, time) => (time > most ? time : most)));
        expect(encoder.count).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
});

function withoutOffset(row: LogRecord): unknown {
  return { ...row, offset: undefined };
}

test('whole batches moved behind one another are the same records, or none of theirs is taken', () => {
  const near = fc.bigInt({ min: -(2n ** 41n), max: 2n ** 41n });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(records, fc.oneof({ weight: 9, arbitrary: near }, { weight: 1, arbitrary: int64 })), {
        minLength: 1,
        maxLength: 5,
      }),
      (given) => {
        const encoder = new BatchEncoder('none');
        const moved: unknown[] = [];
        for (const [rows, base] of given) {
          const source = encodeBatch({
            baseOffset: 70n,
            baseTimestamp: base,
            records: placed(rows, 1),
          });
          const before = [encoder.count, encoder.byteLength];
          if (encoder.addAll(source, head(source)))
            moved.push(...[...decodeRecords(source, head(source))].map(withoutOffset));
          else expect([encoder.count, encoder.byteLength]).toEqual(before);
        }
        expect(encoder.count).toBe(moved.length);
        if (moved.length === 0) return;
        const batch = encoder.finish();

        expect(checkBatch(batch, head(batch))).toBeUndefined();
        const found = [...decodeRecords(batch, head(batch))];
        expect(found.map(({ offset }) => offset)).toEqual(found.map((_, index) => BigInt(index)));
        expect(found.map(withoutOffset)).toEqual(moved);
        const times = found.map(({ timestamp }) => timestamp);
        expect(head(batch).maxTimestamp).toBe(times.reduce((most, time) => (time > most ? time : most)));
      },
    ),
    { numRuns: 300 },
  );
});

test('a batch of which a number is wrong is not moved, and what was there before stays', () => {
  const good = encodeBatch({ records: placed([record(), record()], 1) });
  const wrong = [
    encodeBatch({ records: placed([record(), record()], 2) }), // a hole
    encodeBatch({ recordCount: 1, records: placed([record(), record()], 1) }), // more behind
    encodeBatch({ recordCount: 3, lastOffsetDelta: 2, records: placed([record(), record()], 1) }), // fewer
    encodeBatch({ section: Buffer.from('nothing of a record'), recordCount: 1 }),
    encodeBatch({ section: Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]), recordCount: 1 }),
  ];
  const encoder = new BatchEncoder('none');
  expect(encoder.addAll(good, head(good))).toBe(true);

  for (const batch of wrong) expect(encoder.addAll(batch, head(batch))).toBe(false);

  const batch = encoder.finish();
  expect([...decodeRecords(batch, head(batch))]).toEqual([...decodeRecords(good, head(good))]);
});

test('append time becomes the time of each record', () => {
  const source = encodeBatch({
    attributes: 8,
    baseTimestamp: 5n,
    maxTimestamp: 99n,
    records: [record(), record({ offsetDelta: 1 })],
  });
  expect(isReusable(head(source))).toBe(false);
  const encoder = new BatchEncoder('none');
  for (const raw of rawRecords(source, head(source))) encoder.add(raw);
  const batch = encoder.finish();
  expect([...decodeRecords(batch, head(batch))]).toMatchObject([
    { timestamp: 99n, timestampType: 'CreateTime' },
    { timestamp: 99n, timestampType: 'CreateTime' },
  ]);
});

test('a stamp sets producer and sequence, takes transaction and horizon away, and nothing else', () => {
  const before = encodeBatch({
    baseOffset: 7n,
    leaderEpoch: 4,
    attributes: 0x10 | 0x40 | 4,
    maxTimestamp: 3n,
    records: [record({ value: Buffer.from('v') })],
  });
  const batch = Buffer.from(before);
  stampBatch(batch, { producerId: 2n ** 40n, producerEpoch: 3, sequence: 2 ** 31 - 1 });
  expect(checkBatch(batch, head(batch))).toBeUndefined();
  expect(head(batch)).toMatchObject({
    baseOffset: 0n,
    attributes: 4,
    producerId: 2n ** 40n,
    producerEpoch: 3,
    baseSequence: 2 ** 31 - 1,
    maxTimestamp: 3n,
    recordCount: 1,
  });
  expect(batch.subarray(61)).toEqual(before.subarray(61));
});

test('what compaction left, and a batch that lies about its numbers', () => {
  const holes = encodeBatch({ records: [record(), record({ offsetDelta: 2 })] });
  expect(isReusable(head(holes))).toBe(false);
  const twice = encodeBatch({ records: [record({ offsetDelta: 1 }), record({ offsetDelta: 1 })] });
  expect(() => [...rawRecords(twice, head(twice))]).toThrow('record 2');
  const more = encodeBatch({
    records: [record(), record({ offsetDelta: 1 })],
    recordCount: 1,
    lastOffsetDelta: 1,
  });
  expect(() => [...rawRecords(more, head(more))]).toThrow('more bytes');
});
