import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkBatch, decodeRecords, nextOffsetOf, scanBatches } from '../../src/log/log.ts';
import { encodeBatch, record, type BatchToEncode, type RecordToEncode } from './encoder.ts';

const appendTime = 0x08;
const bytes = fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each));
const nullable = fc.option(bytes);
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

const recordWithGap = fc.record({
  gap: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 100_000 })),
  timestampDelta: fc.oneof(fc.bigInt({ min: -1000n, max: 1000n }), int64),
  key: nullable,
  value: nullable,
  headers: fc.array(fc.record({ name: bytes, value: nullable }), { maxLength: 5 }),
});

const batch = fc
  .record({
    baseOffset: fc.bigInt({ min: 0n, max: 2n ** 62n }),
    leaderEpoch: fc.nat(1000),
    attributes: fc.tuple(fc.nat(4), fc.constantFrom(0, appendTime)).map(([codec, time]) => codec | time),
    baseTimestamp: int64,
    maxTimestamp: int64,
    records: fc.array(recordWithGap, { maxLength: 12 }),
    holeBehind: fc.nat(1000),
  })
  .map(({ records, holeBehind, ...rest }): BatchToEncode & { records: RecordToEncode[] } => {
    let offsetDelta = -1;
    const placed = records.map(({ gap, ...fields }) => ({ ...fields, offsetDelta: (offsetDelta += gap) }));
    return { ...rest, records: placed, lastOffsetDelta: Math.max(0, offsetDelta) + holeBehind };
  });

describe('records', () => {
  test('come back as they were written, in all codecs', () => {
    fc.assert(
      fc.property(batch, (written) => {
        const encoded = encodeBatch(written);
        const scan = scanBatches(encoded);
        expect(scan).toMatchObject({ end: encoded.length, batches: [{ leaderEpoch: written.leaderEpoch }] });
        for (const header of scan.batches) {
          expect(checkBatch(encoded, header)).toBeUndefined();
          expect(nextOffsetOf(header)).toBe(
            (written.baseOffset ?? 0n) + BigInt(written.lastOffsetDelta ?? 0) + 1n,
          );
          const appended = ((written.attributes ?? 0) & appendTime) !== 0;
          const expected = written.records.map(({ offsetDelta, timestampDelta, ...fields }) => ({
            ...fields,
            offset: (written.baseOffset ?? 0n) + BigInt(offsetDelta),
            timestamp: appended
              ? written.maxTimestamp
              : BigInt.asIntN(64, (written.baseTimestamp ?? 0n) + timestampDelta),
            timestampType: appended ? 'LogAppendTime' : 'CreateTime',
          }));
          expect([...decodeRecords(encoded, header)]).toEqual(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('are found alike however the bytes before and behind them were cut', () => {
    fc.assert(
      fc.property(
        fc.array(batch, { maxLength: 6 }),
        fc.array(fc.nat(400), { maxLength: 20 }),
        (written, steps) => {
          const whole = Buffer.concat(written.map(encodeBatch));
          const offsets = scanBatches(whole).batches.map((header) => header.baseOffset);
          const found: bigint[] = [];
          let position = 0;
          let arrived = 0;
          for (const step of [...steps, whole.length]) {
            arrived = Math.min(whole.length, arrived + step);
            const scan = scanBatches(whole, position, arrived);
            expect(scan.problem).toBeUndefined();
            found.push(...scan.batches.map((header) => header.baseOffset));
            position = scan.end;
          }
          expect(position).toBe(whole.length);
          expect(found).toEqual(offsets);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('whose header names are no UTF-8 keep their bytes', () => {
    const name = Buffer.from('fffe00c328', 'hex');
    const encoded = encodeBatch({
      records: [
        record({
          headers: [
            { name, value: null },
            { name, value: name },
          ],
        }),
      ],
    });
    const read = scanBatches(encoded).batches.flatMap((header) => [...decodeRecords(encoded, header)]);
    expect(read).toMatchObject([
      {
        headers: [
          { name, value: null },
          { name, value: name },
        ],
      },
    ]);
  });

  test('of a batch in the middle of other bytes are read from there', () => {
    const encoded = encodeBatch({
      attributes: 3,
      baseOffset: 9n,
      records: [record({ key: Buffer.from('k') })],
    });
    const around = Buffer.concat([Buffer.alloc(17, 0xee), encoded, Buffer.alloc(5, 0xee)]);
    const scan = scanBatches(around, 17, 17 + encoded.length);
    expect(scan).toMatchObject({ end: 17 + encoded.length, batches: [{ position: 17 }] });
    for (const header of scan.batches) {
      expect(checkBatch(around, header)).toBeUndefined();
      expect([...decodeRecords(around, header)]).toMatchObject([{ offset: 9n, key: Buffer.from('k') }]);
    }
  });

  test('of any bytes at all never crash the walk', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (random) => {
        const any = Buffer.from(random);
        const scan = scanBatches(any);
        expect(scan.end).toBeLessThanOrEqual(any.length);
        for (const header of scan.batches) checkBatch(any, header);
      }),
    );
  });
});
