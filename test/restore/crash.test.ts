import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { seededRandom, until } from '../sink/processes.ts';
import { placeFor, type Place } from './place.ts';
import { expectSame, givenRecords, restoreIds, Running, runsUntil, writtenTo } from './process.ts';

// What a restore does; what its child process is for, the restores that are killed and held up show.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(() => kafka.stop());

const count = 3000;
const slowly = ['--throttle', '700kB/s'];

/** A topic that is saved and then gone. */
async function givenLost(
  topic: string,
): Promise<AsyncDisposable & { place: Place; before: string[]; words: string[] }> {
  const before = await givenRecords(java, { topic, partitions: 3, count });
  const place = await placeFor(kafka, { name: topic, include: [topic] });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  await java.deleteTopic(topic);
  const words = ['restore', '--topic', topic, '--yes'];
  return { place, before, words, [Symbol.asyncDispose]: async () => place[Symbol.asyncDispose]() };
}

/** Returns when the topic holds so many records; the restore stands still until it is woken or killed. */
async function reached(running: Running, topic: string, records: number): Promise<void> {
  await running.planned();
  await runsUntil(`${topic} holds ${records} records`, running, async () => {
    return (await writtenTo(java, topic)) >= BigInt(records);
  });
}

test('killed again and again, then run to the end: equal, and nothing twice', async () => {
  const topic = 'killed';
  await using given = await givenLost(topic);
  const { place, before, words } = given;
  const seed = Number(process.env['SEED'] ?? 20_261_121);
  const random = seededRandom(seed);
  const ids = new Set<string>();
  const moments = Array.from({ length: 6 }, () => 1 + Math.floor(random() * count * 0.9)).toSorted(
    (a, b) => a - b,
  );
  for (const moment of [-1, 0, ...moments]) {
    await using running = Running.start(place, ...words, ...slowly);
    // Before anything is written, too: as soon as it shows its plan, and as soon as its journal is there.
    if (moment === -1) await running.planned();
    else if (moment === 0)
      await until('a journal is there', async () => (await restoreIds(place)).length > 0);
    else await reached(running, topic, moment);
    expect({ seed, moment, isRunning: running.isRunning, text: running.stderr }).toMatchObject({
      isRunning: true,
    });
    await running.kill();
    for (const id of await restoreIds(place)) ids.add(id);
  }
  const end = await place.run(...words);
  expect({ seed, ...end }).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  await expectSame(java, topic, before);
  expect([...ids]).toEqual(await restoreIds(place));
});

test('a broker that is killed and started again in the middle: the restore goes on by itself', async () => {
  const topic = 'broker-killed';
  await using given = await givenLost(topic);
  const { place, before, words } = given;
  await using running = Running.start(place, ...words, ...slowly);
  await reached(running, topic, count / 3);
  const [broker] = kafka.brokers;
  await broker?.kill();
  running.signal('SIGCONT');
  await broker?.start();
  expect(await running.ended()).toMatchObject({ status: 0, stdout: expect.stringContaining('RESTORED') });
  await expectSame(java, topic, before);
});

test('a restore and the broker killed together: the same command goes on', async () => {
  const topic = 'both-killed';
  await using given = await givenLost(topic);
  const { place, before, words } = given;
  await using running = Running.start(place, ...words, ...slowly);
  await reached(running, topic, count / 2);
  const [broker] = kafka.brokers;
  await Promise.all([broker?.kill(), running.kill()]);
  await broker?.start();
  const end = await place.run(...words);
  expect(end).toMatchObject({ status: 0, stdout: expect.stringContaining('goes on with restore') });
  await expectSame(java, topic, before);
});

test('the local folder lost after a kill: the journal is found in the target, and the same restore goes on', async () => {
  const topic = 'folder-lost';
  await using given = await givenLost(topic);
  const { place, before, words } = given;
  await using running = Running.start(place, ...words, ...slowly);
  await reached(running, topic, count / 3);
  await running.kill();
  const [id] = await restoreIds(place);
  expect(await java.listGroupOffsets(`varve-restore-${id}`)).not.toEqual([]);
  await rm(place.local, { recursive: true });
  const end = await place.run(...words);
  expect(end).toMatchObject({ status: 0, stdout: expect.stringContaining(`goes on with restore ${id}`) });
  expect(end.stdout).toMatch(new RegExp(`\nRESTORED ${id}\n$`));
  await expectSame(java, topic, before);
});

test('Ctrl-C ends it with 6, and the same command goes on', async () => {
  const topic = 'ctrl-c';
  await using given = await givenLost(topic);
  const { place, before, words } = given;
  await using running = Running.start(place, ...words, ...slowly);
  await reached(running, topic, count / 3);
  running.signal('SIGINT');
  running.signal('SIGCONT');
  const [id] = await restoreIds(place);
  const stopped = await running.ended();
  expect(stopped).toMatchObject({
    status: 6,
    stdout: expect.stringMatching(new RegExp(`\nNOT RESTORED ${id}\n$`)),
    stderr: expect.stringContaining('run the same command again'),
  });
  expect(await writtenTo(java, topic)).toBeLessThan(BigInt(count));
  const end = await place.run(...words);
  expect(end).toMatchObject({ status: 0, stdout: expect.stringContaining(`goes on with restore ${id}`) });
  await expectSame(java, topic, before);
});

test('another command on a topic that is half restored is refused with 18, and told which command goes on', async () => {
  const topic = 'changed';
  await using given = await givenLost(topic);
  const { place, before, words } = given;
  await using running = Running.start(place, ...words, ...slowly);
  await reached(running, topic, count / 3);
  await running.kill();
  const half = await writtenTo(java, topic);
  for (const more of [['--append'], ['--from-time', '2020-01-01T00:00Z'], ['--no-groups']]) {
    const refused = await place.run(...words, ...more);
    expect(refused).toMatchObject({ status: 18, stderr: expect.stringContaining('half restored') });
    expect(refused.stderr).toContain(`varve restore --topic ${topic}`);
  }
  expect(await writtenTo(java, topic)).toBe(half);
  expect(await place.run(...words)).toMatchObject({ status: 0 });
  await expectSame(java, topic, before);
});

test('a restore that another installation left half done in this cluster is not taken up by the same words', async () => {
  await using other = await givenLost('of-another');
  const words = ['restore', '--all-topics', '--yes'];
  await using running = Running.start(other.place, ...words, ...slowly);
  await reached(running, 'of-another', 1);
  await running.kill();
  await using own = await givenLost('of-this-one');
  const end = await own.place.run(...words);
  expect(end).toMatchObject({ status: 0, stdout: expect.not.stringContaining('goes on with') });
  await expectSame(java, 'of-this-one', own.before);
  expect(await other.place.run(...words)).toMatchObject({ status: 0 });
  await expectSame(java, 'of-another', other.before);
});

test.each(['pipes', 'terminal'] as const)(
  'a terminal that goes away does not stop it: it writes its log to the last line',
  async (reader) => {
    const topic = `gone-${reader}`;
    await using given = await givenLost(topic);
    const { place, before, words } = given;
    const all = [...words, ...slowly];
    await using running =
      reader === 'pipes' ? Running.start(place, ...all) : Running.startInTerminal(place, ...all);
    // Of a terminal only what holds it can be stopped, not the restore on it.
    if (reader === 'pipes') await reached(running, topic, count / 3);
    else await until('some is written', async () => (await writtenTo(java, topic)) >= BigInt(count / 3));
    if (reader === 'pipes') running.hangUp();
    else await running.kill();
    running.signal('SIGCONT');
    const [id] = await restoreIds(place);
    const log = join(place.local, 'restores', `${id}.log`);
    const last = new RegExp(` RESTORED ${id}\n$`);
    await until('its last line is written', async () => last.test(await readFile(log, 'utf8')));
    await expectSame(java, topic, before);
    if (reader === 'pipes') expect(await running.ended()).toMatchObject({ status: 0, signal: null });
  },
);
