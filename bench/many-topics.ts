import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaPorts } from '../src/daemon/daemon.ts';
import { systemHost } from '../src/host/host.ts';
import { connectCluster, type Cluster, type PartitionToProduce, type Producer } from '../src/kafka/kafka.ts';
import { encodeBatch, record } from '../test/log/encoder.ts';

const createdAtOnce = 500;
const producedAtOnce = 500;

/** Topics of one partition with one batch of records in each, made and filled by many in one request. */
export async function makeTopics(
  bootstrap: string,
  o: { count: number; records: number; valueBytes: number },
): Promise<void> {
  await using cluster = await connectCluster({
    settings: { brokers: bootstrap.split(','), clientId: 'bench', requestTimeoutMs: 120_000 },
    ports: kafkaPorts(systemHost),
  });
  const names = Array.from({ length: o.count }, (_, index) => `topic-${String(index).padStart(5, '0')}`);
  const batch = batchOf(o);
  for (const topics of chunks(names, createdAtOnce)) {
    const created = await cluster.createTopics(
      topics.map((topic) => ({ topic, partitions: 1, replicationFactor: 1, configs: [] })),
    );
    const refused = created.find(({ errorCode }) => errorCode !== 0);
    if (refused !== undefined) throw new Error(`create ${refused.topic}: ${refused.message}`);
  }
  const { brokers } = await cluster.metadata({ topics: [] });
  await using producer = await cluster.producer(brokers[0]?.id ?? 0);
  for (const topics of chunks(names, producedAtOnce)) await produceAll({ cluster, producer }, topics, batch);
}

async function produceAll(
  to: { cluster: Cluster; producer: Producer },
  topics: readonly string[],
  batch: Buffer,
): Promise<void> {
  const metadata = await to.cluster.metadata({ topics });
  let left: PartitionToProduce[] = metadata.topics.map(({ name, topicId }) => ({
    topic: name,
    topicId,
    partition: 0,
    batch,
  }));
  while (left.length > 0) {
    const rows = await to.producer.produce({ partitions: left, timeoutMs: 60_000 });
    // A leader that has not heard of a new topic yet is asked again.
    const refused = new Set(rows.filter(({ errorCode }) => errorCode !== 0).map(({ topicId }) => topicId));
    left = left.filter(({ topicId }) => refused.has(topicId));
    if (left.length > 0) await sleep(100);
  }
}

function batchOf({ records, valueBytes }: { records: number; valueBytes: number }): Buffer {
  const now = BigInt(Date.now());
  const value = Buffer.alloc(valueBytes, 'varve');
  return encodeBatch({
    baseTimestamp: now,
    maxTimestamp: now,
    records: Array.from({ length: records }, (_, offsetDelta) => record({ offsetDelta, value })),
  });
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}
