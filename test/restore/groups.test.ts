import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { startConsumer } from './consumer.ts';
import { backedUp } from './place.ts';
import { commit, givenTopic, perPartition, standOf, startMs } from './with-groups.ts';

// What a restore does; what its child process is for, the restores that are killed and held up show.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(() => kafka.stop());

test('a group that is named goes along, and no other', async () => {
  const { mid, end } = await givenTopic(java, 'named');
  await using place = await backedUp(kafka, 'named');
  await java.deleteTopic('named');
  expect(await place.run('restore', '--topic', 'named', '--group', mid, '--yes')).toMatchObject({
    status: 0,
  });
  expect(await standOf(java, mid)).toEqual(['named/0@5 half way', 'named/1@12 half way']);
  expect(await standOf(java, end)).toEqual([]);
});

test('with --no-groups no group is touched', async () => {
  const { mid, end } = await givenTopic(java, 'none');
  await using place = await backedUp(kafka, 'none');
  await java.deleteTopic('none');
  const done = await place.run('restore', '--topic', 'none', '--no-groups', '--yes');
  expect(done).toMatchObject({ status: 0, stdout: expect.stringContaining('no group is set') });
  expect([await standOf(java, mid), await standOf(java, end)]).toEqual([[], []]);
});

test.each([
  { to: 'earliest', offset: 0n },
  { to: 'latest', offset: perPartition },
])(
  '--groups-to $to sets every group to offset $offset, without the metadata of another place',
  async ({ to, offset }) => {
    const topic = `to-${to}`;
    const { mid, end } = await givenTopic(java, topic);
    await using place = await backedUp(kafka, topic);
    await java.deleteTopic(topic);
    const done = await place.run('restore', '--topic', topic, '--groups-to', to, '--yes');
    expect(done).toMatchObject({ status: 0, stdout: expect.stringContaining(`, to ${to}`) });
    for (const group of [mid, end])
      expect(await standOf(java, group)).toEqual([`${topic}/0@${offset}`, `${topic}/1@${offset}`]);
  },
);

test('into another name no group goes along unless asked, and then each keeps what it had besides', async () => {
  const { mid, end } = await givenTopic(java, 'aside');
  await using place = await backedUp(kafka, 'aside');
  const before = [await standOf(java, mid), await standOf(java, end)];
  const alone = await place.run('restore', '--topic', 'aside', '--to-topic', 'aside.a', '--yes');
  expect(alone.status).toBe(0);
  expect([await standOf(java, mid), await standOf(java, end)]).toEqual(before);
  const words = ['restore', '--topic', 'aside', '--to-topic', 'aside.b', '--yes'];
  expect(await place.run(...words, '--all-groups')).toMatchObject({ status: 0 });
  expect(await standOf(java, mid)).toEqual([
    'aside/0@5 half way',
    'aside/1@12 half way',
    'aside.b/0@5 half way',
    'aside.b/1@12 half way',
  ]);
  expect(await standOf(java, end)).toEqual(['aside/0@20', 'aside/1@20', 'aside.b/0@20', 'aside.b/1@20']);
});

test('--append touches no group unless asked, and then counts from where the records went', async () => {
  const { mid, end } = await givenTopic(java, 'append');
  await using place = await backedUp(kafka, 'append');
  await java.produce({ topic: 'append', records: [{ partition: 0, value: 'one more' }] });
  const before = [await standOf(java, mid), await standOf(java, end)];
  const words = ['restore', '--topic', 'append', '--append', '--yes'];
  expect(await place.run(...words)).toMatchObject({ status: 0 });
  expect([await standOf(java, mid), await standOf(java, end)]).toEqual(before);
  // Partition 0 now has 20 + 1 + 20 records, partition 1 has 20 + 20.
  expect(await place.run(...words, '--group', mid)).toMatchObject({ status: 0 });
  expect(await standOf(java, mid)).toEqual(['append/0@46 half way', 'append/1@52 half way']);
  expect(await place.run(...words, '--group', end, '--groups-to', 'earliest')).toMatchObject({ status: 0 });
  expect(await standOf(java, end)).toEqual(['append/0@61', 'append/1@60']);
});

test('of a part of the time, and of one partition, groups stand at the same records as far as they came', async () => {
  const { mid, end } = await givenTopic(java, 'part');
  await using place = await backedUp(kafka, 'part');
  await java.deleteTopic('part');
  const from = ['--from-time', new Date(startMs + 10 * 60_000).toISOString()];
  const done = await place.run('restore', '--topic', 'part', '--partition', '1', ...from, '--yes');
  expect(done.stderr + done.stdout).toContain('RESTORED');
  expect(done.status).toBe(0);
  // Records 10 to 19 of partition 1 come back: of these, two are before the twelfth.
  expect(await standOf(java, mid)).toEqual(['part/1@2 half way']);
  expect(await standOf(java, end)).toEqual(['part/1@10']);
});

test('groups of other topics, and what a group has on other topics, are left as they are', async () => {
  const { mid } = await givenTopic(java, 'mine');
  const { mid: other } = await givenTopic(java, 'others');
  await commit(java, { group: mid, topic: 'others', offsets: [1n, 2n], metadata: 'of another topic' });
  await using place = await backedUp(kafka, 'mine');
  await commit(java, { group: mid, topic: 'others', offsets: [3n, 4n], metadata: 'since' });
  await java.deleteTopic('mine');
  expect(await place.run('restore', '--topic', 'mine', '--yes')).toMatchObject({ status: 0 });
  expect(await standOf(java, mid)).toEqual([
    'mine/0@5 half way',
    'mine/1@12 half way',
    'others/0@3 since',
    'others/1@4 since',
  ]);
  expect(await standOf(java, other)).toEqual(['others/0@5 half way', 'others/1@12 half way']);
});

// The new protocol is switched on from Kafka 4.0 on.
const protocols = process.env['KAFKA_VERSION']?.startsWith('3.') ? ['classic'] : ['classic', 'consumer'];

test.each(protocols)(
  'an active group of the %s protocol is named with its members and refused with 18',
  async (protocol) => {
    const topic = `live.${protocol}`;
    const { mid, end } = await givenTopic(java, topic);
    await using place = await backedUp(kafka, topic);
    const { topicId } = await java.describeTopic(topic);
    const clientId = `till-${protocol}`;
    const words = ['restore', '--topic', topic, '--recreate', '--yes'];
    {
      await using consumer = await startConsumer(kafka, { topic, group: mid, protocol, clientId });
      const refused = await place.run(...words);
      expect(consumer.isRunning()).toBe(true);
      expect(refused.status, refused.stdout + refused.stderr).toBe(18);
      expect(refused.stderr).toContain(`groups are active: ${mid} (`);
      expect(refused.stderr).toMatch(new RegExp(`${clientId}[^ ]* at \\S*127\\.0\\.0\\.1`));
      expect(refused.stderr).not.toContain(end);
      expect(refused.stdout).not.toContain('RESTORED');
      expect((await java.describeTopic(topic)).topicId).toBe(topicId);
      // Into another name, where the group is not asked for, nobody is in the way.
      const aside = ['restore', '--topic', topic, '--to-topic', `${topic}.aside`, '--yes'];
      expect(await place.run(...aside)).toMatchObject({ status: 0 });
      const asked = await place.run(...aside.slice(0, 4), `${topic}.asked`, '--all-groups', '--yes');
      expect(asked).toMatchObject({
        status: 18,
        stderr: expect.stringContaining('--no-groups touches none'),
      });
    }
    expect(await place.run(...words)).toMatchObject({ status: 0 });
    expect(await standOf(java, mid)).toEqual([`${topic}/0@5 half way`, `${topic}/1@12 half way`]);
  },
);

test('a group without offsets whose consumer has subscribed to the topic is in the way of --recreate, too', async () => {
  const topic = 'subscribed';
  await givenTopic(java, topic);
  await using place = await backedUp(kafka, topic);
  await using consumer = await startConsumer(kafka, {
    topic,
    group: 'newcomer',
    protocol: 'classic',
    clientId: 'new',
  });
  const refused = await place.run('restore', '--topic', topic, '--recreate', '--yes');
  expect(consumer.isRunning()).toBe(true);
  expect(refused.status).toBe(18);
  expect(refused.stderr).toContain('newcomer');
  expect(refused.stderr).not.toContain('--no-groups');
});

test('--skip-active-groups leaves the active group as it is, sets the others, names it and ends with 3', async () => {
  const topic = 'skipped';
  const { mid, end } = await givenTopic(java, topic);
  await using place = await backedUp(kafka, topic);
  await using consumer = await startConsumer(kafka, {
    topic,
    group: mid,
    protocol: 'classic',
    clientId: 'busy',
  });
  const before = await standOf(java, mid);
  const words = ['restore', '--topic', topic, '--to-topic', 'skipped.aside', '--all-groups'];
  const done = await place.run(...words, '--skip-active-groups', '--yes');
  expect(consumer.isRunning()).toBe(true);
  expect(done).toMatchObject({ status: 3, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  expect(done.stdout).toContain(`group ${mid} is active and was left as it is`);
  expect(await standOf(java, mid)).toEqual(before);
  expect(await standOf(java, end)).toContain('skipped.aside/0@20');
});

test('a group that is named and has nothing in the backup is refused before anything is made, with those that do', async () => {
  const { mid } = await givenTopic(java, 'typo');
  await using place = await backedUp(kafka, 'typo');
  const words = ['restore', '--topic', 'typo', '--to-topic', 'typo.aside', '--yes'];
  const done = await place.run(...words, '--group', mid, '--group', 'typo.edn');
  expect(done).toMatchObject({ status: 15, stdout: '' });
  expect(done.stderr).toContain('no group "typo.edn"');
  expect(done.stderr).toContain('did you mean typo.end?');
  await expect(java.describeTopic('typo.aside')).rejects.toThrow('UnknownTopicOrPartition');
});
