import { mkdir, mkdtemp, readdir, readFile, rm, writeFile, chown } from 'node:fs/promises';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { buildImage, type Image, type Volume } from '../../scripts/image-test/image.ts';
import { Pod } from '../../scripts/image-test/pod.ts';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { expectSame, givenRecords } from '../restore/process.ts';
import { Daemon, until } from '../sink/processes.ts';

const user = 10001;
const chart: { resources: { limits: { memory: string } }; terminationGracePeriodSeconds: number } = parse(
  await readFile('chart/values.yaml', 'utf8'),
);
const memoryMiB = Number.parseInt(chart.resources.limits.memory, 10);

let kafka: Kafka;
let java: JavaClient;
let image: Image;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
  image = await buildImage();
});
afterAll(async () => {
  await image[Symbol.asyncDispose]();
  await kafka.stop();
});

/** What the chart mounts, the key being a passphrase, whose opening takes the most memory. */
async function given(topic: string): Promise<AsyncDisposable & { volumes: Volume[]; local: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-pod-'));
  const places = {
    'etc/varve': '/etc/varve',
    local: '/var/lib/varve',
    target: '/backup',
    key: '/run/secrets/varve-key',
  };
  const volumes = Object.entries(places).map(([name, at]) => ({ from: join(folder, name), at }));
  for (const { from } of volumes) {
    await mkdir(from, { recursive: true });
    await chown(from, user, user);
  }
  const config = {
    name: topic,
    kafka: { brokers: kafka.bootstrap.split(',') },
    topics: { include: [topic] },
    local: { dir: '/var/lib/varve/local', minFree: '16MiB' },
    repository: { dir: '/backup/varve', passphraseFile: '/run/secrets/varve-key/key' },
    observe: { port: 0 },
    cycle: { onStart: true },
  };
  await writeFile(join(folder, 'etc/varve/varve.yaml'), JSON.stringify(config));
  await writeFile(join(folder, 'key/key'), 'correct horse battery staple');
  return {
    volumes,
    local: join(folder, 'local/local'),
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }),
  };
}

test('the image adds less than 120 MB, runs as a user with a number, and has nothing that builds', async () => {
  expect(image.config).toMatchObject({
    User: '10001:10001',
    Entrypoint: ['node', 'src/main.ts'],
    Cmd: ['run'],
  });
  console.log(`the image adds ${image.ownBytes / 1e6} MB to its base`);
  expect(image.ownBytes).toBeLessThan(120e6);
  const tools =
    'id -u; for tool in gcc g++ cc make python3 npm npx yarn; do command -v $tool; done; varve version';
  const { stdout } = await image.run(['sh', '-c', tools], []);
  expect(stdout.split('\n')).toEqual([
    '10001',
    `varve    ${manifest.version}`,
    expect.stringContaining('node'),
    expect.stringContaining('kafkajs'),
    '',
  ]);
});

test('under buildah: a backup', async () => {
  const topic = 'packed';
  await givenRecords(java, { topic, partitions: 2, count: 100 });
  await using place = await given(topic);
  for (const words of [
    ['varve', 'version'],
    ['varve', 'init'],
    ['varve', 'backup'],
  ]) {
    expect(await image.run(words, place.volumes)).toMatchObject({ status: 0 });
  }
  expect(await readdir(join(place.local, '../../target/varve/main/snapshots'))).toHaveLength(1);
});

test('in a pod: init, run, a cycle, a restore as typed, its terminal dropped in the middle, and SIGTERM', async () => {
  const topic = 'orders';
  const before = await givenRecords(java, { topic, partitions: 3, count: 3000 });
  await using place = await given(topic);
  await using pod = await Pod.make(image, { volumes: place.volumes, memoryMiB });
  expect(await ended(pod.start(['init']))).toMatchObject({ status: 0 });
  const daemon = Daemon.of(pod.start()); // ends with the pod
  await daemon.logged('cycle-ended');
  expect(await ended(await pod.exec(['touch', '/opt/varve/src/other.ts']))).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('Read-only file system'),
  });

  const typed = [
    'restore',
    '--topic',
    topic,
    '--from-time',
    '2020-01-01T00:00Z',
    '--to-topic',
    'orders.copy',
  ];
  const terminal = await pod.exec([...typed, '--throttle', '700kB/s'], { terminal: true });
  const shown = { text: '' };
  terminal.stdout?.setEncoding('utf8').on('data', (more: string) => (shown.text += more));
  await until('it asks', async () => shown.text.includes('[y/N]'));
  terminal.stdin?.write('yes\n');
  await until('a third is there', async () => (await writtenTo('orders.copy')) > 1000n);
  terminal.kill('SIGKILL');
  expect(await writtenTo('orders.copy')).toBeLessThan(3000n);
  const log = async (): Promise<string> => {
    const folder = join(place.local, 'restores');
    const name = (await readdir(folder)).find((each) => each.endsWith('.log')) ?? '';
    return readFile(join(folder, name), 'utf8');
  };
  await until('it has come to its end alone', async () => / RESTORED \S+\n$/.test(await log()));
  const renamed = before.map((line) => line.replace(`"topic":"${topic}"`, '"topic":"orders.copy"'));
  await expectSame(java, 'orders.copy', renamed);

  await pod.signal('SIGTERM');
  const end = await daemon.ended();
  expect(end).toMatchObject({ status: 0 });
  expect(end.tookMs).toBeLessThan(chart.terminationGracePeriodSeconds * 1000);
  expect(await pod.memory.kills()).toBe(0);
});

test('the memory of the chart is enough for a cycle and a restore at once, both opened by a passphrase', async () => {
  const topic = 'large';
  await java.createTopic({ topic, partitions: 6 });
  await java.produceLoad({ topic, records: 100_000, size: 1000 });
  await using place = await given(topic);
  await using pod = await Pod.make(image, { volumes: place.volumes, memoryMiB });
  expect(await ended(pod.start(['init']))).toMatchObject({ status: 0 });
  const daemon = Daemon.of(pod.start()); // ends with the pod
  await daemon.logged('cycle-ended');
  const words = ['restore', '--topic', topic, '--to-topic', 'large.copy', '--yes'];
  const restoring = ended(await pod.exec(words));
  const cycling = ended(await pod.exec(['varve', 'snapshot']));
  const both = Promise.all([restoring, cycling]);
  const most = await peakUntil(both, async () => pod.memory.bytes());
  console.log(`at most ${Math.round(most / 1024 / 1024)} MiB of ${memoryMiB}`);
  expect(await both).toMatchObject([{ status: 0 }, { status: 0 }]);
  expect(await pod.memory.kills()).toBe(0);
});

async function writtenTo(topic: string): Promise<bigint> {
  const rows = await java.listOffsets(topic).catch(() => []);
  return rows.reduce((sum, { latest }) => sum + latest, 0n);
}

async function peakUntil(work: Promise<unknown>, bytes: () => Promise<number>): Promise<number> {
  let isOver = false;
  let most = 0;
  const over = work.finally(() => (isOver = true));
  await until('both have ended', async () => {
    most = Math.max(most, await bytes());
    return isOver;
  });
  await over;
  return most;
}

async function ended(
  child: ChildProcess,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('a child process without pipes');
  child.stdin?.end();
  const [out, problems] = await Promise.all([text(stdout), text(stderr), once(child, 'close')]);
  return { status: child.exitCode, stdout: out, stderr: problems };
}
