import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BatchWalk, decodeRecords, scanBatches, type BatchHeader } from '../../src/log/log.ts';
import { encodeBatch, record, varint } from './encoder.ts';

const appendTime = 0x08;
const compressedMin = 1024;
/** Compresses to no less than it is, so that the batch is large enough to be inflated. */
const noise = Buffer.concat(
  Array.from({ length: 48 }, (_, index) => createHash('sha256').update(`${index}`).digest()),
);

function smallestIn(bytes: Buffer, header: BatchHeader): bigint | undefined {
  const times = [...decodeRecords(bytes, header)].map(({ timestamp }) => timestamp);
  return times.reduce<bigint | undefined>(
    (least, time) => (least === undefined || time < least ? time : least),
    undefined,
  );
}

/** What the walk says of each batch, by its base offset. */
function walked(bytes: Buffer, cuts: readonly number[]): Map<bigint, bigint | undefined> {
  const said = new Map<bigint, bigint | undefined>();
  const walk = new BatchWalk(0n, ({ baseOffset }, smallest) => said.set(baseOffset, smallest));
  let from = 0;
  for (const cut of cuts.map((each) => each % bytes.length).toSorted((a, b) => a - b)) {
    const piece = Buffer.from(bytes.subarray(from, cut));
    walk.push(piece);
    piece.fill(0xff); // the memory of a piece is given away
    from = cut;
  }
  walk.push(bytes.subarray(from));
  expect(walk.end()).toBeUndefined();
  return said;
}

const delta = fc.oneof(
  fc.bigInt({ min: -1000n, max: 1000n }),
  fc.bigInt({ min: -(2n ** 48n), max: 2n ** 48n - 1n }),
);
const batch = fc.record({
  codec: fc.nat(4),
  appended: fc.constantFrom(0, 0, 0, appendTime),
  baseTimestamp: fc.oneof(
    fc.bigInt({ min: -5n, max: 2n ** 41n }),
    fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
  ),
  records: fc.array(
    fc.record({ timestampDelta: delta, value: fc.option(fc.uint8Array({ maxLength: 200 })) }),
    {
      maxLength: 8,
    },
  ),
});

describe('the smallest timestamp of a batch', () => {
  test('is that of its records, in all codecs and however it is cut', () => {
    const log = fc.array(batch, { minLength: 1, maxLength: 5 });
    let known = 0;
    fc.assert(
      fc.property(log, fc.array(fc.nat(20_000), { maxLength: 8 }), (batches, cuts) => {
        let baseOffset = 0n;
        const bytes = Buffer.concat(
          batches.map(({ codec, appended, baseTimestamp, records }) => {
            const written = records.map(({ timestampDelta, value }, offsetDelta) => {
              const bytesOf = value === null ? null : Buffer.from(value);
              return record({
                offsetDelta,
                timestampDelta,
                value: bytesOf,
                key: offsetDelta === 0 ? noise : null,
              });
            });
            const encoded = encodeBatch({
              baseOffset,
              attributes: codec | appended,
              baseTimestamp,
              maxTimestamp: baseTimestamp + 2n ** 48n,
              records: written,
            });
            baseOffset += BigInt(Math.max(1, records.length));
            return encoded;
          }),
        );
        const said = walked(bytes, cuts);
        for (const header of scanBatches(bytes).batches) {
          expect(said.get(header.baseOffset)).toBe(smallestIn(bytes, header));
          if (said.get(header.baseOffset) !== undefined) known += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(known).toBeGreaterThan(300);
  });

  test('is known, or said not to be, of every batch that Kafka itself wrote', () => {
    const folder = new URL('../fixtures/batches/', import.meta.url);
    const files = readdirSync(folder).filter((name) => name.endsWith('.bin'));
    expect(files.length).toBeGreaterThan(40);
    for (const name of files) {
      const bytes = readFileSync(new URL(name, folder));
      const [header] = scanBatches(bytes).batches;
      if (header === undefined || header.recordCount === 0) continue;
      let said: bigint | undefined;
      const walk = new BatchWalk(header.baseOffset, (_, smallest) => (said = smallest));
      walk.push(bytes);
      const isSmall = (header.attributes & 7) !== 0 && header.byteLength < 61 + compressedMin;
      const isWide = name.startsWith('timestamp-largest');
      if (!isSmall && !isWide) expect(said, name).toBeDefined();
      if (said !== undefined) expect(said, name).toBe(smallestIn(bytes, header));
    }
  });

  test('is not guessed where sums would wrap, and where the records are not those of the head', () => {
    const two = [record({ timestampDelta: 0n }), record({ offsetDelta: 1, timestampDelta: 2n ** 50n })];
    const one = [record({ timestampDelta: 7n, value: noise })];
    const strange = {
      'times too far apart': encodeBatch({ records: two }),
      'a base at the end of the numbers': encodeBatch({ baseTimestamp: 2n ** 63n - 1n, records: one }),
      'more records than counted': encodeBatch({ records: two, recordCount: 1, maxTimestamp: 1n }),
      'fewer records than counted': encodeBatch({ records: one, recordCount: 2, lastOffsetDelta: 1 }),
      'a record cut off': encodeBatch({ section: Buffer.from([40, 0, 2]), recordCount: 1, maxTimestamp: 1n }),
      'a length below nothing': encodeBatch({ section: varint(-5), recordCount: 1, maxTimestamp: 1n }),
      'no codec data': encodeBatch({ attributes: 4, section: noise, recordCount: 2, lastOffsetDelta: 1 }),
    };
    for (const [what, bytes] of Object.entries(strange))
      expect(walked(bytes, []).get(0n), what).toBeUndefined();
  });
});
