import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type JavaClient, type Kafka, type KafkaBroker } from '../../scripts/kafka/kafka.ts';
import { Backup } from './backup.ts';
import { Opened } from './opened.ts';
import { until } from './processes.ts';

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 3 });
  java = await kafka.java();
});
afterAll(() => kafka.stop());

function brokerOf(id: number | undefined): KafkaBroker {
  const broker = kafka.brokers.find((one) => one.id === id);
  if (broker === undefined) throw new Error(`no broker ${id}`);
  return broker;
}

async function fill(topic: string, word: string, o: { count: number; partition?: number }): Promise<void> {
  const { count, partition = 0 } = o;
  const records = Array.from({ length: count }, (_, index) => ({ value: `${word} ${index}`, partition }));
  await java.produce({ topic, records, batchSize: 500 });
}

test("records that an unclean election rewrote stay in the old branch; cat gives the cluster's, and reading goes on", async () => {
  const topic = 'rewritten';
  const configs = { 'unclean.leader.election.enable': 'true', 'min.insync.replicas': '1' };
  const { partitions } = await java.createTopic({ topic, replicationFactor: 2, configs });
  const [leader, follower] = partitions[0]?.replicas ?? [];
  const isLed = async (by: number | undefined, inSync: number): Promise<void> =>
    until(`${topic} is led by ${by}`, async () => {
      const [now] = (await java.describeTopic(topic)).partitions;
      return now?.leader === by && now?.inSync.length === inSync;
    });
  await using backup = await Backup.of(kafka, { include: [topic] });
  await using opened = await Opened.of(backup, { mode: 'follow' });
  const kept = async (records: number): Promise<void> =>
    until(`${records} records are kept`, async () => opened.sink.status.records === records);
  await fill(topic, 'common', { count: 100 });
  await brokerOf(follower).kill();
  await isLed(leader, 1);
  await fill(topic, 'lost', { count: 50 });
  await kept(150);

  await brokerOf(leader).kill();
  await brokerOf(follower).start();
  await isLed(follower, 1);
  await fill(topic, 'other', { count: 30 });
  expect(await opened.told('truncated')).toMatchObject({ topic, partition: 0, offset: 100n });
  await kept(180);
  await brokerOf(leader).start();
  await isLed(follower, 2);
  await fill(topic, 'later', { count: 20 });

  expect(await opened.catchUp()).toMatchObject({ missing: [], gaps: [], truncations: [{ offset: 100n }] });
  expect(await backup.expectExact(topic)).toBe(150);
  const segments = await backup.segments(topic);
  const saved = await Promise.all(segments.map(async ({ path }) => readFile(path, 'latin1')));
  expect(saved.filter((bytes) => bytes.includes('lost 49'))).toHaveLength(1);
  expect(
    opened.events.filter(({ type }) => ['truncated', 'partition-stopped', 'gap'].includes(type)),
  ).toHaveLength(1);
});

test('a partition without a leader is listed, ends a backup with 3, and holds up no other', async () => {
  const topic = 'leaderless';
  const { partitions } = await java.createTopic({ topic, partitions: 6, replicationFactor: 1 });
  for (const { partition } of partitions) await fill(topic, 'value', { count: 20, partition });
  const lost = partitions.filter(({ leader }) => leader === 3).map(({ partition }) => partition);
  expect(lost.length).toBeGreaterThan(0);
  await using backup = await Backup.of(kafka, { include: [topic] });
  const broker = brokerOf(3);
  await broker.kill();
  await until('the partitions have lost their leader', async () => {
    const described = await java.describeTopic(topic);
    return described.partitions.filter(({ leader }) => leader < 0).length === lost.length;
  });
  const summary = await backup.catchUp();
  expect(summary).toMatchObject({ status: 3, records: (partitions.length - lost.length) * 20 });
  expect(summary.missing).toMatchObject(lost.map((partition) => ({ topic, partition })));
  await broker.start();
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: lost.length * 20, missing: [] });
  expect(await backup.expectExact(topic)).toBe(partitions.length * 20);
});
