import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  checkBatch,
  decodeRecords,
  keyOfBody,
  nextOffsetOf,
  retainRecords,
  scanBatches,
  type BatchHeader,
  type LogRecord,
  type RawRecord,
} from '../../src/log/log.ts';
import { encodeBatch, record } from './encoder.ts';

const appendTime = 0x08;
const deleteHorizon = 0x40;

test('what is retained of a batch keeps offsets, times, keys, values and headers, and answers for the range alone', () => {
  const records = fc.array(
    fc.record({
      gap: fc.integer({ min: 1, max: 300 }),
      time: fc.bigInt({ min: -(2n ** 50n), max: 2n ** 50n }),
      key: fc.option(fc.constantFrom('a', 'b', '')),
    }),
    { minLength: 1, maxLength: 20 },
  );
  const flags = fc.constantFrom(0, appendTime, deleteHorizon);
  fc.assert(
    fc.property(
      records,
      fc.integer({ min: 0, max: 4 }),
      flags,
      fc.nat(4000),
      fc.nat(4000),
      (rows, codec, flag, from, to) => {
        let delta = -1;
        const made = rows.map(({ gap, time, key }) => {
          delta += gap;
          const headers = [{ name: Buffer.from('n'), value: null }];
          const keyBytes = key === null ? null : Buffer.from(key);
          return record({
            offsetDelta: delta,
            timestampDelta: time,
            key: keyBytes,
            value: Buffer.from('v'),
            headers,
          });
        });
        const bytes = encodeBatch({
          baseOffset: 1000n,
          leaderEpoch: 3,
          attributes: codec | flag,
          baseTimestamp: 77n,
          maxTimestamp: 2n ** 51n,
          lastOffsetDelta: delta + 2,
          records: made,
          producerId: 9n,
        });
        const range = { from: BigInt(from), to: BigInt(Math.max(from + 1, to)) };
        const header = headerOf(bytes);
        const wanted = [...decodeRecords(bytes, header)].filter(
          ({ offset, key }) => offset >= range.from && offset < range.to && key?.toString() !== 'b',
        );
        const retained = retainRecords(bytes, header, { ...range, takes });
        if (retained === undefined) {
          expect(wanted).toEqual([]);
          return;
        }
        const fresh = headerOf(retained);
        expect(checkBatch(retained, fresh)).toBeUndefined();
        expect([...decodeRecords(retained, fresh)].map(plain)).toEqual(wanted.map(plain));
        expect(fresh).toMatchObject({ leaderEpoch: 3, producerId: -1n, recordCount: wanted.length });
        expect(fresh.baseOffset).toBe(range.from > 1000n ? range.from : 1000n);
        const next = nextOffsetOf(header);
        expect(nextOffsetOf(fresh)).toBe(range.to < next ? range.to : next);
        expect(fresh.attributes & deleteHorizon).toBe(0);
      },
    ),
  );
});

function takes(one: RawRecord): boolean {
  return keyOfBody(one)?.toString() !== 'b';
}

function headerOf(bytes: Buffer): BatchHeader {
  const [header] = scanBatches(bytes).batches;
  if (header === undefined) throw new Error('expected a batch');
  return header;
}

/** Views of one buffer are equal to bytes of their own. */
function plain(one: LogRecord): unknown {
  const { key, value, headers, ...numbers } = one;
  return {
    ...numbers,
    key: key?.toString(),
    value: value?.toString(),
    headers: headers.map(({ name }) => name.toString()),
  };
}
