import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type Kafka } from '../../scripts/kafka/kafka.ts';
import { loadConfig } from '../../src/config/config.ts';
import { askDaemon, openSink, type DaemonEvent, type OpenSink } from '../../src/daemon/daemon.ts';
import { systemHost, type Host } from '../../src/host/host.ts';
import { metricsText } from '../../src/observe/observe.ts';
import { judged } from '../docs/promtool.ts';
import { Backup } from '../sink/backup.ts';
import { MovedClock, RefusingDisk } from '../sink/opened.ts';
import { configure, Daemon, until } from '../sink/processes.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

const minuteMs = 60_000;

async function following(
  backup: Backup,
  host: Partial<Host> = {},
): Promise<OpenSink & { events: DaemonEvent[] }> {
  const { config } = await loadConfig(
    { file: join(backup.folder, 'varve.yaml'), needs: ['kafka.brokers', 'local.dir'] },
    { env: {}, cwd: backup.folder, readText: async (path) => readFile(path, 'utf8') },
  );
  const events: DaemonEvent[] = [];
  const opened = await openSink({
    config,
    host: { ...systemHost, ...host },
    emit: (event) => events.push(event),
    mode: 'follow',
    signal: new AbortController().signal,
  });
  return { ...opened, events };
}

/** The values of a metric by what stands in its braces. */
async function told({ facts }: OpenSink, name: string): Promise<Map<string, number>> {
  const lines = (await metricsText(await facts()))
    .split('\n')
    .filter((line) => /^[a-z_]+/.exec(line)?.[0] === name);
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(name.length, at), Number(line.slice(at))];
    }),
  );
}

async function fill(topic: string, count: number): Promise<void> {
  const java = await kafka.java();
  const records = Array.from({ length: count }, (_, index) => ({
    value: `value ${index}`,
    partition: index % 2,
  }));
  await java.produce({ topic, records });
}

async function withRepository(backup: Backup): Promise<void> {
  const keyFile = join(backup.folder, 'key');
  await writeFile(keyFile, randomBytes(32));
  const repository = { dir: join(backup.folder, 'repository'), keyFile };
  await configure(backup, { repository, observe: { port: 0 } });
  expect(await backup.run('init')).toMatchObject({ status: 0 });
}

test('what cannot be saved is told before retention takes it, and no longer once it is saved', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'hour', partitions: 2, configs: { 'retention.ms': '3600000' } });
  await java.createTopic({ topic: 'ever', partitions: 1, configs: { 'retention.ms': '-1' } });
  await java.createTopic({ topic: 'left-out', partitions: 1 });
  await fill('hour', 100);
  await using backup = await Backup.of(kafka, { include: ['hour', 'ever'] });
  const [disk, clock] = [new RefusingDisk(), new MovedClock()];
  await using opened = await following(backup, { disk: disk.disk, clock });
  const hour = '{topic="hour"}';

  await until('all is saved', async () => (await told(opened, 'varve_saved_records_total')).get('') === 100);
  await until('all is durable', async () => (await told(opened, 'varve_lag_records')).get(hour) === 0);
  expect(await told(opened, 'varve_oldest_unsaved_time_seconds')).toEqual(new Map());
  expect((await told(opened, 'varve_topic_last_fsync_time_seconds')).get(hour)).toBeGreaterThan(1.6e9);
  const left = await told(opened, 'varve_topics_not_backed_up');
  expect(left.get('{reason="excluded"}')).toBeGreaterThan(0);
  expect(left.get('{reason="stopped"}')).toBe(0);
  const scrape = await metricsText(await opened.facts());
  expect(await judged(['check', 'metrics'], scrape)).toEqual({ status: 0, said: '' });

  disk.freeBytes = 0;
  await until('fetching is paused', async () => opened.events.some(({ type }) => type === 'space-low'));
  await fill('hour', 20);
  clock.move(40 * minuteMs);
  await until('it is told', async () => (await told(opened, 'varve_retention_used_ratio')).has(hour));
  expect((await told(opened, 'varve_retention_used_ratio')).get(hour)).toBeGreaterThan(0.6);
  const leftSeconds = (await told(opened, 'varve_retention_overtakes_in_seconds')).get(hour);
  expect(leftSeconds).toBeGreaterThan(10 * 60);
  expect(leftSeconds).toBeLessThan(20 * 60 + 5);
  expect([...(await told(opened, 'varve_retention_used_ratio')).keys()]).toEqual([hour]);

  disk.freeBytes = 2 ** 40;
  await until(
    'all is saved again',
    async () => (await told(opened, 'varve_saved_records_total')).get('') === 120,
  );
  await until('nothing is told', async () => (await told(opened, 'varve_retention_used_ratio')).size === 0);
});

test('an order to a daemon that is still starting is carried out', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'early', partitions: 2 });
  await fill('early', 10);
  await using backup = await Backup.of(kafka, { include: ['early'] });
  const starting = following(backup);
  const ask = async (order: { command: string }): Promise<object | undefined> =>
    askDaemon(systemHost, backup.localFolder, order, { signal: new AbortController().signal });
  let status: object | undefined;
  await until(
    'its socket answers',
    async () => (status = await ask({ command: 'status' }).catch(() => undefined)) !== undefined,
  );
  expect(status).toMatchObject({ status: null }); // before there is anything that could be ordered
  expect(await ask({ command: 'backup' })).toMatchObject({ done: { partitions: 2 } });
  await using _ = await starting;
});

test('a daemon whose local folder is taken away ends, although cycles are scheduled', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'taken', partitions: 1 });
  await using backup = await Backup.of(kafka, { include: ['taken'] });
  await withRepository(backup);
  await using daemon = await Daemon.following(backup);
  await rm(join(backup.localFolder, 'varve.sock'));

  expect(await daemon.ended()).toMatchObject({ status: 11 });
});

test('a restart with an empty local disk forgets nothing that the repository tells, with the page or without', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'told', partitions: 2 });
  await fill('told', 50);
  await using backup = await Backup.of(kafka, { include: ['told'] });
  await withRepository(backup);
  expect(await backup.run('backup')).toMatchObject({ status: 0 });
  const publishedSeconds = Date.now() / 1000;
  for (const page of [true, false]) {
    await configure(backup, { observe: { page } });
    await rm(backup.localFolder, { recursive: true });
    await using opened = await following(backup);

    await until('it was looked at', async () => (await told(opened, 'varve_snapshots')).get('') === 1);
    expect((await told(opened, 'varve_snapshot_seq')).get('')).toBe(1);
    expect((await told(opened, 'varve_key_slots')).get('')).toBe(1);
    expect((await told(opened, 'varve_key_problems')).get('')).toBe(0);
    expect((await told(opened, 'varve_repository_problems')).get('')).toBe(0);
    expect((await told(opened, 'varve_target_up')).get('')).toBe(1);
    expect((await told(opened, 'varve_cycle_new_bytes')).get('')).toBeGreaterThan(0);
    for (const name of ['varve_cycle_last_success', 'varve_verify_oldest', 'varve_verify_last_success']) {
      const at = (await told(opened, `${name}_time_seconds`)).get('') ?? 0;
      expect(Math.abs(publishedSeconds - at), name).toBeLessThan(120);
    }
  }
});
