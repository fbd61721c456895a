import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup } from './backup.ts';
import { MovedClock, Opened } from './opened.ts';
import { Daemon, until } from './processes.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

/** Each value says which life of the topic it belongs to. */
async function fill(topic: string, life: string, count: number): Promise<string[]> {
  const java = await kafka.java();
  const values = Array.from({ length: count }, (_, index) => `${life} ${index}`);
  const records = values.map((value, index) => ({ key: value, value, partition: index % 2 }));
  await java.produce({ topic, records, batchSize: 2000 });
  return java.consumeLines({ topic });
}

async function linesOf(backup: Backup, topic: string, incarnation: string): Promise<string[]> {
  // The id may begin with a dash, so it is one word with its option.
  const words = ['cat', '--topic', topic, `--incarnation=${incarnation}`, '--json'];
  const { status, stdout, stderr } = await backup.run(...words);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return stdout.split('\n').slice(0, -1);
}

test.for([
  ['shorter', 300, 100],
  ['of the same length', 100, 100],
  ['already longer', 100, 300],
] as const)(
  'a topic that was created anew while nobody looked, and is %s, has two incarnations, both complete',
  async ([, before, after]) => {
    const java = await kafka.java();
    const topic = `down-${before}-${after}`;
    await using backup = await Backup.of(kafka, { include: [topic] });
    const first = await java.createTopic({ topic, partitions: 2 });
    const firstLines = await fill(topic, 'first', before);
    expect(await backup.catchUp()).toMatchObject({ status: 0, records: before });
    await java.deleteTopic(topic);
    const second = await java.createTopic({ topic, partitions: 2 });
    const secondLines = await fill(topic, 'second', after);
    expect(await backup.catchUp()).toMatchObject({ status: 0, records: after, gaps: [], missing: [] });
    expect(await linesOf(backup, topic, first.topicId)).toEqual(firstLines);
    expect(await linesOf(backup, topic, second.topicId)).toEqual(secondLines);
    expect(await backup.lines(topic)).toEqual(secondLines);
  },
);

test.for([
  ['shorter', 300, 100],
  ['already longer', 100, 300],
] as const)(
  'a topic that is created anew while a daemon reads it, and is %s, has two incarnations, both complete',
  async ([, before, after]) => {
    const java = await kafka.java();
    const topic = `running-${before}-${after}`;
    await using backup = await Backup.of(kafka, { include: [topic] });
    const first = await java.createTopic({ topic, partitions: 2 });
    await using daemon = await Daemon.following(backup);
    const firstLines = await fill(topic, 'first', before);
    await backup.catchUp(); // through the daemon, which has it all then
    await java.deleteTopic(topic);
    const second = await java.createTopic({ topic, partitions: 2 });
    const secondLines = await fill(topic, 'second', after);
    expect(await backup.catchUp()).toMatchObject({ status: 0, gaps: [], missing: [] });
    await daemon.logged('topic-gone', { where: ({ topicId }) => topicId === first.topicId });
    expect(await linesOf(backup, topic, first.topicId)).toEqual(firstLines);
    expect(await linesOf(backup, topic, second.topicId)).toEqual(secondLines);
    const commits = await java.listGroupOffsets(backup.group);
    for (const { metadata } of commits)
      expect(JSON.parse(metadata)).toMatchObject({ topicId: second.topicId });
  },
);

test('a new topic and a new partition are found by the daemon itself, within a minute', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'found-old', partitions: 1 });
  await using backup = await Backup.of(kafka, { include: ['found-*'] });
  const clock = new MovedClock();
  await using opened = await Opened.of(backup, { mode: 'follow', host: { clock } });
  await java.createTopic({ topic: 'found-new', partitions: 2 });
  await java.createPartitions({ topic: 'found-old', count: 3 });
  await fill('found-new', 'new', 50);
  await fill('found-old', 'old', 50);
  expect(opened.sink.status.partitions).toBe(1);
  clock.move(60_000);
  await until('all partitions are found', async () => opened.sink.status.partitions === 5);
  await until('all records are saved', async () => opened.sink.status.records === 100);
  expect(await opened.catchUp()).toMatchObject({ topics: 2, partitions: 5, missing: [] });
  for (const topic of ['found-new', 'found-old']) expect(await backup.expectExact(topic)).toBe(50);
});
