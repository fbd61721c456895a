/**
 * Thousands of topics: found and read, followed while nothing comes, cut, sealed and looked at.
 *
 *   npm run bench -- many [topics]
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startKafka } from '../scripts/kafka/kafka.ts';
import { makeTopics } from './many-topics.ts';
import { cpuSecondsOf, measure, type Measured } from './measure.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const idleSeconds = 60;

export async function bench(words: readonly string[]): Promise<void> {
  const count = Number(words[0] ?? 3000);
  const folder = await mkdtemp(join(process.env['BENCH_DIR'] ?? tmpdir(), 'varve-bench-'));
  try {
    await using kafka = await startKafka({ heapMb: 1024 });
    await makeTopics(kafka.bootstrap, { count, records: 40, valueBytes: 100 });
    const file = await configure(folder, kafka.bootstrap);
    const varve = async (...more: string[]): Promise<Measured> =>
      measure(process.execPath, [main, ...more, '--config', file]);
    await varve('init');
    const read = await varve('backup', '--no-snapshot', '--json');
    const followed = await follow(file);
    const sealed = await varve('snapshot', '--json');
    const row = {
      load: `${count} topics of 40 records`,
      foundAndRead: { ...figures(read), secondsAtMost: 30, residentMegabytesAtMost: 256 },
      followed: { ...followed, idlePercentAtMost: 5, cutPauseMsAtMost: 100 },
      snapshotOfNothingNew: figures(sealed),
      info: figures(await varve('info', '--json')),
      infoTopics: figures(await varve('info', '--topics', '--json')),
      list: figures(await varve('list', '--json')),
      planOfAll: figures(await varve('restore', '--all-topics', '--append', '--dry-run', '--json')),
    };
    console.log(JSON.stringify(row, undefined, 2));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `varve run` while nothing comes, and then a cycle with everything in it. */
async function follow(file: string): Promise<object> {
  const child = spawn(process.execPath, [main, 'run', '--config', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const closed = once(child, 'close');
  const cut = Promise.withResolvers<{ partitions: number; pauseMs: number }>();
  const following = Promise.withResolvers<void>();
  createInterface({ input: child.stderr }).on('line', (line) => {
    const {
      event,
      partitions = 0,
      pauseMs = 0,
    }: { event: string; partitions?: number; pauseMs?: number } = JSON.parse(line);
    if (event === 'cut') cut.resolve({ partitions, pauseMs });
    if (event === 'following') following.resolve();
  });
  void closed.then(() => following.reject(new Error('varve run ended')));
  try {
    await following.promise;
    await sleep(20_000); // what is done once, at the start
    const before = cpuSecondsOf(child.pid);
    await sleep(idleSeconds * 1000);
    const idle = cpuSecondsOf(child.pid) - before;
    const snapshot = await measure(process.execPath, [main, 'snapshot', '--json', '--config', file]);
    const { partitions, pauseMs } = await cut.promise;
    return {
      idlePercent: round((100 * idle) / idleSeconds),
      cutPartitions: partitions,
      cutPauseMs: pauseMs,
      snapshotSeconds: round(snapshot.seconds),
      residentMegabytes: residentMegabytesOf(child.pid),
    };
  } finally {
    child.kill('SIGTERM');
    await closed;
  }
}

function figures({ seconds, cpuSeconds, peakMegabytes, childPeakMegabytes }: Measured): object {
  return {
    seconds: round(seconds),
    cpuSeconds: round(cpuSeconds),
    residentMegabytes: Math.round(peakMegabytes),
    ofItsChild: Math.round(childPeakMegabytes),
  };
}

function residentMegabytesOf(process: number | undefined): number {
  const status = readFileSync(`/proc/${process}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

async function configure(folder: string, bootstrap: string): Promise<string> {
  const key = join(folder, 'key');
  await writeFile(key, randomBytes(32));
  const file = join(folder, 'varve.yaml');
  const config = {
    name: 'bench-many',
    kafka: { brokers: bootstrap.split(',') },
    topics: { include: ['topic-*'] },
    local: { dir: join(folder, 'local'), minFree: '1MiB' },
    repository: { dir: join(folder, 'repository'), keyFile: key },
    observe: { port: 0 },
  };
  await writeFile(file, JSON.stringify(config)); // JSON is YAML
  return file;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
