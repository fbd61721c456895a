import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRecords, filterCommitted, scanBatches, type AbortedTransaction } from '../../src/log/log.ts';
import { control, encodeBatch, record, sealed, transactional, type BatchToEncode } from './encoder.ts';

const abortKey = Buffer.from('00000000', 'hex');
const commitKey = Buffer.from('00000001', 'hex');

function data(producerId: bigint, baseOffset: bigint, attributes = transactional): BatchToEncode {
  return {
    baseOffset,
    producerId,
    attributes,
    records: [record({ key: abortKey, value: Buffer.from('v') })],
  };
}

function marker(producerId: bigint, baseOffset: bigint, key = abortKey): BatchToEncode {
  return { baseOffset, producerId, attributes: transactional | control, records: [record({ key })] };
}

function keptOffsets(batches: BatchToEncode[], aborted: readonly AbortedTransaction[]): bigint[] {
  const bytes = Buffer.concat(batches.map(encodeBatch));
  return filterCommitted(bytes, scanBatches(bytes).batches, aborted).kept.map((header) => header.baseOffset);
}

describe('the read_committed filter', () => {
  test('keeps everything of a topic without transactions', () => {
    expect(keptOffsets([data(-1n, 0n, 0), data(7n, 1n, 0)], [])).toEqual([0n, 1n]);
  });

  test('drops an aborted transaction and every marker, and counts them', () => {
    const batches = [
      data(1n, 0n),
      data(2n, 1n),
      marker(1n, 2n),
      data(1n, 3n),
      marker(1n, 4n, commitKey),
      marker(2n, 5n, commitKey),
    ];
    const bytes = Buffer.concat(batches.map(encodeBatch));
    const result = filterCommitted(bytes, scanBatches(bytes).batches, [{ producerId: 1n, firstOffset: 0n }]);
    expect(result.kept.map((header) => header.baseOffset)).toEqual([1n, 3n]);
    expect(result).toMatchObject({ droppedControl: 3, droppedAborted: 1 });
  });

  test('keeps what an aborted producer writes outside of transactions', () => {
    expect(
      keptOffsets([data(1n, 0n), data(1n, 1n, 0), marker(1n, 2n)], [{ producerId: 1n, firstOffset: 0n }]),
    ).toEqual([1n]);
  });

  test('a commit marker does not end an aborted transaction', () => {
    // As after two transactions of one producer whose first was aborted before the answer begins.
    expect(
      keptOffsets(
        [marker(1n, 4n, commitKey), data(1n, 5n), marker(1n, 6n)],
        [{ producerId: 1n, firstOffset: 3n }],
      ),
    ).toEqual([]);
  });

  test('takes the list unsorted and ahead of the batches', () => {
    const aborted = [
      { producerId: 3n, firstOffset: 90n },
      { producerId: 2n, firstOffset: 3n },
      { producerId: 1n, firstOffset: 0n },
    ];
    const batches = [
      data(1n, 0n),
      data(3n, 1n),
      marker(1n, 2n),
      data(2n, 3n),
      data(1n, 4n),
      marker(3n, 5n, commitKey),
      marker(2n, 6n),
    ];
    expect(keptOffsets(batches, aborted)).toEqual([1n, 4n]);
  });

  test('goes on where an earlier answer ended in the middle of a transaction', () => {
    expect(
      keptOffsets([data(1n, 10n), marker(1n, 11n), data(1n, 12n)], [{ producerId: 1n, firstOffset: 2n }]),
    ).toEqual([12n]);
  });

  test('a user key that looks like an abort marker ends nothing', () => {
    const alike = { ...data(1n, 1n), records: [record({ key: abortKey })] };
    expect(
      keptOffsets([data(1n, 0n), alike, data(1n, 2n), marker(1n, 3n)], [{ producerId: 1n, firstOffset: 0n }]),
    ).toEqual([]);
  });

  test('a marker that compaction emptied ends nothing', () => {
    const emptied = { ...marker(1n, 1n), records: [] };
    expect(
      keptOffsets(
        [data(1n, 0n), emptied, data(1n, 2n), marker(1n, 3n)],
        [{ producerId: 1n, firstOffset: 0n }],
      ),
    ).toEqual([]);
  });

  test.each<[string, BatchToEncode, string]>([
    ['without a key', { ...marker(1n, 1n), records: [record()] }, 'got none'],
    ['with a short key', { ...marker(1n, 1n), records: [record({ key: Buffer.alloc(3) })] }, 'got 3 bytes'],
    [
      'that is compressed',
      { ...marker(1n, 1n), attributes: transactional | control | 1 },
      'without compression',
    ],
    [
      'whose record ends behind it',
      { ...marker(1n, 1n), records: [], recordCount: 1, section: Buffer.from('ff7f', 'hex') },
      'length of record',
    ],
  ])('a marker %s is damage', (_name, bad, message) => {
    const aborted = [{ producerId: 1n, firstOffset: 0n }];
    expect(() => keptOffsets([data(1n, 0n), bad], aborted)).toThrow(
      expect.objectContaining({ code: 'damage' }),
    );
    expect(() => keptOffsets([data(1n, 0n), bad], aborted)).toThrow(message);
  });

  test('never reads outside of a marker, whatever byte of it is changed', () => {
    const first = encodeBatch(data(1n, 0n));
    const whole = encodeBatch(marker(1n, 1n));
    for (let bit = 61 * 8; bit < whole.length * 8; bit += 1) {
      const bad = Buffer.from(whole);
      bad.writeUInt8(bad.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const bytes = Buffer.concat([first, sealed(bad)]);
      const run = (): unknown =>
        filterCommitted(bytes, scanBatches(bytes).batches, [{ producerId: 1n, firstOffset: 0n }]);
      expect(outcome(run)).toMatch(/^(done|damage)$/);
    }
  });

  test('agrees, in answers cut anywhere, with a model that follows every transaction from its first record', () => {
    fc.assert(
      fc.property(
        fc.array(move, { maxLength: 60 }),
        fc.array(fc.nat(7), { maxLength: 30 }),
        (moves, cuts) => {
          const log = play(moves);
          const kept: bigint[] = [];
          let start = 0;
          for (let answer = 0; start < log.batches.length; answer += 1) {
            const end = Math.min(log.batches.length, start + 1 + (cuts[answer] ?? 3));
            const bytes = Buffer.concat(log.batches.slice(start, end).map(encodeBatch));
            const from = log.batches[start]?.baseOffset ?? 0n;
            // What a broker lists: transactions that end at or behind the asked offset, here with later ones too, reversed.
            const aborted = log.aborted.filter((each) => each.endOffset >= from).toReversed();
            for (const header of filterCommitted(bytes, scanBatches(bytes).batches, aborted).kept) {
              for (const each of decodeRecords(bytes, header)) kept.push(each.offset);
            }
            start = end;
          }
          expect(kept).toEqual(log.committed);
        },
      ),
      { numRuns: 300 },
    );
  });
});

function outcome(run: () => unknown): string {
  try {
    run();
    return 'done';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'crash';
  }
}

const move = fc.record({
  producer: fc.integer({ min: 1, max: 4 }),
  act: fc.constantFrom('write', 'write', 'write', 'commit', 'abort', 'plain'),
  records: fc.integer({ min: 1, max: 3 }),
});

type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;

/** A broker's log: what is in it, what of it is committed, and which transactions were aborted where. */
function play(moves: readonly Move[]): {
  batches: BatchToEncode[];
  committed: bigint[];
  aborted: (AbortedTransaction & { endOffset: bigint })[];
} {
  const batches: BatchToEncode[] = [];
  const committed: bigint[] = [];
  const aborted: (AbortedTransaction & { endOffset: bigint })[] = [];
  const open = new Map<bigint, bigint[]>();
  let next = 0n;
  const end = (producerId: bigint, act: 'commit' | 'abort'): void => {
    const written = open.get(producerId) ?? [];
    open.delete(producerId);
    batches.push(marker(producerId, next, act === 'abort' ? abortKey : commitKey));
    const [firstOffset] = written;
    if (act === 'commit') committed.push(...written);
    else if (firstOffset !== undefined) aborted.push({ producerId, firstOffset, endOffset: next });
    next += 1n;
  };
  for (const { producer, act, records } of moves) {
    const producerId = BigInt(producer);
    if (act === 'commit' || act === 'abort') {
      end(producerId, act);
      continue;
    }
    const inside = act === 'write';
    const offsets = Array.from({ length: records }, (_, index) => next + BigInt(index));
    batches.push({
      baseOffset: next,
      producerId,
      attributes: inside ? transactional : 0,
      records: offsets.map((_, offsetDelta) =>
        record({ offsetDelta, key: offsetDelta % 2 === 0 ? abortKey : commitKey }),
      ),
    });
    if (inside) open.set(producerId, [...(open.get(producerId) ?? []), ...offsets]);
    else committed.push(...offsets);
    next += BigInt(records);
  }
  // Up to the last stable offset no transaction is open.
  for (const producerId of open.keys()) end(producerId, producerId % 2n === 0n ? 'abort' : 'commit');
  return { batches, committed: committed.toSorted((a, b) => Number(a - b)), aborted };
}
