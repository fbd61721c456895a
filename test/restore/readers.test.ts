import { expect, test } from 'vitest';
import type { Fetcher } from '../../src/kafka/kafka.ts';
import { readBack } from '../../src/restore/compare.ts';
import { Readers } from '../../src/restore/readers.ts';
import { encodeBatch, record } from '../log/encoder.ts';
import { LeapingClock } from './leaping-clock.ts';

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

test('a leader that hangs and is replaced while it is read: the new one is asked, long before the old one is given up', async () => {
  const place = { topic: 'orders', topicId: 'k3PN8zE1QCa7mL0rT5wXyA', partition: 0 };
  const batch = encodeBatch({ baseOffset: 0n, records: [record({ value: Buffer.from('one') })] });
  const asked: number[] = [];
  const cluster = {
    metadata: async () => ({
      clusterId: 'c',
      controllerId: 2,
      brokers: [],
      topics: [
        {
          errorCode: 0,
          name: place.topic,
          topicId: place.topicId,
          isInternal: false,
          partitions: [
            {
              errorCode: 0,
              partition: 0,
              leaderId: 2,
              leaderEpoch: 1,
              replicas: [1, 2],
              isr: [2],
              offline: [],
            },
          ],
        },
      ],
    }),
    fetcher: async (brokerId: number): Promise<Fetcher> => ({
      brokerId,
      fetch: async (_request, signal) => {
        asked.push(brokerId);
        if (brokerId === 1)
          return await new Promise<never>((_, reject) => {
            signal?.addEventListener('abort', () => reject(new Error('taken back')), { once: true });
          });
        const row = { topicId: place.topicId, partition: 0, errorCode: 0, records: batch };
        const ends = { highWatermark: 1n, lastStableOffset: 1n, logStartOffset: 0n };
        const partitions = [{ ...row, ...ends, aborted: [], preferredReadReplica: -1 }];
        const memory = { isWhole: true, byteLength: batch.length, release: () => undefined };
        return { errorCode: 0, throttleMs: 0, partitions, ...memory };
      },
      [Symbol.asyncDispose]: async () => undefined,
    }),
  };
  const clock = new LeapingClock();
  const beganMs = clock.now;
  await using readers = new Readers(cluster);
  let records = 0;
  await readBack(place, {
    readers,
    clock,
    signal: new AbortController().signal,
    leaderId: 1,
    from: 0n,
    until: () => ({ end: 1n, isFinal: true }),
    onBatch: (_bytes, { recordCount }) => (records += recordCount),
  });
  expect(records).toBe(1);
  expect(asked).toEqual([1, 2]);
  expect(clock.now - beganMs).toBeLessThan(15_000);
});
