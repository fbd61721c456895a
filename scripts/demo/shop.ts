import type { JavaClient } from '../kafka/kafka.ts';

/** A small shop: what its topics hold is made up, how they hold it is what real ones do. */
export const shopTopics = ['orders', 'customers', 'payments'] as const;

const day = 86_400_000;
const orders = 20_000;
/** Where the group `shipping` stands in each partition of orders. */
const shipped = [4321n, 4400n, 4999n, 120n];

/** Three months of it. Resolves to how many records that are, aborted ones too. */
export async function fillShop(java: JavaClient, prefix: string, nowMs: number): Promise<number> {
  const [topic, customers, payments] = shopTopics.map((name) => prefix + name);
  if (topic === undefined || customers === undefined || payments === undefined) return 0;
  await java.createTopic({ topic, partitions: 4 });
  await java.createTopic({ topic: customers, partitions: 2, configs: { 'cleanup.policy': 'compact' } });
  await java.createTopic({ topic: payments, partitions: 2 });
  // Oldest first, an hour before now at the latest.
  const stepMs = (90 * day) / orders;
  await produceOrders(java, topic, { from: 0, count: orders, atMs: nowMs - 90 * day - 3_600_000, stepMs });
  await java.produce({
    topic: customers,
    compression: 'zstd',
    records: Array.from({ length: 500 }, (_, index) => ({
      partition: index % 2,
      key: `customer-${index % 100}`,
      value: index % 7 === 0 ? null : `{"visits":${index}}`,
      timestamp: nowMs - index * 1000,
    })),
  });
  await pay(java, payments);
  await java.commitOffsets({
    group: `${prefix}shipping`,
    offsets: shipped.map((offset, partition) => ({ topic, partition, offset })),
  });
  return orders + 500 + 600;
}

/** What comes in after the first backup. */
export async function sellMore(java: JavaClient, prefix: string, nowMs: number): Promise<number> {
  const count = 1000;
  await produceOrders(java, `${prefix}orders`, { from: orders, count, atMs: nowMs - count, stepMs: 1 });
  return count;
}

async function produceOrders(
  java: JavaClient,
  topic: string,
  o: { from: number; count: number; atMs: number; stepMs: number },
): Promise<void> {
  const records = Array.from({ length: o.count }, (_, at) => {
    const order = o.from + at;
    return {
      partition: order % 4,
      key: `order-${order}`,
      value: JSON.stringify({ order, total: (order * 37) % 9000, currency: 'EUR' }),
      timestamp: Math.floor(o.atMs + at * o.stepMs),
      headers: [
        ['trace', Buffer.from([order & 0xff, 0, 255])],
        ['retry', null],
        ['trace', 'twice'],
      ] as const,
    };
  });
  await java.produce({ topic, compression: 'lz4', records });
}

async function pay(java: JavaClient, topic: string): Promise<void> {
  const transactionalId = `${topic}-till`;
  for (const outcome of ['commit', 'abort', 'commit'] as const) {
    await java.beginTransaction({ transactionalId });
    await java.produce({
      topic,
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
}
