/** What the rendered pods run, with the configuration they see, as processes of this machine: a cluster without Kubernetes. */
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launcher, varve, type CommandEnd } from '../../scripts/demo/varve.ts';
import { runCommand } from '../../scripts/kafka/command.ts';
import { startKafka, type Kafka } from '../../scripts/kafka/kafka.ts';
import { givenRecords } from '../restore/process.ts';
import { Daemon } from '../sink/processes.ts';
import { Bench, type Pod, type Rendered } from './rendered.ts';

const topic = 'orders';
let kafka: Kafka;
let bench: Bench;
let rendered: Rendered;

beforeAll(async () => {
  [bench, kafka] = await Promise.all([Bench.open(), startKafka()]);
  const brokers = kafka.bootstrap.split(',');
  rendered = await bench.render({
    config: { kafka: { brokers }, topics: { include: [topic] }, local: { minFree: '16MiB' } },
    drill: { enabled: true },
    verify: { enabled: true },
    restore: { job: { enabled: true, args: ['--topic', topic], cluster: { brokers } } },
  });
}, 1_800_000);
afterAll(async () => {
  await bench?.[Symbol.asyncDispose]();
  await kafka?.stop();
});

/** The volumes that outlive a pod, and pods that are folders. */
class Node implements AsyncDisposable {
  readonly #folder: string;
  #pods = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(): Promise<Node> {
    const node = new Node(await mkdtemp(join(tmpdir(), 'varve-node-')));
    for (const name of ['key', 'target', 'local']) await mkdir(node.volume(name));
    // What the notes say to make it with.
    const { stdout } = await runCommand('openssl', ['rand', '-base64', '32']);
    await writeFile(join(node.volume('key'), 'key'), stdout);
    return node;
  }

  volume(name: string): string {
    return join(this.#folder, name);
  }

  /** Where a mounted path lies on this machine, in any text. */
  async place({ pod, keepsLocal }: { pod: Pod; keepsLocal: boolean }): Promise<Placed> {
    const folder = join(this.#folder, `pod-${this.#pods++}`);
    await mkdir(join(folder, 'local'), { recursive: true });
    const mounts = (pod.containers[0]?.volumeMounts ?? []).filter(
      ({ name }) => !['config', 'tmp'].includes(name),
    );
    const moved = (text: string): string =>
      mounts.reduce((so, { name, mountPath }) => {
        const inPod = name === 'local' && !keepsLocal;
        return so.replaceAll(mountPath, inPod ? join(folder, name) : this.volume(name));
      }, text);
    const config = moved(rendered.configOf(pod))
      .replace('0.0.0.0', '127.0.0.1')
      .replace('port: 8080', 'port: 0');
    await writeFile(join(folder, 'varve.yaml'), config);
    return { folder, moved };
  }

  /** The init container of the daemon's pod, in the shell. */
  async init(): Promise<CommandEnd & { folder: string }> {
    const pod = rendered.podOf('StatefulSet');
    const { folder, moved } = await this.place({ pod, keepsLocal: true });
    const [init] = pod.initContainers ?? [];
    const bin = join(folder, 'bin');
    await mkdir(bin);
    const started = `#!/bin/sh\nexec '${process.execPath}' '${launcher}' "$@"\n`;
    await writeFile(join(bin, 'varve'), started, { mode: 0o755 });
    const words = [...(init?.command ?? []), ...(init?.args ?? [])].map(moved);
    const path = `PATH=${bin}:${process.env['PATH'] ?? ''}`;
    return { folder, ...(await runCommand('env', ['-C', folder, path, ...words])) };
  }

  /** The daemon's pod from its start: what stands before it, then itself. */
  async daemon(): Promise<Daemon> {
    const { folder, status, stderr } = await this.init();
    expect(status, stderr).toBe(0);
    return Daemon.following({ folder });
  }

  /** A pod that has no local volume. */
  async job(kind: string, end = ''): Promise<CommandEnd> {
    const pod = rendered.podOf(kind, end);
    const { folder, moved } = await this.place({ pod, keepsLocal: false });
    return varve((pod.containers[0]?.args ?? []).map(moved), { cwd: folder });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

interface Placed {
  readonly folder: string;
  readonly moved: (text: string) => string;
}

async function saves(daemon: Daemon, folder: string): Promise<void> {
  const { status, stderr } = await varve(['backup'], { cwd: folder });
  expect(status, stderr).toBe(0);
  await daemon.logged('cycle-ended');
}

test('installed, upgraded, its pod lost, its target away, its volume lost, restored by the Job', async () => {
  const java = await kafka.java();
  const before = await givenRecords(java, { topic, partitions: 2, count: 200 });
  await using node = await Node.start();

  // Installed: helm test finds nothing wrong; the probes have an answer; a snapshot is published.
  const doctor = await node.job('Pod');
  expect(doctor.status, doctor.stdout).toBe(0);
  const pod = rendered.podOf('StatefulSet');
  {
    await using daemon = await node.daemon();
    const { port } = await daemon.logged('listening');
    const [container] = pod.containers;
    for (const probe of [container?.startupProbe, container?.livenessProbe, container?.readinessProbe]) {
      const answer = await fetch(`http://127.0.0.1:${String(port)}${probe?.httpGet.path}`);
      expect(answer.status).toBe(200);
    }
    await saves(daemon, (await node.place({ pod, keepsLocal: true })).folder);

    // Upgraded: the old pod ends by itself, the new one goes on.
    daemon.signal('SIGTERM');
    expect(await daemon.ended()).toMatchObject({ status: 0 });
  }
  {
    await using daemon = await node.daemon();
    // The pod is lost.
    daemon.signal('SIGKILL');
    await daemon.ended();
  }
  // The target is away: what was installed goes on saving.
  await rename(node.volume('target'), node.volume('away'));
  await writeFile(node.volume('target'), 'no folder');
  {
    await using daemon = await node.daemon();
    daemon.signal('SIGTERM');
    await daemon.ended();
  }
  // With the local volume lost as well nothing starts, until the target is back.
  await rm(node.volume('local'), { recursive: true });
  await mkdir(node.volume('local'));
  expect((await node.init()).status).not.toBe(0);
  await rm(node.volume('target'));
  await rename(node.volume('away'), node.volume('target'));
  {
    // A volume of the same name, with nothing on it: it goes on where the newest snapshot ends.
    await using daemon = await node.daemon();
    await saves(daemon, (await node.place({ pod, keepsLocal: true })).folder);
    daemon.signal('SIGTERM');
    expect(await daemon.ended()).toMatchObject({ status: 0 });
  }

  // The topic is lost. The Jobs read the repository, and leave nothing in it but marks.
  expect(await node.job('CronJob', '-verify')).toMatchObject({ status: 0 });
  expect(await node.job('CronJob', '-drill')).toMatchObject({ status: 0 });
  await java.deleteTopic(topic);
  const { status, stdout, stderr } = await node.job('Job');
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/\nRESTORED \S+\n$/);
  expect(await java.consumeLines({ topic })).toEqual(before);
  // Its pod was lost at the very end, and another one comes.
  expect(await node.job('Job')).toMatchObject({ status: 0 });
  expect(await java.consumeLines({ topic })).toEqual(before);
  expect(await readdir(node.volume('target'))).toEqual(['varve']);
});
