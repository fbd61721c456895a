import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup } from './backup.ts';
import { configure, Daemon, standings, until } from './processes.ts';

let kafka: Kafka;
let other: Kafka;
beforeAll(async () => {
  [kafka, other] = await Promise.all([startKafka(), startKafka()]);
});
afterAll(async () => {
  await Promise.all([kafka.stop(), other.stop()]);
});

async function load(topic: string, records = 20_000): Promise<void> {
  const java = await kafka.java();
  await java.produceLoad({ topic, records, size: 200 });
}

test('the first SIGTERM writes what has come, syncs and commits it, and ends with 0 within 10 seconds', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'drained', partitions: 2 });
  await using backup = await Backup.of(kafka, { include: ['drained'] });
  await using daemon = await Daemon.following(backup);
  const loading = load('drained', 100_000);
  await until('something is saved', async () => (await backup.segments('drained')).length > 0);
  daemon.signal('SIGTERM');
  const end = await daemon.ended();
  expect(end).toMatchObject({ status: 0, signal: null });
  expect(end.tookMs).toBeLessThan(10_000);
  expect(daemon.lines.at(-1)).toMatchObject({ event: 'stopped' });
  // What it committed is what the files hold: no less, no more.
  const found = await standings(kafka, backup, 'drained');
  expect(found.length).toBeGreaterThan(0);
  for (const { committed, recovered } of found) expect(committed).toBe(recovered);
  await loading;
  expect(await backup.catchUp()).toMatchObject({ status: 0 });
  expect(await backup.expectExact('drained')).toBe(100_000);
});

test('it ends within 10 seconds of a SIGTERM while no broker answers, and a second one ends it at once', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'hung', partitions: 2 });
  await load('hung');
  await using backup = await Backup.of(kafka, { include: ['hung'] });
  await using patient = await Daemon.following(backup);
  await until('all is saved', async () => (await backup.catchUp()).status === 0);
  const broker = kafka.brokers[0];
  broker?.suspend();
  try {
    patient.signal('SIGTERM');
    const end = await patient.ended();
    expect(end).toMatchObject({ status: 0 });
    expect(end.tookMs).toBeLessThan(10_000);
    // With nobody answering it is still starting: the first signal asks, the second one ends.
    await using hasty = Daemon.start(backup);
    await hasty.logged('starting');
    hasty.signal('SIGINT');
    hasty.signal('SIGTERM');
    const ended = await hasty.ended();
    expect(ended.status).not.toBe(0);
    // Alone, the first one has ten seconds; under load even a signal takes its time.
    expect(ended.tookMs).toBeLessThan(5000);
  } finally {
    broker?.resume();
  }
  await java.listOffsets('hung'); // it leads again: one that was silent for so long is given up for a moment
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 0 });
  expect(await backup.expectExact('hung')).toBe(20_000);
});

test('a backup while a daemon runs is done by the daemon', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'asked', partitions: 2 });
  await using backup = await Backup.of(kafka, { include: ['asked'] });
  await using daemon = await Daemon.following(backup);
  await load('asked');
  const summary = await backup.catchUp();
  expect(summary).toMatchObject({ status: 0, topics: 1, partitions: 2, missing: [] });
  for (const { committed, recovered } of await standings(kafka, backup, 'asked')) {
    expect(committed).toBe(recovered);
  }
  expect(await backup.expectExact('asked')).toBe(20_000);
  daemon.signal('SIGINT');
  expect(await daemon.ended()).toMatchObject({ status: 0 });
});

test('a second daemon on a folder is refused with 11 and told who holds it; a killed one lets go at once', async () => {
  await using backup = await Backup.of(kafka, { include: ['asked'] });
  await using first = await Daemon.following(backup);
  const second = await backup.run('run');
  expect(second).toMatchObject({ status: 11 });
  expect(second.stderr).toContain(`process ${first.pid}`);
  expect(second.stderr).toContain('stop that process first');
  await first.kill();
  await using third = await Daemon.following(backup);
  third.signal('SIGTERM');
  expect(await third.ended()).toMatchObject({ status: 0 });
});

test('another installation alive in the group is refused with 11; one that was stopped is not in the way', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'shared', partitions: 1 });
  await load('shared', 10);
  await using mine = await Backup.of(kafka, { include: ['shared'] });
  await using theirs = await Backup.of(kafka, { include: ['shared'] });
  await configure(theirs, { kafka: { groupId: mine.group } });
  await using daemon = await Daemon.following(mine);
  expect(await mine.catchUp()).toMatchObject({ status: 0 });
  const refused = await theirs.run('backup', '--no-snapshot');
  expect(refused).toMatchObject({ status: 11 });
  expect(refused.stderr).toContain((await mine.identity()).installation);
  expect(refused.stderr).toContain('`name` of its own');
  daemon.signal('SIGTERM');
  await daemon.ended();
  expect(await theirs.catchUp()).toMatchObject({ status: 0, records: 10 });
});

test('the folder of another cluster is refused with 17, and nothing in it is touched', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'bound', partitions: 1 });
  await load('bound', 10);
  await using backup = await Backup.of(kafka, { include: ['bound'] });
  await backup.catchUp();
  const identity = await readFile(join(backup.localFolder, 'varve.json'), 'utf8');
  await configure(backup, { kafka: { brokers: other.bootstrap.split(',') } });
  for (const words of [['backup', '--no-snapshot'], ['run']]) {
    const refused = await backup.run(...words);
    expect(refused).toMatchObject({ status: 17 });
    expect(refused.stderr).toContain(`expected ${kafka.clusterId}, got ${other.clusterId}`);
    expect(refused.stderr).toContain('hint:');
  }
  expect(await readFile(join(backup.localFolder, 'varve.json'), 'utf8')).toBe(identity);
});
