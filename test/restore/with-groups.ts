import type { JavaClient } from '../../scripts/kafka/kafka.ts';
import { seeGroup } from './zoo.ts';

/** Of the first record in each partition. */
export const startMs = Date.parse('2026-03-01T00:00Z');
export const perPartition = 20n;

/** Two partitions of 20 records, one a minute; group `.mid` at 5 and 12, group `.end` at the ends. */
export async function givenTopic(java: JavaClient, topic: string): Promise<{ mid: string; end: string }> {
  await java.createTopic({ topic, partitions: 2 });
  const records = Array.from({ length: 40 }, (_, index) => ({
    partition: index % 2,
    value: `${index}`,
    timestamp: startMs + Math.floor(index / 2) * 60_000,
  }));
  await java.produce({ topic, records, lingerMs: 60_000 });
  const [mid, end] = [`${topic}.mid`, `${topic}.end`];
  await commit(java, { group: mid, topic, offsets: [5n, 12n], metadata: 'half way' });
  await commit(java, { group: end, topic, offsets: [perPartition, perPartition] });
  return { mid, end };
}

/** One offset for each partition, from the first on. */
export async function commit(
  java: JavaClient,
  o: { group: string; topic: string; offsets: readonly bigint[]; metadata?: string },
): Promise<void> {
  const { group, topic, metadata = '' } = o;
  const offsets = o.offsets.map((offset, partition) => ({ topic, partition, offset, metadata }));
  await java.commitOffsets({ group, offsets });
}

/** `topic/partition@offset metadata`, of everything that the group has. */
export async function standOf(java: JavaClient, group: string): Promise<string[]> {
  const { offsets } = await seeGroup(java, group);
  return offsets.map(({ topic, partition, offset, metadata }) =>
    `${topic}/${partition}@${offset} ${metadata}`.trim(),
  );
}
