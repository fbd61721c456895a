import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { systemHost } from '../../src/host/host.ts';
import type { Cluster } from '../../src/kafka/kafka.ts';
import { JournalBook } from '../../src/restore/book.ts';
import type { Journal } from '../../src/restore/journal.ts';
import { planRollback } from '../../src/restore/rollback.ts';
import { startConsumer } from './consumer.ts';
import { backedUp, type Place } from './place.ts';
import { restoreIds } from './process.ts';
import { commit, givenTopic, standOf, startMs } from './with-groups.ts';

// What a restore does; what its child process is for, the restores that are killed and held up show.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(() => kafka.stop());

async function givenPlace(topic: string): Promise<Place> {
  await givenTopic(java, topic);
  return await backedUp(kafka, topic);
}

test('the offsets that a restore found are put back, metadata too; where there was none, there is none again', async () => {
  await using place = await givenPlace('a');
  const before = [await standOf(java, 'a.mid'), await standOf(java, 'a.end')];
  const append = ['restore', '--topic', 'a', '--append', '--all-groups', '--yes'];
  expect(await place.run(...append)).toMatchObject({ status: 0 });
  const aside = ['restore', '--topic', 'a', '--to-topic', 'b', '--group', 'a.mid', '--yes'];
  expect(await place.run(...aside)).toMatchObject({ status: 0 });
  const moved = ['a/0@25 half way', 'a/1@32 half way'];
  expect(await standOf(java, 'a.mid')).toEqual([...moved, 'b/0@5 half way', 'b/1@12 half way']);
  const { restores } = await place.json('restores', 'list');
  const [first = '', second = ''] = [restores].flat().map((row) => String(Reflect.get(Object(row), 'id')));

  const dry = await place.run('groups', 'rollback', '--dry-run');
  expect(dry, dry.stderr).toMatchObject({ status: 0 });
  expect(dry.stdout).toContain(`before restore ${second}, begun`);
  expect(dry.stdout).toMatch(/a\.mid +b\/0 +5 to none/);
  expect(await place.run('groups', 'rollback')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('Add --yes'),
  });
  expect(await standOf(java, 'a.mid')).toEqual([...moved, 'b/0@5 half way', 'b/1@12 half way']);

  const newest = await place.run('groups', 'rollback', '--yes');
  expect(newest, newest.stderr).toMatchObject({ status: 0 });
  expect(newest.stdout).toContain('group a.mid: 2 offsets put back and read back');
  expect(await standOf(java, 'a.mid')).toEqual(moved);

  const one = await place.json('groups', 'rollback', first, '--group', 'a.end', '--yes');
  expect(one).toMatchObject({ status: 0, restore: first, unchanged: 0, groups: [{ group: 'a.end' }] });
  expect(await standOf(java, 'a.mid')).toEqual(moved);
  const rest = await place.json('groups', 'rollback', first, '--yes');
  expect(rest).toMatchObject({ status: 0, unchanged: 2, groups: [{ group: 'a.mid', problem: null }] });
  expect([await standOf(java, 'a.mid'), await standOf(java, 'a.end')]).toEqual(before);
  expect(await place.run('groups', 'rollback', first, '--yes')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('nothing is to be put back'),
  });
  expect(await place.json('restores', 'list')).toMatchObject({
    restores: [
      { id: first, rollback: 'done' },
      { id: second, rollback: 'done' },
    ],
  });
});

test('offsets that went with a deleted topic come back where the log has them, and are refused by name where not', async () => {
  await using place = await givenPlace('c');
  await commit(java, { group: 'c.late', topic: 'c', offsets: [3n, 30n] });
  await commit(java, { group: 'c.later', topic: 'c', offsets: [2n, 2n], metadata: 'not saved' });
  const until = new Date(startMs + 10 * 60_000).toISOString();
  const words = ['restore', '--topic', 'c', '--to-time', until, '--recreate', '--group', 'c.mid', '--yes'];
  const done = await place.run(...words);
  expect(done, done.stderr).toMatchObject({ status: 0 });
  expect(await standOf(java, 'c.mid')).toEqual(['c/0@5 half way', 'c/1@10 half way']);
  await expect.poll(async () => standOf(java, 'c.later')).toEqual([]);

  const refused = await place.run('groups', 'rollback', '--yes');
  expect(refused).toMatchObject({ status: 18, stdout: '' });
  expect(refused.stderr).toContain('c.mid at 12 of c/1, which has 0 to 10');
  expect(refused.stderr).toContain('c.late at 30 of c/1');
  expect(await standOf(java, 'c.later')).toEqual([]);
  const fits = await place.run('groups', 'rollback', '--group', 'c.later', '--yes');
  expect(fits, fits.stderr).toMatchObject({ status: 0 });
  expect(fits.stdout).toContain('topic c was made anew since: the same offset may be another record');
  expect(await standOf(java, 'c.later')).toEqual(['c/0@2 not saved', 'c/1@2 not saved']);

  await java.deleteTopic('c');
  await expect.poll(async () => standOf(java, 'c.later')).toEqual([]);
  const gone = await place.run('groups', 'rollback', '--group', 'c.later', '--yes');
  expect(gone).toMatchObject({ status: 18, stderr: expect.stringContaining('c/0, which is not there') });
});

test('an active group is named and refused with 18, or left as it is: then the others go, and it ends with 3', async () => {
  await using place = await givenPlace('d');
  const append = ['restore', '--topic', 'd', '--append', '--all-groups', '--yes'];
  expect(await place.run(...append)).toMatchObject({ status: 0 });
  await using consumer = await startConsumer(kafka, {
    topic: 'd',
    group: 'd.mid',
    protocol: 'classic',
    clientId: 'till',
  });
  const refused = await place.run('groups', 'rollback', '--yes');
  expect(refused).toMatchObject({ status: 18, stdout: '' });
  expect(refused.stderr).toMatch(/groups are active: d\.mid \(.*till/);
  expect(await standOf(java, 'd.end')).toEqual(['d/0@40', 'd/1@40']);
  const done = await place.run('groups', 'rollback', '--skip-active-groups', '--yes');
  expect(consumer.isRunning()).toBe(true);
  expect(done).toMatchObject({ status: 3, stdout: expect.stringContaining('group d.mid is active') });
  expect(await standOf(java, 'd.end')).toEqual(['d/0@20', 'd/1@20']);
  expect(await standOf(java, 'd.mid')).toEqual(['d/0@25 half way', 'd/1@32 half way']);
});

test('a restore that nobody knows, of another cluster, or whose offsets were not noted, is refused by name', async () => {
  await using place = await givenPlace('e');
  const rollback = async (...words: string[]) => place.run('groups', 'rollback', ...words, '--yes');
  expect(await rollback()).toMatchObject({ status: 15, stderr: expect.stringContaining('no restore into') });
  const aside = ['restore', '--topic', 'e', '--to-topic', 'e.b', '--yes'];
  expect(await place.run(...aside)).toMatchObject({ status: 0 });
  expect(await rollback()).toMatchObject({
    status: 15,
    stderr: expect.stringContaining('touched no offset'),
  });
  const [id = ''] = await restoreIds(place);
  const typo = await rollback(`${id}0`);
  expect(typo).toMatchObject({ status: 15, stderr: expect.stringContaining(`did you mean ${id}?`) });
  const path = join(place.local, 'restores', `${id}.json`);
  const journal: object = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...journal, before: undefined }));
  expect(await rollback(id)).toMatchObject({ status: 18, stderr: expect.stringContaining('was not noted') });
  await writeFile(path, JSON.stringify({ ...journal, cluster: 'another' }));
  const elsewhere = await rollback(id);
  expect(elsewhere).toMatchObject({ status: 17, stderr: expect.stringContaining('into cluster another') });
});

test.each([
  { now: 'same', leaderEpoch: 7 },
  { now: 'another', leaderEpoch: -1 },
])('the leader epoch of an offset goes back where the topic is the $now one', ({ now, leaderEpoch }) => {
  const row = { topic: 't', partition: 0, offset: 5n, leaderEpoch: 7, metadata: '' };
  const topic = { target: 't', action: 'append', oldId: null, topicId: 'same' };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest of a journal has no say in it
  const journal = {
    id: 'r',
    finishedMs: 1,
    topics: [topic],
    before: [{ group: 'g', offsets: [row] }],
  } as unknown as Journal;
  const partitions = [{ partition: 0, start: 0n, end: 9n }];
  const plan = planRollback(
    journal,
    { topics: new Map([['t', { topicId: now, partitions }]]), committed: new Map(), states: [] },
    { groups: undefined, skipActiveGroups: false },
  );
  expect(plan.groups).toMatchObject([{ offsets: [{ now: null, back: 5n, leaderEpoch }] }]);
});

test('of a group that was not set after all, only what went with a deleted topic is kept to be put back', async () => {
  const row = { partition: 0, leaderEpoch: -1, metadata: '' };
  const offsets = [
    { ...row, topic: 'made', offset: null },
    { ...row, topic: 'deleted', offset: 4n },
    { ...row, topic: 'deleted', partition: 1, offset: null },
  ];
  const topics = [
    { target: 'made', action: 'create', partitions: [], partitionCount: 0 },
    { target: 'deleted', action: 'recreate', partitions: [], partitionCount: 0 },
  ];
  const before = ['left', 'set'].map((group) => ({ group, offsets }));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest of a journal has no say in it
  const journal = { id: 'r', topics, before } as unknown as Journal;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else is asked of it
  const cluster = { commitOffsets: async () => [] } as unknown as Cluster;
  const { signal } = new AbortController();
  const book = new JournalBook(journal, { host: systemHost, cluster, localFolder: undefined, signal });
  await book.finish(1, new Set(['left']));
  expect(book.journal.before).toEqual([
    { group: 'left', offsets: [offsets[1]] },
    { group: 'set', offsets },
  ]);
});
