import { execFile } from 'node:child_process';
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from './place.ts';
import { givenRecords, Running, runsUntil, writtenTo } from './process.ts';

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

async function write(topic: string, values: readonly string[], partition = 0): Promise<void> {
  await java.produce({ topic, records: values.map((value) => ({ partition, value })), lingerMs: 60_000 });
}

async function givenTopic(topic: string, values: readonly string[] = ['a', 'b', 'c']): Promise<string> {
  const { topicId } = await java.createTopic({ topic });
  await write(topic, values);
  return topicId;
}

async function backedUp(name: string, include: readonly string[] = [name]): Promise<Place> {
  const place = await placeFor(kafka, { name, include });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  return place;
}

/** `partition: value`, in order. */
async function valuesOf(topic: string): Promise<string[]> {
  const rows = await java.consume({ topic });
  return rows.map(({ partition, value }) => {
    const text = Buffer.from(value ?? '', 'base64').toString();
    return partition === 0 ? text : `${partition}: ${text}`;
  });
}

test('a topic that exists and is not empty is refused with 18, and what would do is told', async () => {
  const topicId = await givenTopic('full');
  await using place = await backedUp('full');
  const end = await place.run('restore', '--topic', 'full', '--yes');
  expect(end).toMatchObject({ status: 18, stdout: '' });
  expect(end.stderr).toContain('topic full exists and is not empty: it has up to 3 records');
  for (const option of ['--to-topic', '--recreate', '--append']) expect(end.stderr).toContain(option);
  expect((await java.describeTopic('full')).topicId).toBe(topicId);
  expect(await valuesOf('full')).toEqual(['a', 'b', 'c']);
});

test('a topic that exists and is empty is filled, and its id and settings stay', async () => {
  await givenTopic('emptied');
  await using place = await backedUp('emptied');
  await java.deleteTopic('emptied');
  const configs = { 'retention.ms': '-1', 'max.message.bytes': '3000000' };
  const { topicId } = await java.createTopic({ topic: 'emptied', configs });
  expect(await place.run('restore', '--topic', 'emptied', '--yes')).toMatchObject({
    status: 0,
    stdout: isRestored,
  });
  expect((await java.describeTopic('emptied')).topicId).toBe(topicId);
  expect(await java.describeConfigs('emptied')).toEqual(configs);
  expect(await valuesOf('emptied')).toEqual(['a', 'b', 'c']);
});

test('--recreate is refused with 18 and the count while live records are in no source, until they may go', async () => {
  const topicId = await givenTopic('unsaved');
  await using place = await backedUp('unsaved');
  await write('unsaved', ['d', 'e']);
  const words = ['restore', '--topic', 'unsaved', '--recreate', '--yes'];
  const end = await place.run(...words);
  expect(end).toMatchObject({ status: 18, stdout: '' });
  expect(end.stderr).toContain('topic unsaved holds up to 2 records that no source has');
  expect((await java.describeTopic('unsaved')).topicId).toBe(topicId);
  expect(await valuesOf('unsaved')).toEqual(['a', 'b', 'c', 'd', 'e']);
  const done = await place.run(...words, '--discard-unsaved');
  expect(done).toMatchObject({ status: 0, stdout: isRestored });
  expect(done.stdout).toContain('DISCARDED: up to 2 live records that no source has');
  expect((await java.describeTopic('unsaved')).topicId).not.toBe(topicId);
  expect(await valuesOf('unsaved')).toEqual(['a', 'b', 'c']);
});

test('--recreate of a topic that was made anew since counts all of it as unsaved', async () => {
  const before = await givenTopic('anew');
  await using place = await backedUp('anew');
  await java.deleteTopic('anew');
  const since = await givenTopic('anew', ['x', 'y']);
  const end = await place.run('restore', '--topic', 'anew', '--recreate', '--yes');
  expect(end).toMatchObject({ status: 18, stdout: '' });
  expect(end.stderr).toContain('up to 2 records that no source has');
  for (const id of [before, since]) expect(end.stderr).toContain(id);
  expect(await valuesOf('anew')).toEqual(['x', 'y']);
});

test('what was backed up before --recreate comes back, in a topic of the same settings and a new id', async () => {
  const topicId = await givenTopic('again');
  await using place = await backedUp('again');
  await write('again', ['d']);
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  const end = await place.run('restore', '--topic', 'again', '--recreate', '--yes');
  expect(end).toMatchObject({ status: 0, stdout: isRestored });
  expect(end.stdout).toContain('topic again: is DELETED and made anew');
  expect((await java.describeTopic('again')).topicId).not.toBe(topicId);
  expect(await valuesOf('again')).toEqual(['a', 'b', 'c', 'd']);
});

test('another number of partitions is refused with 18 and both numbers', async () => {
  await givenTopic('count');
  await using place = await backedUp('count');
  await java.createTopic({ topic: 'count.empty', partitions: 4 });
  const end = await place.run('restore', '--topic', 'count', '--to-topic', 'count.empty', '--yes');
  expect(end).toMatchObject({ status: 18, stdout: '' });
  expect(end.stderr).toContain('topic count.empty has 4 partitions, and count in the backup 1');
  expect(await valuesOf('count.empty')).toEqual([]);
});

test('--append writes behind what is there', async () => {
  await givenTopic('behind');
  await using place = await backedUp('behind');
  await write('behind', ['d']);
  const end = await place.run('restore', '--topic', 'behind', '--append', '--yes');
  expect(end).toMatchObject({ status: 0, stdout: isRestored });
  expect(await valuesOf('behind')).toEqual(['a', 'b', 'c', 'd', 'a', 'b', 'c']);
});

test('--map names the targets of several, --to-topic that of one; nonsense is refused with 2', async () => {
  await givenTopic('map.a', ['1']);
  await givenTopic('map.b', ['2']);
  await using place = await backedUp('map', ['map.*']);
  const end = await place.run('restore', '--map', 'map.a:mapped.x,map.b:mapped.y', '--yes');
  expect(end).toMatchObject({ status: 0, stdout: isRestored });
  expect([await valuesOf('mapped.x'), await valuesOf('mapped.y')]).toEqual([['1'], ['2']]);
  const topics = await java.listTopics();
  for (const words of [
    ['--map', 'map.a:'],
    ['--map', 'map.a:same,map.b:same'],
    ['--topic', 'map.*', '--to-topic', 'one'],
    ['--topic', 'map.a', '--to-topic', 'not a name'],
    ['--topic', 'map.a', '--to-topic', 'x', '--map', 'map.a:y'],
    ['--topic', 'map.a', '--recreate', '--append'],
    ['--topic', 'map.a', '--local-only', '--snapshot', 'latest'],
    ['--topic', 'map.a', '--partition', 'zero'],
    [],
  ]) {
    const refused = await place.run('restore', ...words, '--yes');
    expect(refused, words.join(' ')).toMatchObject({ status: 2, stdout: '' });
  }
  expect(await java.listTopics()).toEqual(topics);
});

test('globs choose by whole names, with what is excluded left out, and no other topic is touched', async () => {
  const names = ['glob.a', 'glob.b', 'glob.b.more', 'globXa', 'other.glob.a'];
  for (const name of names) await givenTopic(name, [name]);
  await using place = await backedUp('globs', ['glob*', 'other.*']);
  for (const name of names.slice(0, 3)) await java.deleteTopic(name);
  const others = await java.listTopics();
  const before = await Promise.all(['globXa', 'other.glob.a'].map((name) => java.describeTopic(name)));
  const groups = await java.listGroups();
  const words = ['restore', '--topic', 'glob.*', '--exclude-topic', '*.more', '--yes'];
  expect(await place.run(...words)).toMatchObject({ status: 0, stdout: isRestored });
  expect(await java.listTopics()).toEqual([...others, 'glob.a', 'glob.b'].toSorted());
  expect([await valuesOf('glob.a'), await valuesOf('glob.b')]).toEqual([['glob.a'], ['glob.b']]);
  for (const [index, name] of ['globXa', 'other.glob.a'].entries()) {
    expect(await java.describeTopic(name)).toEqual(before[index]);
    expect(await valuesOf(name)).toEqual([name]);
  }
  const since = (await java.listGroups()).filter((name) => !groups.includes(name));
  expect(since.every((name) => name.startsWith('varve-restore-'))).toBe(true);
});

test('--partition restores these alone into a topic with all of them; one that is not there is 15', async () => {
  await java.createTopic({ topic: 'parts', partitions: 3 });
  for (const partition of [0, 1, 2]) await write('parts', [`of ${partition}`], partition);
  await using place = await backedUp('parts');
  const words = ['restore', '--topic', 'parts', '--to-topic', 'parts.some', '--yes'];
  expect(await place.run(...words, '--partition', '2', '--partition', '1')).toMatchObject({ status: 0 });
  expect(await valuesOf('parts.some')).toEqual(['1: of 1', '2: of 2']);
  expect((await java.describeTopic('parts.some')).partitions).toHaveLength(3);
  const end = await place.run(
    'restore',
    '--topic',
    'parts',
    '--to-topic',
    'none',
    '--partition',
    '3',
    '--yes',
  );
  expect(end).toMatchObject({ status: 15, stdout: '' });
  expect(end.stderr).toContain('no partition 3 of topic parts in this backup; there are 0, 1, 2');
});

test('--dry-run shows the plan and changes nothing: no topic, no setting, no group, no file', async () => {
  const topicId = await givenTopic('dry');
  await java.commitOffsets({ group: 'dry.group', offsets: [{ topic: 'dry', partition: 0, offset: 2n }] });
  await using place = await backedUp('dry');
  const look = async (): Promise<unknown> => ({
    topics: await java.listTopics(),
    groups: await java.listGroups(),
    stand: await java.listGroupOffsets('dry.group'),
    configs: await java.describeConfigs('dry'),
    topicId: (await java.describeTopic('dry')).topicId,
    files: (await readdir(place.folder, { recursive: true })).toSorted(),
  });
  const before = await look();
  expect(before).toMatchObject({ topicId });
  for (const words of [['--recreate'], ['--append'], ['--to-topic', 'dry.aside', '--all-groups']]) {
    const end = await place.run('restore', '--topic', 'dry', ...words, '--dry-run');
    expect(end, words.join(' ')).toMatchObject({ status: 0 });
    expect(end.stdout).toContain(`into cluster ${kafka.clusterId} (${kafka.bootstrap})`);
    expect(end.stdout).not.toContain('RESTORED');
  }
  expect(await look()).toEqual(before);
});

test('without a terminal and without --yes: 2, with the question, and nothing is made', async () => {
  await givenTopic('asked');
  await using place = await backedUp('asked');
  const end = await place.run('restore', '--topic', 'asked', '--to-topic', 'asked.aside');
  expect(end.status).toBe(2);
  expect(end.stderr).toContain('Restore asked.aside?');
  expect(end.stderr).toContain('--yes');
  expect(end.stdout).not.toContain('RESTORED');
  expect(await java.listTopics()).not.toContain('asked.aside');
});

test('--json prints the plan, then the summary; a refusal is an error with its code and hint', async () => {
  const topicId = await givenTopic('json');
  await java.commitOffsets({
    group: 'json.group',
    offsets: [{ topic: 'json', partition: 0, offset: 2n, metadata: 'm' }],
  });
  await using place = await backedUp('json');
  const report = join(place.folder, 'report.json');
  const end = await place.run(
    'restore',
    '--topic',
    'json',
    '--to-topic',
    'json.aside',
    '--all-groups',
    '--report',
    report,
    '--yes',
    '--json',
  );
  expect(end.status).toBe(0);
  const lines = end.stdout.trimEnd().split('\n');
  const documents = lines.map((line): unknown => JSON.parse(line));
  const offsets = { topic: 'json.aside', partition: 0 };
  expect(documents[0]).toMatchObject({
    schema: 'varve.restore/1',
    type: 'plan',
    cluster: kafka.clusterId,
    isOwnCluster: true,
    topics: [{ topic: 'json', incarnation: topicId, target: 'json.aside', action: 'create', records: 3 }],
    groups: [{ group: 'json.group', to: 'saved', offsets: [{ ...offsets, sourceOffset: 2, metadata: 'm' }] }],
  });
  expect(documents.at(-1)).toMatchObject({
    schema: 'varve.restore/1',
    type: 'summary',
    restored: true,
    topics: [{ target: 'json.aside', records: 3, partitions: [{ start: 0, end: 3, compared: true }] }],
    groups: [{ group: 'json.group', problem: null, offsets: [{ ...offsets, offset: 2 }] }],
  });
  expect(JSON.parse(await readFile(report, 'utf8'))).toEqual(documents.at(-1));
  const refused = await place.json('restore', '--topic', 'json', '--yes');
  expect(refused).toMatchObject({
    status: 18,
    error: { code: 'refused', hint: expect.stringContaining('--recreate') },
  });
});

test('the newest life of a topic comes back unless another is named; the plan names the others', async () => {
  const older = await givenTopic('lives', ['old 1', 'old 2']);
  await using place = await backedUp('lives');
  await java.deleteTopic('lives');
  const newer = await givenTopic('lives', ['new']);
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  const words = ['restore', '--topic', 'lives', '--yes'];
  const end = await place.run(...words, '--to-topic', 'lives.new');
  expect(end).toMatchObject({ status: 0, stdout: isRestored });
  expect(end.stdout).toMatch(
    new RegExp(`another life of lives: ${older}, first seen \\S+, cluster ${kafka.clusterId}`),
  );
  expect(await valuesOf('lives.new')).toEqual(['new']);
  const old = await place.run(...words, '--to-topic', 'lives.old', '--incarnation', older);
  expect(old).toMatchObject({ status: 0, stdout: isRestored });
  expect(old.stdout).toContain(`another life of lives: ${newer}`);
  expect(await valuesOf('lives.old')).toEqual(['old 1', 'old 2']);
  const unknown = await place.run(...words, '--to-topic', 'lives.none', '--incarnation', 'nobody');
  expect(unknown).toMatchObject({ status: 15, stdout: '' });
  for (const id of [older, newer]) expect(unknown.stderr).toContain(id);
});

test('the same command again after success changes nothing, says so, and ends with the same last line', async () => {
  await givenTopic('twice');
  await java.commitOffsets({ group: 'twice.group', offsets: [{ topic: 'twice', partition: 0, offset: 1n }] });
  await using place = await backedUp('twice');
  await java.deleteTopic('twice');
  const words = ['restore', '--topic', 'twice', '--yes'];
  const first = await place.run(...words);
  expect(first).toMatchObject({ status: 0, stdout: isRestored });
  const { topicId } = await java.describeTopic('twice');
  // The consumers have gone on since.
  await java.commitOffsets({ group: 'twice.group', offsets: [{ topic: 'twice', partition: 0, offset: 3n }] });
  const second = await place.run(...words);
  expect(second.status).toBe(0);
  expect(second.stdout).toContain('nothing was changed');
  expect(second.stdout.trimEnd().split('\n').at(-1)).toBe(first.stdout.trimEnd().split('\n').at(-1));
  expect((await java.describeTopic('twice')).topicId).toBe(topicId);
  expect(await valuesOf('twice')).toEqual(['a', 'b', 'c']);
  expect(await java.listGroupOffsets('twice.group')).toMatchObject([{ offset: 3n }]);
  // Once the topic has gone on, it is a topic like any other.
  await write('twice', ['d']);
  expect(await place.run(...words)).toMatchObject({ status: 18 });
  expect(await valuesOf('twice')).toEqual(['a', 'b', 'c', 'd']);
  // Once it is lost again, it comes back again.
  await java.deleteTopic('twice');
  const third = await place.run(...words);
  expect(third).toMatchObject({ status: 0, stdout: isRestored });
  expect(third.stdout).not.toContain('nothing was changed');
  expect(await valuesOf('twice')).toEqual(['a', 'b', 'c']);
  expect(await java.listGroupOffsets('twice.group')).toMatchObject([{ offset: 1n }]);
});

test('another cluster than the one that is expected is refused with 17, and nothing is made', async () => {
  await givenTopic('expected');
  await using place = await backedUp('expected');
  const words = ['restore', '--topic', 'expected', '--to-topic', 'expected.aside', '--yes'];
  const end = await place.run(...words, '--expect-cluster', 'AAAAAAAAAAAAAAAAAAAAAA');
  expect(end).toMatchObject({ status: 17, stdout: '' });
  expect(end.stderr).toContain(kafka.clusterId);
  expect(await java.listTopics()).not.toContain('expected.aside');
  const right = await place.run(...words, '--expect-cluster', kafka.clusterId);
  expect(right).toMatchObject({ status: 0 });
});

test('a producer that writes into the topic meanwhile is named: 6, NOT RESTORED, and its record stays', async () => {
  await java.createTopic({ topic: 'intruder' });
  // Each in a batch of its own, too large to be joined: then a record of somebody else takes the place of one exactly.
  await java.produceLoad({ topic: 'intruder', records: 400, size: 8000, batchSize: 1 });
  await using place = await backedUp('intruder');
  await java.deleteTopic('intruder');
  const words = ['restore', '--topic', 'intruder', '--yes'];
  const running = place.run(...words, '--throttle', '200kB/s');
  await vi.waitFor(
    async () => {
      const [row] = await java.listOffsets('intruder');
      expect(row?.latest).toBeGreaterThan(0n);
    },
    { timeout: 120_000, interval: 50 },
  );
  await write('intruder', ['intruder']);
  const end = await running;
  expect(end).toMatchObject({ status: 6, stdout: expect.stringMatching(/\nNOT RESTORED \S+\n$/) });
  expect(end.stdout).toContain('somebody else writes into intruder, partition 0');
  expect(await valuesOf('intruder')).toContain('intruder');
  // Nor is it done by going on.
  const again = await place.run(...words);
  expect(again).toMatchObject({ status: 6, stdout: expect.stringMatching(/\nNOT RESTORED \S+\n$/) });
  expect((await valuesOf('intruder')).filter((value) => value === 'intruder')).toHaveLength(1);
});

test('with the mount of the repository hanging, --local-only restores', async () => {
  await givenTopic('hanging');
  await using place = await backedUp('hanging');
  // Whoever opens one of its files waits for ever, as on a mount whose server is gone.
  const names = await readdir(place.repository, { recursive: true, withFileTypes: true });
  for (const entry of names.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    await rm(path);
    await promisify(execFile)('mkfifo', [path]);
  }
  const words = ['restore', '--topic', 'hanging', '--to-topic', 'hanging.aside', '--local-only', '--yes'];
  const end = await place.run(...words);
  expect(end).toMatchObject({ status: 0, stdout: isRestored });
  expect(await valuesOf('hanging.aside')).toEqual(['a', 'b', 'c']);
});

test('what was backed up onto a disk that is gone is named and refused with 18, and with --accept-missing ends with 3', async () => {
  await givenTopic('gone');
  await using place = await backedUp('gone');
  await write('gone', ['d', 'e']);
  // These two are in the local files alone, and the group says that they were backed up.
  expect(await place.json('backup', '--no-snapshot')).toMatchObject({ status: 0 });
  await rm(place.local, { recursive: true });
  const words = ['restore', '--topic', 'gone', '--to-topic', 'gone.aside', '--yes'];
  const end = await place.run(...words);
  expect(end).toMatchObject({ status: 18, stdout: '' });
  expect(end.stderr).toContain('partition 0: 3 to 4');
  const done = await place.run(...words, '--accept-missing');
  expect(done).toMatchObject({ status: 3, stdout: isRestored });
  expect(await valuesOf('gone.aside')).toEqual(['a', 'b', 'c']);
});

test('a partition that only a disk that is gone had is named and refused with 18', async () => {
  await givenTopic('grown');
  await using place = await backedUp('grown');
  await java.createPartitions({ topic: 'grown', count: 2 });
  await write('grown', ['d'], 1);
  expect(await place.json('backup', '--no-snapshot')).toMatchObject({ status: 0 });
  await rm(place.local, { recursive: true });
  const words = ['restore', '--topic', 'grown', '--to-topic', 'grown.aside', '--yes'];
  const end = await place.run(...words);
  expect(end).toMatchObject({ status: 18, stdout: '' });
  expect(end.stderr).toContain('partition 1: 0 to 0');
  const done = await place.run(...words, '--accept-missing');
  expect(done).toMatchObject({ status: 3, stdout: isRestored });
  expect(await valuesOf('grown.aside')).toEqual(['a', 'b', 'c']);
  expect((await java.describeTopic('grown.aside')).partitions).toHaveLength(2);
});

test('a topic of which nothing at all is at hand is not left out of --all-topics in silence', async () => {
  await givenTopic('kept.here');
  await using place = await backedUp('lost.share', ['kept.here', 'only.*']);
  await givenTopic('only.there');
  expect(await place.json('backup', '--no-snapshot')).toMatchObject({ status: 0 });
  await rm(place.local, { recursive: true });
  const words = ['restore', '--all-topics', '--map', 'kept.here:kept.aside', '--yes'];
  const end = await place.run(...words);
  expect(end).toMatchObject({ status: 18, stdout: '' });
  expect(end.stderr).toContain('only.there');
  expect(await place.run(...words, '--accept-missing')).toMatchObject({ status: 3, stdout: isRestored });
  expect(await place.run(...words, '--exclude-topic', 'only.*')).toMatchObject({ status: 18 }); // it is not empty any more
  expect(await valuesOf('kept.aside')).toEqual(['a', 'b', 'c']);
});

test('as it was in a snapshot it comes back whole, whatever was backed up since', async () => {
  await givenTopic('moment');
  await using place = await backedUp('moment');
  await write('moment', ['d']);
  expect(await place.json('backup', '--no-snapshot')).toMatchObject({ status: 0 });
  await rm(place.local, { recursive: true });
  const words = [
    'restore',
    '--topic',
    'moment',
    '--to-topic',
    'moment.aside',
    '--snapshot',
    'latest',
    '--yes',
  ];
  expect(await place.run(...words)).toMatchObject({ status: 0, stdout: isRestored });
  expect(await valuesOf('moment.aside')).toEqual(['a', 'b', 'c']);
});

test('what was accepted as missing is told to the end, also where the restore was stopped and goes on: 3', async () => {
  const topic = 'goes-on';
  const before = await givenRecords(java, { topic, partitions: 1, count: 3000 });
  await using place = await backedUp(topic);
  await write(topic, ['d', 'e']);
  expect(await place.json('backup', '--no-snapshot')).toMatchObject({ status: 0 });
  await rm(place.local, { recursive: true });
  const target = `${topic}.aside`;
  const words = ['restore', '--topic', topic, '--to-topic', target, '--accept-missing', '--yes'];
  {
    await using running = Running.start(place, ...words, '--throttle', '500kB/s');
    await running.planned();
    await runsUntil('some of it is written', running, async () => (await writtenTo(java, target)) > 0n);
    await running.kill();
  }
  expect(await writtenTo(java, target)).toBeLessThan(3000n);
  const end = await place.run(...words);
  expect(end).toMatchObject({ status: 3, stdout: isRestored });
  expect(end.stdout).toContain('goes on with restore');
  expect(end.stdout).toContain(`topic ${target} comes back with offsets missing`);
  expect(await java.consumeLines({ topic: target })).toHaveLength(before.length);
});
