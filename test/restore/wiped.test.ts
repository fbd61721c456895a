import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from './place.ts';
import { atRank, expectEqual, makeZoo, seeGroup, seeTopic, type SeenGroup, type SeenTopic } from './zoo.ts';

// What a restore does; what its child process is for, the restores that are killed and held up show.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

let kafka: Kafka;
let fresh: Kafka;
let place: Place;
const topics: SeenTopic[] = [];
const groups: SeenGroup[] = [];

// The local folder is gone: all that is left of the topics is the repository.
beforeAll(async () => {
  [kafka, fresh] = await Promise.all([startKafka(), startKafka()]);
  const java = await kafka.java();
  const zoo = await makeZoo(kafka);
  place = await placeFor(kafka, { name: 'zoo', include: ['*'] });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  for (const topic of zoo.topics) topics.push(await seeTopic(java, topic));
  for (const group of zoo.groups) groups.push(await seeGroup(java, group));
  await rm(place.local, { recursive: true });
});
afterAll(async () => {
  await place[Symbol.asyncDispose]();
  await Promise.all([kafka.stop(), fresh.stop()]);
});

test('the zoo has what makes it one: holes, times of the broker, records of before 1970, records that are gone', () => {
  const last = (name: string): bigint => seen(name)?.offsets[0]?.at(-1) ?? 0n;
  for (const name of ['compacted', 'transactions'])
    expect(last(name), name).toBeGreaterThan(BigInt(seen(name)?.records[0]?.length ?? 0) + 20n);
  expect(seen('append-time')?.records[0]?.[0]).toContain('"LogAppendTime"');
  expect(seen('times')?.records[0]?.join('\n')).toContain(`"timestamp":-${2n ** 40n},`);
  expect(seen('deleted')?.offsets[0]?.[0]).toBe(15n);
  expect(seen('months')?.records.map(({ length }) => length)).toEqual([184, 184, 184]);
  expect(seen('empty')?.records).toEqual([[], [], [], [], []]);
});

test('topics of every kind come back in a fresh cluster from the repository alone, with groups at the exact rank', async () => {
  const end = await place.run('restore', '--all-topics', '--target-brokers', fresh.bootstrap, '--yes');
  expect(end.stderr + end.stdout).toContain(
    `into cluster ${fresh.clusterId} (${fresh.bootstrap}): ANOTHER cluster`,
  );
  expect(end).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  const java = await fresh.java();
  for (const topic of topics) await expectEqual(java, topic);
  for (const group of groups) expect(await seeGroup(java, group.group)).toEqual(atRank(group, topics));
});

test('the source of that restore was not touched', async () => {
  const java = await kafka.java();
  for (const topic of topics) expect(await seeTopic(java, topic.topic)).toEqual(topic);
  for (const group of groups) expect(await seeGroup(java, group.group)).toEqual(group);
});

test('with all topics still there nothing is missed: the repository has what the group says was backed up', async () => {
  const plan = await place.json('restore', '--all-topics', '--append', '--dry-run');
  expect(plan).toMatchObject({ status: 0, incomplete: [] });
  const planned = topics.map(({ topic }) => expect.objectContaining({ topic, missing: [], gaps: [] }));
  expect(plan['topics']).toEqual(expect.arrayContaining(planned));
});

test('the same cluster, wiped clean, gets its topics back under their own names', async () => {
  const java = await kafka.java();
  const before = new Map<string, string>();
  for (const { topic } of topics) {
    before.set(topic, (await java.describeTopic(topic)).topicId);
    await java.deleteTopic(topic);
  }
  const end = await place.run('restore', '--all-topics', '--yes');
  expect(end.stderr + end.stdout).toContain('the cluster of this backup');
  expect(end).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  for (const topic of topics) {
    await expectEqual(java, topic);
    expect((await java.describeTopic(topic.topic)).topicId).not.toBe(before.get(topic.topic));
  }
  for (const group of groups) expect(await seeGroup(java, group.group)).toEqual(atRank(group, topics));
});

function seen(name: string): SeenTopic | undefined {
  return topics.find(({ topic }) => topic === name);
}
