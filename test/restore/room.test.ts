import { expect, test } from 'vitest';
import { placesOf, Room } from '../../src/restore/room.ts';

function ranges(offsets: bigint): { from: bigint; to: bigint }[] {
  return [
    { from: 0n, to: offsets / 2n },
    { from: offsets, to: offsets + offsets - offsets / 2n },
  ];
}

test('small partitions take one place, large ones more and more, and none of them all', () => {
  expect([0n, 4999n, 5000n, 20_000n, 35_000n, 10n ** 12n].map((count) => placesOf(ranges(count)))).toEqual([
    1, 1, 2, 5, 8, 8,
  ]);
});

test('as many go at once as there is room for, in order, and a large one waits for its places', async () => {
  const room = new Room(4);
  const begun: number[] = [];
  const ends = new Map<number, () => void>();
  const all = room.each(
    [1, 2, 3, 1],
    (weight) => weight,
    async (weight) => {
      begun.push(weight);
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.set(begun.length, resolve);
      await promise;
    },
  );
  await expect.poll(() => begun).toEqual([1, 2]);
  ends.get(2)?.();
  await expect.poll(() => begun).toEqual([1, 2, 3]);
  ends.get(3)?.();
  await expect.poll(() => begun).toEqual([1, 2, 3, 1]);
  ends.get(1)?.();
  ends.get(4)?.();
  await all;
});

test('after a failure nothing more begins, and its room is free for others', async () => {
  const room = new Room(1);
  const begun: string[] = [];
  const failing = room.each(
    ['first', 'second'],
    () => 1,
    async (item) => {
      begun.push(item);
      throw new Error(`the ${item} failed`);
    },
  );
  await expect(failing).rejects.toThrow('the first failed');
  await room.each(
    ['other'],
    () => 1,
    async (item) => void begun.push(item),
  );
  expect(begun).toEqual(['first', 'other']);
});
