import type { JavaClient } from '../kafka/kafka.ts';

/** A small shop: what its topics hold is made up, how they hold it is what real ones do. */
export interface Shop {
  readonly topics: readonly string[];
  readonly records: number;
}

const day = 86_400_000;

export async function fillShop(java: JavaClient, nowMs: number): Promise<Shop> {
  const orders = 20_000;
  await java.createTopic({ topic: 'orders', partitions: 4 });
  await java.createTopic({ topic: 'customers', partitions: 2, configs: { 'cleanup.policy': 'compact' } });
  await java.createTopic({ topic: 'payments', partitions: 2 });
  await java.produce({
    topic: 'orders',
    compression: 'lz4',
    records: Array.from({ length: orders }, (_, index) => ({
      partition: index % 4,
      key: `order-${index}`,
      value: JSON.stringify({ order: index, total: (index * 37) % 9000, currency: 'EUR' }),
      // Three months of history, oldest first.
      timestamp: Math.floor(nowMs - 90 * day + (index / orders) * 90 * day),
      headers: [
        ['trace', Buffer.from([index & 0xff, 0, 255])],
        ['retry', null],
        ['trace', 'twice'],
      ] as const,
    })),
  });
  await java.produce({
    topic: 'customers',
    compression: 'zstd',
    records: Array.from({ length: 500 }, (_, index) => ({
      partition: index % 2,
      key: `customer-${index % 100}`,
      value: index % 7 === 0 ? null : `{"visits":${index}}`,
      timestamp: nowMs - index * 1000,
    })),
  });
  const transactionalId = 'till';
  for (const outcome of ['commit', 'abort', 'commit'] as const) {
    await java.beginTransaction({ transactionalId });
    await java.produce({
      topic: 'payments',
      transactionalId,
      records: Array.from({ length: 200 }, (_, index) => ({
        partition: index % 2,
        key: `${outcome}-${index}`,
        value: `{"paid":${index}}`,
      })),
    });
    if (outcome === 'commit') await java.commitTransaction(transactionalId);
    else await java.abortTransaction(transactionalId);
  }
  await java.commitOffsets({
    group: 'shipping',
    offsets: [{ topic: 'orders', partition: 0, offset: 1234n }],
  });
  return { topics: ['orders', 'customers', 'payments'], records: orders + 500 + 600 };
}
