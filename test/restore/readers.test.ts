import { expect, test } from 'vitest';
import type { Fetcher } from '../../src/kafka/kafka.ts';
import { Readers } from '../../src/restore/readers.ts';

/** Connections that only count. */
class Counted {
  opened = 0;
  closed = 0;

  readonly cluster = {
    metadata: async () => await Promise.reject(new Error('nobody asks who leads')),
    fetcher: async (brokerId: number): Promise<Fetcher> => {
      this.opened += 1;
      return {
        brokerId,
        fetch: async () => await Promise.reject(new Error('nothing is fetched')),
        [Symbol.asyncDispose]: async () => {
          this.closed += 1;
          await Promise.resolve();
        },
      };
    },
  };
}

test('one after the other they share a connection to a broker; side by side each has its own', async () => {
  const counted = new Counted();
  await using readers = new Readers(counted.cluster);
  const lent: Fetcher[] = [];
  const keep = async (fetcher: Fetcher): Promise<void> => void lent.push(fetcher);

  for (const brokerId of [1, 1, 2, 1]) await readers.lend(brokerId, keep);
  expect(lent.map(({ brokerId }) => brokerId)).toEqual([1, 1, 2, 1]);
  expect(new Set(lent).size).toBe(2);

  await Promise.all([1, 1, 1].map(async (brokerId) => readers.lend(brokerId, keep)));
  expect(new Set(lent.slice(4)).size).toBe(3);
  expect(counted).toMatchObject({ opened: 4, closed: 0 });
});

test('of one broker no more than six are open; who comes later waits', async () => {
  const counted = new Counted();
  await using readers = new Readers(counted.cluster);
  const gate = Promise.withResolvers<undefined>();
  const waiting = Array.from({ length: 20 }, async () => readers.lend(1, async () => gate.promise));
  await readers.lend(2, async () => Promise.resolve());
  expect(counted.opened).toBe(7);

  gate.resolve(undefined);
  await Promise.all(waiting);
  expect(counted).toMatchObject({ opened: 7, closed: 0 });
});

test('a connection over which something failed is closed and not lent again', async () => {
  const counted = new Counted();
  const readers = new Readers(counted.cluster);

  await expect(readers.lend(1, async () => await Promise.reject(new Error('cut off')))).rejects.toThrow(
    'cut off',
  );
  expect(counted).toMatchObject({ opened: 1, closed: 1 });
  await readers.lend(1, async () => Promise.resolve());
  expect(counted.opened).toBe(2);

  await readers[Symbol.asyncDispose]();
  expect(counted.closed).toBe(2);
});
