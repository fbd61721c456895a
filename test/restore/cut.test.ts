import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  checkBatch,
  decodeRecords,
  isReusable,
  nextOffsetOf,
  scanBatches,
  type LogRecord,
} from '../../src/log/log.ts';
import type { CoveredBatch } from '../../src/local/local.ts';
import { Cutter, Ranks, type TimeSelection } from '../../src/restore/cut.ts';
import { encodeBatch, record, transactional, type BatchToEncode } from '../log/encoder.ts';

const appendTime = 0x08;
const everything: TimeSelection = { fromMs: undefined, toMs: undefined };

/** A batch of the source: the offsets that compaction left, each with its time. */
interface Stored {
  readonly codec: number;
  readonly flags: number;
  /** Before its first record, from what was before. */
  readonly skipped: number;
  /** Of each record, how far it is from the one before, and its time. */
  readonly records: readonly { readonly step: number; readonly ms: number }[];
  /** Offsets behind the last record that the batch stands for. */
  readonly tail: number;
  /** So many offsets of its beginning and its end are not to be taken. */
  readonly cutFront: number;
  readonly cutBack: number;
}

const storedBatch = fc.record({
  codec: fc.integer({ min: 0, max: 4 }),
  flags: fc.constantFrom(0, 0, appendTime, transactional, transactional | appendTime),
  skipped: fc.nat(2),
  records: fc.array(fc.record({ step: fc.constantFrom(1, 1, 1, 2), ms: fc.nat(30) }), { maxLength: 6 }),
  tail: fc.constantFrom(0, 0, 0, 2),
  cutFront: fc.constantFrom(0, 0, 0, 1, 3),
  cutBack: fc.constantFrom(0, 0, 0, 1, 3),
});

const time = fc.record({
  fromMs: fc.option(fc.bigInt({ min: 0n, max: 31n }), { nil: undefined }),
  toMs: fc.option(fc.bigInt({ min: 0n, max: 31n }), { nil: undefined }),
});

function covered(batch: BatchToEncode, range: { from?: bigint; to?: bigint } = {}): CoveredBatch {
  const bytes = encodeBatch(batch);
  const [header] = scanBatches(bytes).batches;
  if (header === undefined) throw new Error('no batch');
  return { bytes, header, from: header.baseOffset, to: nextOffsetOf(header), path: 'log', ...range };
}

function logOf(batches: readonly Stored[]): CoveredBatch[] {
  let next = 100n;
  return batches.map(({ codec, flags, skipped, records, tail, cutFront, cutBack }) => {
    const baseOffset = next + BigInt(skipped);
    let delta = -1;
    const rows = records.map(({ step, ms }, index) => {
      delta += step;
      return record({
        offsetDelta: delta,
        timestampDelta: BigInt(ms - (records[0]?.ms ?? 0)),
        key: index % 3 === 0 ? null : Buffer.from(`key-${delta}`),
        value: index % 4 === 3 ? null : Buffer.from(`value-${baseOffset}-${delta}`),
        headers: index % 2 === 0 ? [] : [{ name: Buffer.from('h'), value: Buffer.from([delta]) }],
      });
    });
    const lastOffsetDelta = Math.max(0, delta) + tail;
    next = baseOffset + BigInt(lastOffsetDelta + 1);
    return covered(
      {
        baseOffset,
        leaderEpoch: 3,
        attributes: codec | flags,
        producerId: 4000n,
        lastOffsetDelta,
        baseTimestamp: BigInt(records[0]?.ms ?? 0),
        maxTimestamp: BigInt(Math.max(0, ...records.map(({ ms }) => ms))),
        records: rows,
      },
      { from: baseOffset + BigInt(cutFront), to: next - BigInt(cutBack) },
    );
  });
}

interface Restored {
  readonly batches: readonly Buffer[];
  readonly cutter: Cutter;
}

/** What is handed out is looked at at once: it stays as it is only until the next one is asked for. */
function restore(log: readonly CoveredBatch[], wanted: TimeSelection, ranks = new Ranks([])): Restored {
  const cutter = new Cutter(wanted, ranks);
  const batches: Buffer[] = [];
  for (const batch of log) for (const { bytes } of cutter.push(batch)) batches.push(Buffer.from(bytes));
  for (const { bytes } of cutter.flush()) batches.push(Buffer.from(bytes));
  return { batches, cutter };
}

function recordsOf(batch: Buffer): LogRecord[] {
  return scanBatches(batch).batches.flatMap((header) => [...decodeRecords(batch, header)]);
}

function asProduced({ timestamp, key, value, headers }: LogRecord): unknown {
  return { timestamp, key, value, headers };
}

/** The records that are to be taken, decoded one by one. */
function covering(log: readonly CoveredBatch[]): LogRecord[] {
  return log.flatMap(({ bytes, header, from, to }) =>
    [...decodeRecords(bytes, header)].filter(({ offset }) => offset >= from && offset < to),
  );
}

function isBefore({ timestamp }: LogRecord, { fromMs }: TimeSelection): boolean {
  return fromMs !== undefined && timestamp < fromMs;
}

function isBehind({ timestamp }: LogRecord, { toMs }: TimeSelection): boolean {
  return toMs !== undefined && timestamp >= toMs;
}

test('what is restored is every covered record within the times, as it was and in its order', () => {
  fc.assert(
    fc.property(fc.array(storedBatch, { maxLength: 8 }), time, (stored, wanted) => {
      const log = logOf(stored);

      const { batches, cutter } = restore(log, wanted);

      const all = covering(log);
      const selected = all.filter((row) => !isBefore(row, wanted) && !isBehind(row, wanted));
      const before = all.filter((row) => isBefore(row, wanted)).length;
      expect(batches.flatMap(recordsOf).map(asProduced)).toEqual(selected.map(asProduced));
      expect(cutter.counts).toMatchObject({
        records: selected.length,
        bytes: batches.reduce((sum, { length }) => sum + length, 0),
        before,
        behind: all.length - selected.length - before,
      });
    }),
    { numRuns: 300 },
  );
});

test('a batch of which nothing is taken may be left out: the others are cut the same', () => {
  fc.assert(
    fc.property(fc.array(storedBatch, { maxLength: 8 }), time, (stored, wanted) => {
      const log = logOf(stored);
      const needed = log.filter((batch) =>
        covering([batch]).some((row) => !isBefore(row, wanted) && !isBehind(row, wanted)),
      );
      expect(restore(needed, wanted).batches).toEqual(restore(log, wanted).batches);
    }),
    { numRuns: 300 },
  );
});

test('every batch is one that a broker takes: whole, without a hole, of no codec that is only read', () => {
  fc.assert(
    fc.property(fc.array(storedBatch, { maxLength: 8 }), time, (stored, wanted) => {
      const log = logOf(stored);
      for (const batch of restore(log, wanted).batches) {
        const { batches, end } = scanBatches(batch);
        const [header] = batches;
        expect([batches.length, end]).toEqual([1, batch.length]);
        if (header === undefined) continue;
        expect(checkBatch(batch, header)).toBeUndefined();
        expect(isReusable(header)).toBe(true);
        expect(header.recordCount).toBeGreaterThan(0);
        const isReused = log.some(({ bytes }) => bytes.equals(batch));
        if (!isReused) expect([0, 1, 4]).toContain(header.attributes);
      }
    }),
    { numRuns: 200 },
  );
});

test('a rank is the number of restored records before an offset, also of one that is not restored', () => {
  fc.assert(
    fc.property(
      fc.array(storedBatch, { maxLength: 8 }),
      time,
      fc.array(fc.bigInt({ min: 95n, max: 180n }), { maxLength: 10 }),
      (stored, wanted, offsets) => {
        const log = logOf(stored);
        const ranks = new Ranks(offsets);

        const { cutter } = restore(log, wanted, ranks);

        const selected = covering(log).filter((row) => !isBefore(row, wanted) && !isBehind(row, wanted));
        for (const offset of offsets)
          expect(ranks.rankOf(offset, cutter.counts.records)).toBe(
            selected.filter((row) => row.offset < offset).length,
          );
      },
    ),
    { numRuns: 300 },
  );
});

test('the same log gives the same bytes, however it lies in memory', () => {
  fc.assert(
    fc.property(fc.array(storedBatch, { maxLength: 8 }), time, (stored, wanted) => {
      const log = logOf(stored);
      const whole = Buffer.concat(log.map(({ bytes }) => bytes));
      const inOne = scanBatches(whole).batches.map((header, index) => {
        const { from = 0n, to = 0n } = log[index] ?? {};
        return { bytes: whole, header, from, to, path: 'elsewhere' };
      });

      expect(restore(inOne, wanted).batches).toEqual(restore(log, wanted).batches);
      expect(Buffer.concat(log.map(({ bytes }) => bytes)).equals(whole)).toBe(true);
    }),
  );
});

function tenAt(firstMs: bigint, baseOffset = 0n): BatchToEncode {
  const records = Array.from({ length: 10 }, (_, index) =>
    record({ offsetDelta: index, timestampDelta: BigInt(index), value: Buffer.from(`v${index}`) }),
  );
  return { baseOffset, attributes: 4, baseTimestamp: firstMs, maxTimestamp: firstMs + 9n, records };
}

test('a whole batch goes through byte for byte, its codec with it', () => {
  const batch = covered({ ...tenAt(1000n), attributes: 3 });

  const { batches, cutter } = restore([batch], everything);

  expect(batches).toEqual([batch.bytes]);
  expect(cutter.counts).toMatchObject({ records: 10, reencoded: 0, firstMs: 1000n, lastMs: 1009n });
});

test('the first instant is taken and the last is not, and only batches at the edges are made anew', () => {
  const log = [
    covered(tenAt(1000n)),
    covered(tenAt(1010n, 10n)),
    covered(tenAt(1020n, 20n)),
    covered(tenAt(1030n, 30n)),
  ];

  const { batches, cutter } = restore(log, { fromMs: 1005n, toMs: 1022n });

  const times = batches.map((batch) => recordsOf(batch).map(({ timestamp }) => Number(timestamp)));
  expect(times).toEqual([
    [1005, 1006, 1007, 1008, 1009],
    [1010, 1011, 1012, 1013, 1014, 1015, 1016, 1017, 1018, 1019],
    [1020, 1021],
  ]);
  expect(batches[1]).toEqual(log[1]?.bytes);
  expect(cutter.counts).toEqual({
    records: 17,
    bytes: batches.reduce((sum, { length }) => sum + length, 0),
    firstMs: 1005n,
    lastMs: 1021n,
    before: 5,
    behind: 18,
    reencoded: 7,
  });
});

test('a time that the broker set becomes the time of each record', () => {
  const append = covered({ ...tenAt(1000n), attributes: appendTime });

  const { batches } = restore([append], { fromMs: 1009n, toMs: undefined });

  const restored = batches.flatMap(recordsOf);
  expect(restored.map(({ timestamp }) => timestamp)).toEqual(Array.from({ length: 10 }, () => 1009n));
  expect(restored[0]?.timestampType).toBe('CreateTime');
});

/** Batches of which compaction left one record each. */
function sparse(value: Buffer): CoveredBatch[] {
  return Array.from({ length: 8 }, (_, index) =>
    covered({
      baseOffset: BigInt(index * 10),
      lastOffsetDelta: 9,
      records: [record({ offsetDelta: 4, value })],
    }),
  );
}

test('small leftovers of compaction come together in one batch, and large ones are parted', () => {
  const small = restore(sparse(Buffer.from('small')), everything).batches;
  const large = restore(sparse(Buffer.alloc(200_000, 1)), everything).batches;

  expect(small.map((batch) => recordsOf(batch).length)).toEqual([8]);
  expect(large.map((batch) => recordsOf(batch).length)).toEqual([2, 2, 2, 2]);
});

/** Batches of `count` records of `size` bytes each, a second apart. */
function smallOnes(batches: number, { count = 1, size = 100 } = {}): CoveredBatch[] {
  return Array.from({ length: batches }, (_, index) =>
    covered({
      baseOffset: BigInt(index * count),
      baseTimestamp: BigInt(index * 1000),
      maxTimestamp: BigInt(index * 1000 + count - 1),
      records: Array.from({ length: count }, (_row, at) =>
        record({ offsetDelta: at, timestampDelta: BigInt(at), value: Buffer.alloc(size, at) }),
      ),
    }),
  );
}

test('small batches without a codec become few, with the same records', () => {
  const log = smallOnes(1000, { count: 3 });

  const { batches, cutter } = restore(log, everything);

  expect(batches.length).toBe(11);
  expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(32 * 1024);
  expect(batches.flatMap(recordsOf).map(asProduced)).toEqual(covering(log).map(asProduced));
  expect(cutter.counts).toMatchObject({ records: 3000, reencoded: 0, firstMs: 0n, lastMs: 999_002n });
});

test('what is not small, or has a codec, goes through byte for byte and in its place among small ones', () => {
  const small = smallOnes(4);
  const large = covered({ baseOffset: 4n, records: [record({ value: Buffer.alloc(5000, 7) })] });
  const packed = covered({ ...tenAt(1000n, 5n), attributes: 3 });
  const last = covered({ baseOffset: 15n, records: [record()] });

  const { batches } = restore([...small, large, packed, last], everything);

  expect(batches.map((batch) => recordsOf(batch).length)).toEqual([4, 1, 10, 1]);
  expect(batches.slice(1, 3)).toEqual([large.bytes, packed.bytes]);
});

test('a small batch whose numbers are too far apart to be joined goes through byte for byte', () => {
  const far = covered({
    baseOffset: 2n,
    baseTimestamp: 2n ** 50n,
    maxTimestamp: 2n ** 50n,
    records: [record()],
  });

  const { batches } = restore([...smallOnes(2), far], everything);

  expect(batches.map((batch) => recordsOf(batch).length)).toEqual([2, 1]);
  expect(batches[1]).toEqual(far.bytes);
});

test('a record that is larger than what a batch is filled to has a batch of its own', () => {
  const value = Buffer.alloc(700_000, 2);
  const log = [0n, 10n, 20n].map((baseOffset, index) =>
    covered({
      baseOffset,
      lastOffsetDelta: 9,
      records: [record({ value: index === 1 ? value : Buffer.from('v') })],
    }),
  );

  const { batches } = restore(log, everything);

  expect(batches.map((batch) => recordsOf(batch).map((row) => row.value?.length))).toEqual([
    [1],
    [700_000],
    [1],
  ]);
});

test('a batch that does not decode is damage', () => {
  const torn = covered({ lastOffsetDelta: 5, recordCount: 2, section: Buffer.from('nothing of a record') });

  expect(() => restore([torn], everything)).toThrow(expect.objectContaining({ code: 'damage' }));
});
