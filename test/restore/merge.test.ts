import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import type { CoveredBatch } from '../../src/local/local.ts';
import { nextOffsetOf, scanBatches } from '../../src/log/log.ts';
import type { Copy, Range, ReadRange } from '../../src/restore/backup.ts';
import { readMerged, type MergeOptions } from '../../src/restore/merge.ts';
import { encodeBatch } from '../log/encoder.ts';

interface FakeCopy extends Copy {
  readonly asked: ReadRange[];
  closed: number;
}

/** A copy in batches of so many offsets, which fails at one of them. */
function copyNamed(
  name: string,
  { size, fails }: { size: bigint; fails?: { at: bigint; error: Error } },
): FakeCopy {
  const asked: ReadRange[] = [];
  return {
    name,
    coverage: { ranges: [], epochs: [], gaps: [], truncations: [] },
    absent: [],
    asked,
    closed: 0,
    async *read(range) {
      asked.push(range);
      const { first, below } = range;
      try {
        for (let base = first - (first % size); base < below; base += size) {
          const batch = batchAt(base, { size, path: name });
          if (fails !== undefined && base <= fails.at && fails.at < batch.to) throw fails.error;
          yield {
            ...batch,
            from: base > first ? base : first,
            to: batch.to < below ? batch.to : below,
          };
        }
      } finally {
        this.closed += 1;
      }
    },
  };
}

function batchAt(baseOffset: bigint, { size, path }: { size: bigint; path: string }): CoveredBatch {
  const bytes = encodeBatch({ baseOffset, lastOffsetDelta: Number(size) - 1, recordCount: 0 });
  const [header] = scanBatches(bytes).batches;
  if (header === undefined) throw new Error('no batch');
  return { bytes, header, from: baseOffset, to: nextOffsetOf(header), path };
}

function damageAt(at: bigint): { at: bigint; error: VarveError } {
  return { at, error: new VarveError('damage', `a flipped bit at ${at}`, { hint: 'replace the disk' }) };
}

type Taken = readonly [path: string, from: bigint, to: bigint];

async function take(
  copies: readonly Copy[],
  stretches: readonly (Range & { copies: readonly number[] })[],
  options: Partial<MergeOptions> = {},
): Promise<Taken[]> {
  const taken: Taken[] = [];
  for await (const { path, from, to } of readMerged(copies, stretches, {
    fromMs: undefined,
    toMs: undefined,
    ...options,
  }))
    taken.push([path, from, to]);
  return taken;
}

test('each stretch comes from its first copy, and is asked for as it is', async () => {
  const local = copyNamed('local', { size: 10n });
  const archive = copyNamed('archive', { size: 10n });

  const taken = await take(
    [local, archive],
    [
      { from: 5n, to: 20n, copies: [1, 0] },
      { from: 30n, to: 42n, copies: [0] },
    ],
    { fromMs: 77n, toMs: 99n },
  );

  expect(taken).toEqual([
    ['archive', 5n, 10n],
    ['archive', 10n, 20n],
    ['local', 30n, 40n],
    ['local', 40n, 42n],
  ]);
  expect(archive.asked).toEqual([{ first: 5n, below: 20n, fromMs: 77n, toMs: 99n }]);
  expect(local.asked).toEqual([{ first: 30n, below: 42n, fromMs: 77n, toMs: 99n }]);
});

test('behind a damaged place the next copy goes on, at the very offset', async () => {
  const first = copyNamed('first', { size: 10n, fails: damageAt(25n) });
  const second = copyNamed('second', { size: 7n });
  const lost: Range[] = [];

  const taken = await take([first, second], [{ from: 3n, to: 40n, copies: [0, 1] }], {
    onLost: (range) => lost.push(range),
  });

  expect(taken).toEqual([
    ['first', 3n, 10n],
    ['first', 10n, 20n],
    ['second', 20n, 21n],
    ['second', 21n, 28n],
    ['second', 28n, 35n],
    ['second', 35n, 40n],
  ]);
  expect(lost).toEqual([]);
});

test('copies damaged at different places fill each other', async () => {
  const first = copyNamed('first', { size: 10n, fails: damageAt(5n) });
  const second = copyNamed('second', { size: 10n, fails: damageAt(15n) });

  const taken = await take([first, second], [{ from: 0n, to: 30n, copies: [0, 1] }]);

  expect(taken).toEqual([
    ['second', 0n, 10n],
    ['first', 10n, 20n],
    ['first', 20n, 30n],
  ]);
});

test('what is damaged in every copy is told as lost, no more than that, and all behind it is read', async () => {
  const first = copyNamed('first', { size: 10n, fails: damageAt(15n) });
  const second = copyNamed('second', { size: 4n, fails: damageAt(17n) });
  const lost: (readonly [Range, string])[] = [];

  const taken = await take(
    [first, second],
    [
      { from: 0n, to: 30n, copies: [0, 1] },
      { from: 30n, to: 40n, copies: [0] },
    ],
    { onLost: (range, { message }) => lost.push([range, message]) },
  );

  expect(lost).toEqual([[{ from: 16n, to: 20n }, expect.stringMatching(/^a flipped bit at 1[57]$/)]]);
  expect(taken).toEqual([
    ['first', 0n, 10n],
    ['second', 10n, 12n],
    ['second', 12n, 16n],
    ['first', 20n, 30n],
    ['first', 30n, 40n],
  ]);
});

test('without leave to lose anything, what no copy can be read for ends the reading, with what to do', async () => {
  const only = copyNamed('only', { size: 10n, fails: damageAt(12n) });

  const reading = take([only], [{ from: 0n, to: 20n, copies: [0] }]);

  await expect(reading).rejects.toMatchObject({
    code: 'damage',
    message: 'offsets 10 to 19, or some of them, cannot be read: a flipped bit at 12',
    hint: expect.stringMatching(/--salvage/),
  });
});

test.each([
  ['a target that hangs', new VarveError('target-unusable', 'it hangs', { hint: 'look at the mount' })],
  ['a mistake of the program', new TypeError('undefined is not a function')],
])('%s is no damage: no other copy is tried', async (_what, error) => {
  const first = copyNamed('first', { size: 10n, fails: { at: 5n, error } });
  const second = copyNamed('second', { size: 10n });
  const lost: Range[] = [];

  const reading = take([first, second], [{ from: 0n, to: 20n, copies: [0, 1] }], {
    onLost: (range) => lost.push(range),
  });

  await expect(reading).rejects.toBe(error);
  expect(second.asked).toEqual([]);
  expect(lost).toEqual([]);
});

test('a reading that is left early closes the copy it is at', async () => {
  const copy = copyNamed('local', { size: 10n });

  for await (const batch of readMerged([copy], [{ from: 0n, to: 90n, copies: [0] }], {
    fromMs: undefined,
    toMs: undefined,
  }))
    if (batch.to === 20n) break;

  expect(copy.closed).toBe(1);
});

test('whatever is damaged, an offset is read once from a copy that has it there, or told as lost', async () => {
  const copyFacts = fc.record({ size: fc.bigInt(1n, 9n), bad: fc.option(fc.bigInt(0n, 70n)) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(copyFacts, { minLength: 1, maxLength: 3 }),
      fc.array(fc.bigInt(1n, 30n), { minLength: 1, maxLength: 4 }),
      async (facts, lengths) => {
        const copies = facts.map(({ size, bad }, index) =>
          copyNamed(String(index), { size, ...(bad !== null && { fails: damageAt(bad) }) }),
        );
        let end = 0n;
        const stretches = lengths.map((length) => {
          end += length;
          return { from: end - length, to: end, copies: copies.map((_copy, index) => index) };
        });
        const lost: Range[] = [];

        const taken = await take(copies, stretches, { onLost: (range) => lost.push(range) });

        const parts = [...taken.map(([, from, to]) => ({ from, to })), ...lost];
        let next = 0n;
        for (const { from, to } of parts.toSorted((a, b) => Number(a.from - b.from))) {
          expect(from).toBe(next);
          next = to;
        }
        expect(next).toBe(end);
        for (const [name, from, to] of taken) {
          const bad = facts[Number(name)]?.bad ?? -1n;
          expect(bad >= from && bad < to).toBe(false);
        }
        for (const { from, to } of lost) {
          for (let offset = from; offset < to; offset += 1n)
            expect(facts.every(({ size, bad }) => bad !== null && bad / size === offset / size)).toBe(true);
        }
      },
    ),
  );
});
