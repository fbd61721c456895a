import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from '../restore/place.ts';
import { atRank, expectEqual, makeSmallZoo, seeGroup, seeTopic } from '../restore/zoo.ts';
import { dump, invalid } from '../sink/dumped.ts';
import { documentName, linesIn, membersIn, outFolder, summedAgain, tarOf } from './exports.ts';

vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

let kafka: Kafka;
let java: JavaClient;
let place: Place;
let sink: Place;
let out: Awaited<ReturnType<typeof outFolder>>;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
  place = await placeFor(kafka, { name: 'export', include: ['*'] });
  sink = await placeFor(kafka, { name: 'sink', include: ['nothing'] });
  out = await outFolder();
});
afterAll(async () => {
  await out[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
  await kafka.stop();
});

test('topics that were exported and deleted come back equal from the file alone, with their groups', async () => {
  const zoo = await makeSmallZoo(kafka);
  const seen = [];
  for (const topic of zoo.topics) seen.push(await seeTopic(java, topic));
  const groups = [];
  for (const group of zoo.groups) groups.push(await seeGroup(java, group));
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  const path = join(out.path, 'zoo.tar.zst');
  expect(await place.json('export', '--all-topics', '--out', path)).toMatchObject({
    status: 0,
    type: 'summary',
    groups: zoo.groups.length,
  });
  const sealed = join(out.path, 'sealed.tar');
  await place.run('export', '--all-topics', '--snapshot', 'latest', '--out', sealed);
  expect(await linesIn(sealed)).toBe(await linesIn(path));
  for (const topic of zoo.topics) await java.deleteTopic(topic);
  // Neither the local files nor the repository are needed any more.
  await place.configure({ local: { dir: join(out.path, 'local') }, repository: {} });

  const dry = await place.run('import', path, '--dry-run');
  expect(dry).toMatchObject({ status: 0 });
  expect(dry.stdout).toContain(`${zoo.topics.length} topics`);
  const end = await place.run('import', path, '--yes');
  expect(end.stderr + end.stdout).toContain('RESTORED');
  expect(end).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  for (const topic of seen) await expectEqual(java, topic);
  for (const group of groups) expect(await seeGroup(java, group.group)).toEqual(atRank(group, seen));

  // The same command has nothing to do; another file is another restore, and the topics hold something.
  expect(await place.json('import', path, '--yes')).toMatchObject({ status: 0, wasThere: true });
  const part = join(out.path, 'part.tar');
  await place.configure({});
  expect(await place.json('export', '--topic', 'codec.lz4', '--key', 'key', '--out', part)).toMatchObject({
    status: 0,
  });
  expect(await place.json('import', part, '--yes')).toMatchObject({ status: 18 });
  const beside = await place.json('import', part, '--to-topic', 'beside', '--yes', '--no-groups');
  expect(beside).toMatchObject({ status: 0, restored: true });
  const keys = (await java.consume({ topic: 'beside' })).map(({ key }) => key);
  expect(new Set(keys)).toEqual(new Set([Buffer.from('key').toString('base64')]));
  expect(keys.length).toBe(
    seen
      .find(({ topic }) => topic === 'codec.lz4')
      ?.records.flat()
      .filter((line) => line.includes('"key":"a2V5"')).length,
  );
  // An excerpt answers for none of the live records that it does not hold.
  expect(await place.json('import', part, '--recreate', '--yes')).toMatchObject({ status: 18 });

  // What is taken out of its batches is a log to Kafka's own tool, too, in every codec.
  const keyed = join(out.path, 'keyed.tar');
  await place.run('export', '--topic', 'codec.*', '--key', 'key', '--out', keyed);
  await promisify(execFile)('tar', ['xf', keyed], { cwd: out.path });
  const files = (await membersIn(keyed)).map(({ name }) => join(out.path, name));
  const dumped = await dump(
    kafka,
    files.filter((name) => name.endsWith('.log')),
  );
  expect(dumped.stdout.match(/isvalid: true/g)?.length).toBeGreaterThanOrEqual(10);
  expect(dumped.stdout).not.toMatch(invalid);

  // Nobody's own offsets are written over because a file says so.
  const own = join(out.path, 'own.tar');
  const renamed = (await membersIn(part)).map(({ name, contents }) => ({
    name: name.replace('codec.lz4', '__own'),
    contents:
      name === documentName ? Buffer.from(contents.toString().replace('"codec.lz4"', '"__own"')) : contents,
  }));
  await writeFile(own, tarOf(summedAgain(renamed)));
  const refused = await place.run('import', own, '--yes');
  expect(refused).toMatchObject({ status: 15, stderr: expect.stringContaining('topic __own is left out') });
  expect(await place.run('import', own, '--topic', '__own', '--dry-run')).toMatchObject({ status: 0 });

  const bad = join(out.path, 'bad.tar');
  await writeFile(bad, 'no tar');
  expect(await place.run('import', bad, '--yes')).toMatchObject({ status: 4 });
  expect(await place.run('import', join(out.path, 'none.tar'), '--yes')).toMatchObject({ status: 2 });
  expect(await place.run('import', part, '--topic', 'orders', '--yes')).toMatchObject({ status: 15 });
  expect(await place.run('import', '--yes')).toMatchObject({ status: 2 });
});

function textOf(base64: string | null): string | null {
  return base64 === null ? null : Buffer.from(base64, 'base64').toString();
}

async function consumed(topic: string): Promise<(readonly [number, string | null, bigint])[]> {
  const rows = await java.consume({ topic });
  return rows
    .toSorted((a, b) => a.partition - b.partition || Number(a.offset - b.offset))
    .map(({ partition, value, timestamp }) => [partition, textOf(value), timestamp] as const);
}

const at = (day: number): string =>
  JSON.stringify({ id: day, utcTime: `2026-10-${String(day).padStart(2, '0')}T00:00:00` });
const ms = (day: number): bigint => BigInt(Date.UTC(2026, 9, day));

test('files of a sink become a topic, from a time on, compared; again, nothing comes twice', async () => {
  await writeFile(join(sink.folder, 'connect.sink.1.gz'), gzipSync(`${at(1)}\n${at(10)}\n`));
  await writeFile(join(sink.folder, 'connect.sink.2'), `${at(11)}\nno time here\n`);
  const words = ['import-sink', '--topic', 'orders', '--files', 'connect*.sink*', '--time-field', 'utcTime'];
  const from = ['--from-time', '2026-10-10T00:00Z'];
  const dry = await sink.run(...words, ...from, '--dry-run');
  expect(dry).toMatchObject({ status: 0 });
  expect(dry.stdout).toContain('3 lines selected, 1 before the range, 0 behind it');
  expect(dry.stdout).toContain('1 line without a time');

  const end = await sink.run(...words, ...from, '--yes');
  expect(end).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  const expected = [
    [0, at(10), ms(10)],
    [0, at(11), ms(11)],
    [0, 'no time here', -1n],
  ];
  expect(await consumed('orders')).toEqual(expected);

  expect(await sink.run(...words, ...from, '--yes')).toMatchObject({ status: 0 });
  expect(await consumed('orders')).toEqual(expected);
  // Everything is another selection, and the topic holds something.
  expect(await sink.run(...words, '--yes')).toMatchObject({ status: 18 });
  expect(await sink.run(...words, '--append', '--yes')).toMatchObject({ status: 0 });
  expect((await consumed('orders')).length).toBe(7);
});

test('a value that is larger than the cluster takes by default comes back; partitions are those that are asked for', async () => {
  const large = 'x'.repeat(2_000_000);
  await writeFile(join(sink.folder, 'large.sink'), `a\n${large}\nb\n`);
  const words = ['import-sink', '--topic', 'large', '--files', 'large.sink', '--yes'];
  const summary = await sink.json(...words, '--partitions', '2');
  expect(summary).toMatchObject({ status: 0, restored: true });
  const found = await consumed('large');
  expect(found.map(([partition, value, time]) => [partition, value?.length, time])).toEqual([
    [0, 1, -1n],
    [0, 1, -1n],
    [1, large.length, -1n],
  ]);
  expect(found[2]?.[1] === large).toBe(true); // not printed where it fails
});

test('bad words are refused with 2, no files with 15, and no topic is made', async () => {
  const words = ['import-sink', '--topic', 'none', '--files'];
  expect(await sink.run(...words, 'connect*', '--from-time', '2026-10-10T00:00Z')).toMatchObject({
    status: 2,
  });
  expect(await sink.run(...words, 'connect*', '--partitions', '0')).toMatchObject({ status: 2 });
  expect(await sink.run(...words, 'missing*', '--yes')).toMatchObject({ status: 15 });
  await expect(java.describeTopic('none')).rejects.toThrow();
});
