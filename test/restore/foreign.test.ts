import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from './place.ts';
import { expectSame, givenRecords, Running, runsUntil, writtenTo } from './process.ts';

// What a restore does; what its child process is for, the restores that are killed and held up show.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(() => kafka.stop());

const count = 2400;
const partitions = 3;
const slowly = ['--throttle', '500kB/s'];

/** Topics that are saved and then gone, and a restore of them that is a third through and stands still. */
async function givenHalfWay(
  ...given: readonly (string | { topic: string; more: number })[]
): Promise<AsyncDisposable & { running: Running; place: Place; before: string[][] }> {
  const before: string[][] = [];
  const topics = given.map((one) => (typeof one === 'string' ? one : one.topic));
  for (const topic of topics) {
    before.push(await givenRecords(java, { topic, partitions, count }));
    const offsets = [0, 1, 2].map((partition) => ({ topic, partition, offset: 7n, metadata: '' }));
    for (const group of [`${topic}.group`, `${topic}.quiet`]) await java.commitOffsets({ group, offsets });
  }
  for (const one of given)
    if (typeof one !== 'string')
      await java.produceLoad({
        topic: one.topic,
        records: one.more,
        size: 400,
        partitions: 1,
        compression: 'none',
      });
  const place = await placeFor(kafka, { name: topics.join('-'), include: topics });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  for (const topic of topics) await java.deleteTopic(topic);
  const running = Running.start(place, 'restore', '--all-topics', '--yes', ...slowly);
  await running.planned();
  for (const topic of topics)
    await runsUntil(`${topic} is a third through`, running, async () => {
      return (await writtenTo(java, topic)) >= BigInt(count / 3);
    });
  return {
    running,
    place,
    before,
    async [Symbol.asyncDispose]() {
      await running.kill();
      await place[Symbol.asyncDispose]();
    },
  };
}

test('a producer that writes into the topic meanwhile: stopped with 6, topic and partition named', async () => {
  await using half = await givenHalfWay('written');
  await java.produce({ topic: 'written', records: [{ partition: 1, value: 'from elsewhere' }] });
  half.running.signal('SIGCONT');
  const end = await half.running.ended();
  expect(end).toMatchObject({ status: 6, stdout: expect.stringMatching(/\nNOT RESTORED \S+\n$/) });
  expect(end.stdout).toContain('somebody else writes into written, partition 1');
  // It does not make it worse when it is run again, either.
  const held = await writtenTo(java, 'written');
  expect(await half.place.run('restore', '--all-topics', '--yes')).toMatchObject({ status: 6 });
  expect(await writtenTo(java, 'written')).toBeGreaterThanOrEqual(held);
});

test('a record that somebody else writes behind the last one is found, too', async () => {
  // Partition 0 has so much more that partition 2 stands complete while the restore goes on.
  await using half = await givenHalfWay({ topic: 'behind', more: 8000 });
  await runsUntil('partition 2 is written', half.running, async () => {
    const rows = await java.listOffsets('behind');
    return rows.find(({ partition }) => partition === 2)?.latest === BigInt(count / partitions);
  });
  await java.produce({ topic: 'behind', records: [{ partition: 2, value: 'from elsewhere' }] });
  half.running.signal('SIGCONT');
  const end = await half.running.ended();
  expect(end).toMatchObject({
    status: 6,
    stdout: expect.stringContaining('somebody else writes into behind, partition 2'),
  });
});

test('settings that somebody else changes meanwhile: stopped with 6, the setting named', async () => {
  await using half = await givenHalfWay('settings');
  await java.alterConfigs({ topic: 'settings', configs: { 'retention.ms': '1234567' } });
  half.running.signal('SIGCONT');
  const end = await half.running.ended();
  expect(end).toMatchObject({ status: 6, stdout: expect.stringMatching(/\nNOT RESTORED \S+\n$/) });
  expect(end.stdout).toContain('somebody else changed settings of topic settings meanwhile: retention.ms');
  expect(await java.describeConfigs('settings')).toMatchObject({ 'retention.ms': '1234567' });
});

// Before Kafka 4.1 records are written by the topic's name alone: the new topic may get what was on its way.
const isByName = process.env['KAFKA_VERSION']?.startsWith('3.') ?? false;

test('a topic that is deleted and made anew meanwhile gets nothing of the restore', async () => {
  await using half = await givenHalfWay('anew');
  await java.deleteTopic('anew');
  await java.createTopic({ topic: 'anew', partitions });
  half.running.signal('SIGCONT');
  const end = await half.running.ended();
  const told = isByName ? /writes into anew|anew was deleted/ : /anew was deleted, or made anew/;
  expect(end).toMatchObject({ status: 6, stdout: expect.stringMatching(told) });
  if (!isByName) expect(await writtenTo(java, 'anew')).toBe(0n);
});

test('a topic that is deleted meanwhile: 6, it is named and not made again, and the other is done', async () => {
  await using half = await givenHalfWay('pair.one', 'pair.two');
  await java.deleteTopic('pair.one');
  half.running.signal('SIGCONT');
  const end = await half.running.ended();
  expect(end).toMatchObject({ status: 6, stdout: expect.stringMatching(/\nNOT RESTORED \S+\n$/) });
  expect(end.stdout).toContain('topic pair.one: NOT restored');
  expect(end.stdout).toMatch(/topic pair\.one was deleted/);
  await expect(java.describeTopic('pair.one')).rejects.toThrow('UnknownTopicOrPartition');
  expect(end.stdout).toMatch(/topic pair\.two: 2,400 records .* read back and compared/);
  await expectSame(java, 'pair.two', half.before[1] ?? []);
  expect(await java.listGroupOffsets('pair.two.group')).toHaveLength(partitions);
  expect(await java.listGroupOffsets('pair.one.group')).toEqual([]);
});

test('a group that becomes active meanwhile is named and left as it is, the rest is done: 3', async () => {
  await using half = await givenHalfWay('joined');
  await using consumer = await startConsumer('joined', 'joined.group');
  half.running.signal('SIGCONT');
  const end = await half.running.ended();
  expect(consumer.isRunning()).toBe(true);
  expect(end).toMatchObject({ status: 3, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  expect(end.stdout).toContain('group joined.group: NOT set: it became active: early');
  await expectSame(java, 'joined', half.before[0] ?? []);
  expect(await java.listGroupOffsets('joined.group')).toEqual([]);
  expect(await java.listGroupOffsets('joined.quiet')).toHaveLength(partitions);
});

/** A Java consumer that has joined and got records, and commits nothing; it leaves when it is disposed of. */
async function startConsumer(
  topic: string,
  group: string,
): Promise<AsyncDisposable & { isRunning(): boolean }> {
  const args = ['-Xmx256m', '-cp', kafka.libs, 'org.apache.kafka.tools.consumer.ConsoleConsumer'];
  args.push('--bootstrap-server', kafka.bootstrap, '--topic', topic, '--group', group);
  args.push('--consumer-property', 'enable.auto.commit=false', '--consumer-property', 'client.id=early');
  args.push('--from-beginning', '--timeout-ms', '120000');
  const child = spawn('java', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  // The tool has warnings of its own to print before it has joined anything: a record is a long line of base64.
  let shown = '';
  while (!/^[\w+/]{400}/m.test(shown)) shown += String((await once(child.stdout, 'data'))[0]);
  child.stdout.resume();
  return {
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await closed;
    },
  };
}
