/**
 * The cycle against zstd alone and against rsync --link-dest of the same month file, in one run, on one disk.
 *
 *   npm run bench -- cycle [megabytes]
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { appendFile, mkdir, readdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { systemHost } from '../src/host/host.ts';
import type { CycleReport } from '../src/snapshot/snapshot.ts';
import { runOrder } from '../src/target/target.ts';
import { keyOf, Store } from '../test/snapshot/given.ts';

const run = promisify(execFile);
const valueBytes = 1000;

export async function bench(words: readonly string[]): Promise<void> {
  const megabytes = Number(words[0] ?? 1000);
  await haveRsync();
  await benchMonth(megabytes);
  await benchTopics(3000);
}

async function benchMonth(megabytes: number): Promise<void> {
  await using store = await Store.make();
  store.nowMs = Date.now();
  const key = keyOf('orders');
  await store.append(key, (megabytes * 1e6) / 1060, { valueBytes, batchRecords: 15 });
  const [month = ''] = (await readdir(join(store.local, 'topics', key.topic, key.topicId, '0'))).filter(
    (name) => name !== 'journal',
  );
  const folder = join(store.local, 'topics', key.topic, key.topicId, '0', month);
  const files = (await readdir(folder)).toSorted().map((name) => join(folder, name));
  const bytes = (await Promise.all(files.map(async (path) => stat(path)))).reduce(
    (sum, { size }) => sum + size,
    0,
  );
  const zstd = await zstdAlone(files);
  const first = await cycle(store);
  const rate = (seconds: number): number => Math.round(bytes / 1e6 / seconds);

  const rsync = join(store.folder, 'rsync');
  await mkdir(join(rsync, 'source'), { recursive: true });
  const grown = join(rsync, 'source', `${month}.log`);
  for (const file of files) await appendFile(grown, readFileSync(file));
  const firstRsync = await timed(async () => rsyncTo(rsync, { to: '0' }));

  const sizeBefore = await repositoryBytes(store);
  await store.append(key, 34e6 / 1060, { valueBytes, batchRecords: 15 });
  const second = await cycle(store);
  const added = (await repositoryBytes(store)) - sizeBefore;
  for (const name of (await readdir(folder)).toSorted().slice(files.length))
    await appendFile(grown, readFileSync(join(folder, name)));
  const secondRsync = await timed(async () => rsyncTo(rsync, { to: '1', linkDest: '0' }));
  const report = {
    load: `${Math.round(bytes / 1e6)} MB of ${valueBytes} byte records in one month, then 34 MB`,
    sealAndPublish: {
      megabytesPerSecond: rate(first.seconds),
      atLeast: 270,
      ofZstdAlone: round(zstd / first.seconds),
      ofZstdAtLeast: 0.5,
      zstdAlone: rate(zstd),
      rsyncFirst: rate(firstRsync),
      phasesMs: first.report.phasesMs,
      readBack: 'direct',
    },
    nextCycle: {
      secondsToPublished: round(second.seconds),
      atMost: 1.5,
      timesFasterThanRsync: round(secondRsync / second.seconds),
      atLeast: 8,
      rsyncSeconds: round(secondRsync),
      addedBytes: added,
      addedAtMost: second.report.newBytes + 64 * 1024 + 64 * 1,
      phasesMs: second.report.phasesMs,
    },
    childPeakMegabytes: Math.max(first.peakMegabytes, second.peakMegabytes),
  };
  console.log(JSON.stringify(report, undefined, 2));
}

async function benchTopics(count: number): Promise<void> {
  await using store = await Store.make();
  store.nowMs = Date.now();
  for (let topic = 0; topic < count; topic += 1) await store.append(keyOf(`topic-${topic}`), 40);
  const first = await cycle(store);
  const idle = await cycle(store);
  const report = {
    load: `${count} topics of 40 records, then nothing new`,
    firstSeconds: round(first.seconds),
    idleSeconds: round(idle.seconds),
    idleAtMost: 10,
    idlePhasesMs: idle.report.phasesMs,
    childPeakMegabytes: Math.max(first.peakMegabytes, idle.peakMegabytes),
  };
  console.log(JSON.stringify(report, undefined, 2));
}

interface Ran {
  /** From the pause until the snapshot is there. */
  readonly seconds: number;
  readonly report: CycleReport;
  readonly peakMegabytes: number;
}

async function cycle(store: Store): Promise<Ran> {
  let began = performance.now();
  let publishedMs = Number.NaN;
  let peak = 0;
  let sampling: NodeJS.Timeout | undefined;
  const report = await runOrder(systemHost, {
    order: 'cycle',
    settings: store.settings,
    // As the daemon does it: the child starts while groups are read and the cut is made.
    async params() {
      await new Promise((resolve) => setTimeout(resolve, 600));
      began = performance.now();
      return store.request({});
    },
    onEvent(event) {
      if (event.type === 'cycle-phase' && event.phase === 'check') publishedMs = performance.now() - began;
    },
    onChild(child) {
      sampling = setInterval(() => {
        peak = Math.max(peak, peakKilobytesOf(child.pid));
      }, 20);
    },
  });
  clearInterval(sampling);
  return { seconds: publishedMs / 1000, report, peakMegabytes: Math.round(peak / 1024) };
}

function peakKilobytesOf(process: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${process}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it has ended
  }
}

/** The same files, the same threads and level, in frames of 1 MiB: nothing but compression. */
async function zstdAlone(files: readonly string[]): Promise<number> {
  const threads = Math.min(4, availableParallelism());
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { readFileSync } = require('node:fs');
    const zstd = require('zstd-napi/binding.js');
    const context = new zstd.CCtx();
    context.setParameter(zstd.CParameter.compressionLevel, 3);
    context.setParameter(zstd.CParameter.checksumFlag, 1);
    const out = Buffer.allocUnsafe(zstd.compressBound(1048576));
    let all = 0;
    for (const [file, part] of workerData.files.entries()) {
      const bytes = readFileSync(part);
      for (let at = workerData.index * 1048576; at < bytes.length; at += workerData.threads * 1048576)
        all += context.compress2(out, bytes.subarray(at, at + 1048576));
    }
    parentPort.postMessage(all);`;
  return await timed(async () => {
    await Promise.all(
      Array.from({ length: threads }, async (_, index) => {
        const worker = new Worker(source, { eval: true, workerData: { files, index, threads } });
        await new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      }),
    );
  });
}

async function rsyncTo(folder: string, o: { to: string; linkDest?: string }): Promise<void> {
  const link = o.linkDest === undefined ? [] : [`--link-dest=../${o.linkDest}`];
  await run('rsync', ['-a', ...link, `${join(folder, 'source')}/`, join(folder, o.to)]);
  await run('sync', ['-f', join(folder, o.to)]);
}

async function haveRsync(): Promise<void> {
  try {
    await run('rsync', ['--version']);
  } catch {
    await run('apt-get', ['update']);
    await run('apt-get', ['install', '-y', 'rsync']);
  }
}

/** What is on the disk: each file once, however many names it has. */
async function repositoryBytes(store: Store): Promise<number> {
  const { stdout } = await run('du', ['-sb', join(store.target, 'main', 'snapshots')]);
  const folders = await run('sh', ['-c', `find ${join(store.target, 'main', 'snapshots')} -type d | wc -l`]);
  return Number(stdout.split('\t')[0]) - Number(folders.stdout) * 4096;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
