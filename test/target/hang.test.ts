import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { varve } from '../../scripts/demo/varve.ts';
import { startKafka, type Kafka } from '../../scripts/kafka/kafka.ts';
import { loadConfig, type Config } from '../../src/config/config.ts';
import { nothingAccepted, openSink, serveHttp, type DaemonEvent } from '../../src/daemon/daemon.ts';
import { systemHost } from '../../src/host/host.ts';
import { until } from '../sink/processes.ts';
import { Hanging } from './hanging.ts';
import { installed } from './installed.ts';

const run = promisify(execFile);

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(async () => {
  await kafka.stop();
});

async function configOf({ folder }: { folder: string }): Promise<Config> {
  const { config } = await loadConfig(
    { file: join(folder, 'varve.yaml'), needs: ['kafka.brokers', 'local.dir', 'repository'] },
    { env: {}, cwd: folder, readText: async (path) => readFile(path, 'utf8') },
  );
  return config;
}

/** The child processes of this one that reach for a target. */
async function children(): Promise<number> {
  try {
    const { stdout } = await run('pgrep', ['-P', String(process.pid), '-f', 'src/target/child.ts']);
    return stdout.trim().split('\n').length;
  } catch {
    return 0; // it ends with 1 where there is none
  }
}

test('while the target hangs the sink goes on, health answers, no second child starts; then everything is published', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'hanging', partitions: 2 });
  await java.produceLoad({ topic: 'hanging', records: 2000, size: 200 });
  await using place = await installed(kafka, { name: 'hanging', target: await Hanging.mount() });
  const { target } = place;
  const config = await configOf(place);
  const stopping = new AbortController();
  // In the middle of a cycle: while blocks are on their way to the pack.
  let isArmed = false;
  const emit = (event: DaemonEvent): void => {
    if (isArmed && event.type === 'cycle-progress') target.stop();
  };
  await using opened = await openSink({
    config,
    host: systemHost,
    mode: 'follow',
    emit,
    signal: stopping.signal,
    stuckMs: 12_000, // on a machine that is busy a child is silent for seconds
  });
  await using http = await serveHttp({ host: '127.0.0.1', port: 0, facts: opened.facts });
  const { sink } = opened;
  const hasSaved = async (records: number): Promise<void> =>
    until(`${records} records are saved`, async () => sink.status.records >= records);
  await hasSaved(2000);
  await opened.snapshot(nothingAccepted);

  await java.produceLoad({ topic: 'hanging', records: 20_000, size: 1000 });
  await hasSaved(22_000);
  isArmed = true;
  await expect(opened.snapshot(nothingAccepted)).rejects.toMatchObject({
    code: 'target-unusable',
    message: expect.stringContaining('hangs'),
  });
  isArmed = false;
  expect(await children()).toBeLessThanOrEqual(1);
  await expect(opened.snapshot(nothingAccepted)).rejects.toMatchObject({ code: 'target-unusable' });
  await expect(opened.snapshot(nothingAccepted)).rejects.toMatchObject({ code: 'target-unusable' });
  expect(await children()).toBeLessThanOrEqual(1);
  await java.produceLoad({ topic: 'hanging', records: 3000, size: 200 });
  await hasSaved(25_000);
  expect((await fetch(`http://127.0.0.1:${http.port}/livez`)).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${http.port}/readyz`)).status).toBe(200);

  const stuckSinceMs = async (): Promise<number | undefined> => (await opened.facts()).cycles?.stuckSinceMs;
  expect(await stuckSinceMs()).toBeDefined();
  target.resume();
  await until('the child is known to be gone', async () => (await stuckSinceMs()) === undefined);
  expect(await children()).toBe(0);
  const report = await opened.snapshot(nothingAccepted);
  expect(report).toMatchObject({ finding: null, seq: 2 });
  stopping.abort();
  await opened[Symbol.asyncDispose]();
  const verified = await varve(['verify', '--deep', '--json'], { cwd: place.folder });
  expect(JSON.parse(verified.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
    ok: true,
    records: 25_000,
  });
});

test('every command ends by itself with 13 while the target hangs', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'ending', partitions: 1 });
  await java.produceLoad({ topic: 'ending', records: 100, size: 100 });
  await using place = await installed(kafka, { name: 'ending', target: await Hanging.mount() });
  const { folder, target } = place;
  expect(await varve(['backup'], { cwd: folder })).toMatchObject({ status: 0 });
  target.stop();
  const commands = [
    'list',
    'list latest',
    'info',
    'verify --fast',
    'verify --deep',
    'check',
    'doctor',
    'snapshot',
    'cat --topic ending --snapshot latest',
    'pin latest',
    'expire --dry-run',
    'instance list',
    'key list',
    'unlock',
    'init',
    'groups list',
    'restore --topic ending --to-topic elsewhere --yes',
  ];
  const ends = await Promise.all(
    commands.map(
      async (command) => [command, (await varve(command.split(' '), { cwd: folder })).status] as const,
    ),
  );

  expect(Object.fromEntries(ends)).toEqual(Object.fromEntries(commands.map((command) => [command, 13])));
  const here = ['restore', '--topic', 'ending', '--to-topic', 'elsewhere', '--local-only', '--yes'];
  expect(await varve(here, { cwd: folder })).toMatchObject({ status: 0 });
  target.resume();
  expect(await varve(['snapshot'], { cwd: folder })).toMatchObject({ status: 0 });
});
