import kafkajs from 'kafkajs';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { varveHere } from '../cli/here.ts';
import { until } from '../sink/processes.ts';
import { backedUp, type Place } from './place.ts';
import { givenRecords, restoreIds, Running, runsUntil } from './process.ts';
import { seeGroup, seeTopic, type SeenTopic } from './zoo.ts';

// What a restore does; what its child process is for, the restores that are killed and held up show.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(() => kafka.stop());

const isRestored: unknown = expect.stringMatching(/\nRESTORED \S+\n$/);
const isStopped: unknown = expect.stringMatching(/\nNOT RESTORED \S+\n$/);

async function write(topic: string, partition: number, ...values: string[]): Promise<void> {
  await java.produce({ topic, records: values.map((value) => ({ partition, key: value, value })) });
}

/** Two partitions of five and two records. */
async function givenTopic(topic: string, configs: Record<string, string> = {}): Promise<string> {
  const { topicId } = await java.createTopic({ topic, partitions: 2, configs });
  await write(topic, 0, 'a', 'b', 'c', 'd', 'e');
  await write(topic, 1, 'x', 'y');
  return topicId;
}

/** `partition@offset value`, in order. */
async function recordsOf(topic: string): Promise<string[]> {
  const rows = await java.consume({ topic });
  return rows.map(
    ({ partition, offset, value }) =>
      `${partition}@${offset} ${Buffer.from(value ?? '', 'base64').toString()}`,
  );
}

const asBefore = ['0@0 a', '0@1 b', '0@2 c', '0@3 d', '0@4 e', '1@0 x', '1@1 y'];
const behind = ['0@5 a', '0@6 b', '0@7 c', '0@8 d', '0@9 e', '1@2 x', '1@3 y'];

async function forgetGroup(group: string): Promise<void> {
  const brokers = kafka.bootstrap.split(',');
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await admin.deleteGroups([group]);
  } finally {
    await admin.disconnect();
  }
}

function emptying(topic: string, ...more: string[]): string[] {
  return ['restore', '--topic', topic, '--empty', '--yes', ...more];
}

test('a batch that is larger than the files of the topic may be by now comes back all the same', async () => {
  const topic = 'small-files';
  await java.createTopic({ topic, configs: { 'max.message.bytes': '3000000' } });
  const records = ['a', 'b'].map((key) => ({ key, value: key.repeat(700_000) }));
  await java.produce({ topic, records, batchSize: 3_000_000, lingerMs: 60_000 });
  const configs = { 'max.message.bytes': '3000000', 'segment.bytes': '1048576' };
  await java.alterConfigs({ topic, configs });
  await using place = await backedUp(kafka, topic);
  const done = await place.run(...emptying(topic));
  expect(done, done.stderr).toMatchObject({ status: 0, stdout: isRestored });
  expect((await java.consume({ topic })).map(({ offset, value }) => [offset, value?.length])).toEqual([
    [2n, 933_336],
    [3n, 933_336],
  ]);
  expect(await java.describeConfigs(topic)).toEqual(configs);
});

test('--empty deletes the records, restores behind them, and keeps the topic, its id and its settings', async () => {
  const configs = { 'cleanup.policy': 'compact', 'min.compaction.lag.ms': '3600000' };
  const topicId = await givenTopic('kept', configs);
  const offsets = [3n, 2n].map((offset, partition) => ({
    topic: 'kept',
    partition,
    offset,
    metadata: `at ${offset}`,
  }));
  await java.commitOffsets({ group: 'kept.group', offsets });
  await using place = await backedUp(kafka, 'kept');
  const dry = await place.run(...emptying('kept', '--dry-run'));
  expect(dry.stdout).toContain('topic kept: stays, and its records are DELETED');
  expect(dry.stdout).toContain('a group that is not set keeps its offset');
  expect(await recordsOf('kept')).toEqual(asBefore);
  const done = await place.run(...emptying('kept'));
  expect(done, done.stderr).toMatchObject({ status: 0, stdout: isRestored });
  expect(await recordsOf('kept')).toEqual(behind);
  expect(await java.listOffsets('kept')).toMatchObject([
    { earliest: 5n, latest: 10n },
    { earliest: 2n, latest: 4n },
  ]);
  expect((await java.describeTopic('kept')).topicId).toBe(topicId);
  expect(await java.describeConfigs('kept')).toEqual(configs);
  expect((await seeGroup(java, 'kept.group')).offsets).toMatchObject([
    { partition: 0, offset: 8n, metadata: 'at 3' },
    { partition: 1, offset: 4n, metadata: 'at 2' },
  ]);
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  const again = await place.run(...emptying('kept'));
  expect(again).toMatchObject({ status: 0, stdout: expect.stringContaining('was finished before') });
  expect(await recordsOf('kept')).toEqual(behind);
  // In the backup the records are twice under one topic id; a restore has each once, and groups at the same one.
  const copied = await place.run('restore', '--topic', 'kept', '--to-topic', 'copy', '--all-groups', '--yes');
  expect(copied).toMatchObject({ status: 0, stdout: isRestored });
  expect(copied.stdout).toContain(
    'topic kept: 7 offsets are left out that went with the emptying of restore',
  );
  expect(await recordsOf('copy')).toEqual(asBefore);
  expect((await seeGroup(java, 'kept.group')).offsets.slice(0, 2)).toMatchObject([
    { topic: 'copy', partition: 0, offset: 3n, metadata: 'at 3' },
    { topic: 'copy', partition: 1, offset: 2n, metadata: 'at 2' },
  ]);
  await write('kept', 0, 'f');
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  const once = await place.run(...emptying('kept'));
  expect(once, once.stderr).toMatchObject({ status: 0, stdout: isRestored });
  expect((await recordsOf('kept')).map((line) => line.slice(-1)).join('')).toBe('abcdefxy');
});

test('--empty is refused with 18 and the count while live records are in no source, until they may go', async () => {
  await givenTopic('unsaved');
  await using place = await backedUp(kafka, 'unsaved');
  await write('unsaved', 1, 'z');
  const refused = await place.run(...emptying('unsaved'));
  expect(refused).toMatchObject({ status: 18, stdout: '' });
  expect(refused.stderr).toContain('topic unsaved holds up to 1 records that no source has');
  expect(await recordsOf('unsaved')).toEqual([...asBefore, '1@2 z']);
  // A partition that is left as it is loses nothing.
  const one = await place.run(...emptying('unsaved', '--partition', '0'));
  expect(one, one.stderr).toMatchObject({ status: 0, stdout: isRestored });
  expect(await recordsOf('unsaved')).toEqual([...behind.slice(0, 5), '1@0 x', '1@1 y', '1@2 z']);
  const all = await place.run(...emptying('unsaved', '--discard-unsaved'));
  expect(all.stdout).toContain('DISCARDED: up to 6 live records that no source has');
  expect(all).toMatchObject({ status: 0, stdout: isRestored });
  expect(await recordsOf('unsaved')).toEqual([
    '0@10 a',
    '0@11 b',
    '0@12 c',
    '0@13 d',
    '0@14 e',
    '1@3 x',
    '1@4 y',
  ]);
});

test('--empty of a topic with fewer or more partitions is refused with 18 and both numbers', async () => {
  await givenTopic('count');
  await using place = await backedUp(kafka, 'count');
  for (const partitions of [1, 3]) {
    const target = `count.${partitions}`;
    await java.createTopic({ topic: target, partitions });
    await write(target, 0, 'live');
    const end = await place.run(...emptying('count', '--to-topic', target, '--discard-unsaved'));
    expect(end).toMatchObject({ status: 18, stdout: '' });
    expect(end.stderr).toContain(`topic ${target} has ${partitions} partitions, and count in the backup 2`);
    expect(end.stderr).toContain('--repartition spreads the records');
    expect(await recordsOf(target)).toEqual(['0@0 live']);
  }
});

const perPartition = 400n;
const slowly = ['--throttle', '300kB/s'];

/** Three partitions that are saved whole. */
async function givenMany(topic: string): Promise<AsyncDisposable & { place: Place; before: SeenTopic }> {
  const count = Number(perPartition) * 3;
  await givenRecords(java, { topic, partitions: 3, count, configs: { 'retention.ms': '864000000' } });
  const before = await seeTopic(java, topic);
  const place = await backedUp(kafka, topic);
  return { place, before, [Symbol.asyncDispose]: async () => place[Symbol.asyncDispose]() };
}

/** The same records from `base` on, and nothing besides. */
async function expectBehind({ topic, records, configs }: SeenTopic, base: bigint): Promise<void> {
  const found = await seeTopic(java, topic);
  expect(found.records.flat()).toHaveLength(records.flat().length);
  expect(JSON.stringify(found.records) === JSON.stringify(records)).toBe(true);
  expect(found.offsets).toEqual(records.map((lines) => lines.map((_, index) => base + BigInt(index))));
  expect(found.configs).toEqual(configs);
}

/** The restore stands still then. */
async function reached(running: Running, topic: string, latest: bigint): Promise<void> {
  await running.planned();
  await runsUntil(`${topic} ends at ${latest}`, running, async () => {
    const rows = await java.listOffsets(topic);
    return rows.every((row) => row.latest >= latest);
  });
}

test('--empty killed anywhere, the same command goes on behind the offsets that the topic ended at', async () => {
  const topic = 'killed';
  await using given = await givenMany(topic);
  const { place, before } = given;
  const { topicId } = await java.describeTopic(topic);
  const moments: ((running: Running) => Promise<void>)[] = [
    async (running) => running.planned(),
    async () => until('a journal is there', async () => (await restoreIds(place)).length > 0),
    async () =>
      until('the first records are gone', async () => {
        return (await java.listOffsets(topic)).some(({ earliest }) => earliest > 0n);
      }),
    async (running) => reached(running, topic, perPartition + 1n),
    async (running) => reached(running, topic, perPartition + perPartition / 2n),
  ];
  for (const moment of moments) {
    await using running = Running.start(place, ...emptying(topic, ...slowly));
    await moment(running);
    await running.kill();
    // As if it had been killed right behind the local journal: the next run tells the target again.
    if (moment === moments.at(-2)) await forgetGroup(`varve-restore-${(await restoreIds(place))[0]}`);
  }
  // Not even without its local journal: the target has it, too.
  const [id] = await restoreIds(place);
  await rm(place.local, { recursive: true });
  const end = await place.run(...emptying(topic));
  expect(end, end.stderr).toMatchObject({ status: 0, stdout: isRestored });
  expect(end.stdout).toContain(`goes on with restore ${id}`);
  await expectBehind(before, perPartition);
  expect((await java.describeTopic(topic)).topicId).toBe(topicId);
  expect(await restoreIds(place)).toHaveLength(1);
});

test('a producer that writes after the plan: nothing of it is lost unsaved, and the same command empties again', async () => {
  const topic = 'written';
  await using given = await givenMany(topic);
  const { place, before } = given;
  {
    await using running = Running.start(place, ...emptying(topic, ...slowly));
    await reached(running, topic, perPartition + 1n);
    await write(topic, 1, 'from elsewhere');
    running.signal('SIGCONT');
    const end = await running.ended();
    expect(end, end.stderr).toMatchObject({ status: 6, stdout: isStopped });
    expect(end.stdout).toContain(`somebody else writes into ${topic}, partition 1`);
    expect(end.stdout).toContain('the same command again: it empties the topic once more');
  }
  const refused = await place.run(...emptying(topic));
  expect(refused, refused.stdout).toMatchObject({ status: 18 });
  expect(refused.stderr).toContain('records that no source has');
  expect((await recordsOf(topic)).some((line) => line.endsWith(' from elsewhere'))).toBe(true);
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  const rows = await java.listOffsets(topic);
  const end = await place.run(...emptying(topic));
  expect(end, end.stderr).toMatchObject({ status: 0, stdout: isRestored });
  // What was saved meanwhile is no part of this restore, and is in the backup.
  const found = await seeTopic(java, topic);
  expect(JSON.stringify(found.records) === JSON.stringify(before.records)).toBe(true);
  expect(found.offsets.map(([first]) => first)).toEqual(rows.map(({ latest }) => latest));
  expect(found.configs).toEqual(before.configs);
  const saved = await place.run('cat', '--topic', topic, '--partition', '1');
  expect(saved.stdout.includes('from elsewhere')).toBe(true);
});

test('what comes between the plan and its answer is not deleted: 6, and the same command takes it along once it is saved', async () => {
  const topic = 'answered';
  await givenTopic(topic, { 'retention.ms': '864000000' });
  await using place = await backedUp(kafka, topic);
  const words = ['restore', '--topic', topic, '--empty'];
  const changes = {
    terminal: { stdin: true, stdout: false, stderr: true, columns: 80 },
    async readLine(prompt: string) {
      expect(prompt).toContain(`The records of topic ${topic} are deleted. (type ${topic} to go on)`);
      await write(topic, 1, 'late');
      return topic;
    },
  };
  const stopped = await varveHere(words, { cwd: place.folder, changes });
  expect(stopped, stopped.stderr).toMatchObject({ status: 6, stdout: isStopped });
  expect(stopped.stdout).toContain('partition 1 ends at 3, expected 2');
  expect(await recordsOf(topic)).toEqual([...asBefore, '1@2 late']);
  expect(await java.describeConfigs(topic)).toEqual({ 'retention.ms': '864000000' });

  const refused = await place.run(...words, '--yes');
  expect(refused).toMatchObject({ status: 18, stderr: expect.stringContaining('up to 1 records') });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  const end = await place.run(...words, '--yes');
  expect(end, end.stderr).toMatchObject({ status: 0, stdout: isRestored });
  expect(await recordsOf(topic)).toEqual([...behind.slice(0, 5), '1@3 x', '1@4 y']);
});
