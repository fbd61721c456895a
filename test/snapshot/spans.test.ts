import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  formatIndex,
  parseIndex,
  type IndexedBlock,
  type IndexedSegment,
} from '../../src/repository/pack-index.ts';
import { spansOf, type Wanted } from '../../src/snapshot/spans.ts';

const blockBytes = 100;

interface Batch {
  readonly at: number;
  readonly end: number;
  readonly offset: bigint;
  readonly min: bigint;
  readonly max: bigint;
  readonly isKnown: boolean;
}

const batches = fc
  .array(
    fc.record({
      bytes: fc.oneof(fc.integer({ min: 10, max: 60 }), fc.integer({ min: 90, max: 350 })),
      min: fc.bigInt({ min: 0n, max: 50n }),
      span: fc.bigInt({ min: 0n, max: 5n }),
      isKnown: fc.integer({ min: 0, max: 9 }).map((number) => number > 0),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((rows) => {
    let at = 0;
    return rows.map(({ bytes, min, span, isKnown }, index): Batch => {
      const from = at;
      at += bytes;
      return { at: from, end: at, offset: BigInt(index * 10), min, max: min + span, isKnown };
    });
  });

function segmentOf(rows: readonly Batch[]): IndexedSegment {
  const rawBytes = rows.at(-1)?.end ?? 0;
  const blocks = Array.from({ length: Math.ceil(rawBytes / blockBytes) }, (_, index): IndexedBlock => {
    const within = rows.filter(({ at }) => Math.floor(at / blockBytes) === index);
    const [first] = within;
    const least = within.toSorted((a, b) => Number(a.min - b.min))[0]?.min;
    return {
      sealedBytes: 50,
      firstBatchAt: first === undefined ? -1 : first.at - index * blockBytes,
      firstBatchOffset: first?.offset ?? 0n,
      maxTimestamp: within.toSorted((a, b) => Number(b.max - a.max))[0]?.max ?? -1n,
      minTimestamp: within.every(({ isKnown }) => isKnown) ? least : undefined,
    };
  });
  return {
    topic: 'orders',
    topicId: 'AAAAAAAAAAAAAAAAAAAAAA',
    partition: 0,
    branch: 0,
    base: 0n,
    next: BigInt(rows.length * 10),
    rawBytes,
    records: rows.length,
    firstMs: 0n,
    lastMs: 0n,
    position: 512,
    sealedBytes: 0,
    blocks,
  };
}

const time = fc.option(fc.bigInt({ min: 0n, max: 60n }), { nil: undefined });
const wantedOf = fc.record({
  next: fc.bigInt({ min: 0n, max: 200n }),
  below: fc.option(fc.bigInt({ min: 0n, max: 400n }), { nil: undefined }),
  fromMs: time,
  toMs: time,
});

function isWanted({ offset, min, max }: Batch, { next, below, fromMs, toMs }: Wanted): boolean {
  if (offset + 9n < next || (below !== undefined && offset >= below)) return false;
  return (fromMs === undefined || max >= fromMs) && (toMs === undefined || min < toMs);
}

test('spans hold every batch that is wanted, whole, and end where a batch ends', () => {
  fc.assert(
    fc.property(batches, wantedOf, (rows, wanted) => {
      const segment = segmentOf(rows);
      const pieces = spansOf(segment, wanted).map(({ from, to, lastBytes }) => ({
        begin: from * blockBytes + (segment.blocks[from]?.firstBatchAt ?? 0),
        end: Math.min(segment.rawBytes, lastBytes > 0 ? (to - 1) * blockBytes + lastBytes : to * blockBytes),
      }));
      for (const [index, { begin, end }] of pieces.entries()) {
        expect(rows.some(({ at }) => at === begin)).toBe(true);
        expect(rows.some((row) => row.end === end)).toBe(true);
        expect(begin).toBeGreaterThanOrEqual(pieces[index - 1]?.end ?? 0);
      }
      for (const row of rows.filter((each) => isWanted(each, wanted)))
        expect(pieces.some(({ begin, end }) => begin <= row.at && row.end <= end)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

/** A batch that fills a block. */
function filling(index: number, ms: bigint, isKnown = true): Batch {
  return {
    at: index * blockBytes,
    end: (index + 1) * blockBytes,
    offset: BigInt(index * 10),
    min: ms,
    max: ms,
    isKnown,
  };
}

function blocksFrom(from: number, to: number): object {
  return { from, to, lastBytes: 0 };
}

test('blocks are left out behind the last time and before the first, and those that do not tell are not', () => {
  const { blocks, ...rest } = segmentOf([
    filling(0, 1n),
    filling(1, 5n),
    filling(2, 9n),
    filling(3, 8n, false),
    filling(4, 9n),
    filling(5, 5n),
  ]);
  const wanted = { next: 0n, below: undefined, fromMs: 4n, toMs: 6n };

  expect(spansOf({ ...rest, blocks }, wanted)).toEqual([
    blocksFrom(1, 2),
    blocksFrom(3, 4),
    blocksFrom(5, 6),
  ]);
  const untold = blocks.map((block) => ({ ...block, minTimestamp: undefined }));
  expect(spansOf({ ...rest, blocks: untold }, wanted)).toEqual([blocksFrom(1, 6)]);
});

test('an index tells the smallest timestamps, and one that was written without them is read as before', () => {
  fc.assert(
    fc.property(batches, (rows) => {
      const index = { pack: '2026-11/0000000001-0.tar', segments: [segmentOf(rows)] };
      const written = formatIndex(index);
      expect(parseIndex(written, index.pack)).toMatchObject(index);

      const old = JSON.parse(written.toString(), (key: string, value: unknown) =>
        key === 'minTimestamps' ? undefined : value,
      );
      const untold = index.segments.map((segment) => ({
        ...segment,
        blocks: segment.blocks.map((block) => ({ ...block, minTimestamp: undefined })),
      }));
      expect(parseIndex(Buffer.from(JSON.stringify(old)), index.pack)).toMatchObject({
        ...index,
        segments: untold,
      });
    }),
    { numRuns: 50 },
  );
});

test('an index with fewer smallest timestamps than blocks is damaged', () => {
  const segment = segmentOf([{ at: 0, end: 250, offset: 0n, min: 3n, max: 4n, isKnown: true }]);
  const written = formatIndex({ pack: 'a', segments: [segment] }).toString();
  const short = written.replace('"minTimestamps":["3",null,null]', '"minTimestamps":["3"]');
  expect(short).not.toBe(written);
  expect(() => parseIndex(Buffer.from(short), 'a')).toThrow('as many smallest timestamps as blocks');
});
