import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKafka, type Kafka } from '../../scripts/kafka/kafka.ts';
import { systemHost, type Disk } from '../../src/host/host.ts';
import { LocalFolder } from '../../src/local/local.ts';
import { here } from './on-disk.ts';

interface Found {
  readonly level: string;
  readonly what: string;
  readonly detail: string;
  readonly code: string | null;
  readonly hint: string | null;
}

function of(stdout: string, what: string): Found[] {
  const found: Found[] = JSON.parse(stdout).findings;
  return found.filter((finding) => finding.what === what);
}

describe('without a broker', () => {
  test('what can be probed is probed, and each broker named with its own cause', async () => {
    await using at = await here();
    const { status, stdout } = await at.run(['doctor', '--set', 'kafka.brokers=127.0.0.1:1,127.0.0.1:2']);

    expect(status).toBe(17);
    expect(stdout).toMatch(/^ok {3}disk: writable; a write and its sync took \d+ ms$/m);
    expect(stdout).toMatch(/^ok {3}disk: hard links and sockets work$/m);
    expect(stdout).toMatch(/^fail kafka: .*127\.0\.0\.1:1 .*refused.*127\.0\.0\.1:2 .*refused/m);
    expect(stdout).toMatch(/^ {5}hint: /m);
    expect(stdout).toMatch(/\nnot able: kafka\n$/);
  });

  test('probes leave nothing behind, and make no folder', async () => {
    await using at = await here();
    const missing = await at.run(['doctor', '--set', `local.dir=${at.folder}/a/b`]);
    await at.run(['doctor']);

    expect(missing.stdout).toContain(
      `${at.folder}/a/b is not there yet: the first run makes it in ${at.folder}`,
    );
    expect(await readdir(at.folder)).toEqual([]);
  });

  test('a folder that is a file ends with 13, which is graver than an unreachable cluster', async () => {
    await using at = await here();
    await writeFile(join(at.folder, 'file'), '');
    const { status, stdout } = await at.run(['doctor', '--set', `local.dir=${at.folder}/file`]);

    expect(status).toBe(13);
    expect(stdout).toMatch(/^fail local folder: .*ENOTDIR/m);
    expect(stdout).toContain('hint: local.dir must be a folder that this user may write in');
  });

  test.each(['open', 'link', 'syncFolder'] as const)('a disk that refuses %s is found', async (call) => {
    await using at = await here();
    const refuse = async () => {
      throw Object.assign(new Error(`EPERM: ${call} is not permitted`), { code: 'EPERM' });
    };
    const disk: Disk = Object.create(systemHost.disk, { [call]: { value: refuse } });
    const { status, stdout } = await at.run(['doctor', '--json'], { host: { ...systemHost, disk } });

    expect(status).toBe(13);
    expect(of(stdout, 'disk').at(-1)).toMatchObject({ level: 'fail', code: 'target-unusable' });
    expect(await readdir(at.folder)).toEqual([]);
  });

  test('too little room ends with 14', async () => {
    await using at = await here();
    const disk: Disk = Object.create(systemHost.disk, { freeBytes: { value: async () => 5 } });

    expect((await at.run(['doctor'], { host: { ...systemHost, disk } })).status).toBe(14);
  });

  test('who holds the folder is told, and whose it is', async () => {
    await using at = await here();
    const folder = await LocalFolder.open(systemHost, at.folder, {
      instance: 'main',
      serve: async (_request, reply) => reply({ process: 4711 }),
    });
    const held = await at.run(['doctor', '--json']);
    await folder[Symbol.asyncDispose]();
    const free = await at.run(['doctor', '--json']);
    const foreign = await at.run(['doctor', '--json', '--set', 'instance=second']);

    expect(of(held.stdout, 'lock')[0]?.detail).toContain('process 4711 holds the local folder');
    expect(of(free.stdout, 'lock')[0]?.detail).toBe('no process holds the local folder');
    expect(of(free.stdout, 'local folder')[0]?.detail).toContain(folder.identity.installation);
    expect(foreign.status).toBe(11);
  });
});

describe('with a broker', () => {
  let kafka: Kafka;
  beforeAll(async () => {
    kafka = await startKafka({ sasl: true });
    const java = await kafka.java();
    await java.createTopic({ topic: 'orders', partitions: 3 });
    await java.createTopic({ topic: 'secret', partitions: 1 });
    await java.createTopic({ topic: 'hidden', partitions: 1 });
  });
  afterAll(() => kafka.stop());

  const brokers = () => ['--json', '--set', `kafka.brokers=${kafka.bootstrap}`];
  const asAlice = (folder: string, password: string) => ({
    env: {
      VARVE_LOCAL_DIR: folder,
      VARVE_KAFKA_BROKERS: kafka.listeners.saslPlain ?? '',
      VARVE_KAFKA_SASL_MECHANISM: 'PLAIN',
      VARVE_KAFKA_SASL_USERNAME: 'alice',
      VARVE_KAFKA_SASL_PASSWORD: password,
    },
  });

  test('a target that can do the work is found able, and all is told', async () => {
    await using at = await here();
    const { status, stdout } = await at.run(['doctor', ...brokers()]);

    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ schema: 'varve.doctor/1', able: true });
    expect(of(stdout, 'kafka')).toMatchObject([{ detail: `cluster ${kafka.clusterId} with 1 broker` }]);
    expect(of(stdout, 'broker')).toMatchObject([
      { level: 'ok', detail: `1 at ${kafka.bootstrap} answers, and is new enough` },
    ]);
    expect(of(stdout, 'topics')[0]?.detail).toMatch(/^3 topics with 5 partitions of the \d+ that/);
    expect(of(stdout, 'reading')).toMatchObject([{ level: 'ok', detail: '3 topics may be read' }]);
    expect(of(stdout, 'group')[0]?.detail).toContain('varve-varve may be used');
  });

  test('a name that matches nothing ends with 3, a glob only warns, and no topic is created', async () => {
    await using at = await here();
    const { status, stdout } = await at.run([
      'doctor',
      ...brokers(),
      '--set',
      'topics.include=orders,ordrs,x-*',
    ]);
    const topics = await (await kafka.java()).describeTopic('ordrs').catch(() => undefined);

    expect(status).toBe(3);
    expect(of(stdout, 'topics')).toMatchObject([
      { level: 'ok', detail: expect.stringContaining('1 topic with 3 partitions') },
      { level: 'fail', code: 'incomplete', detail: 'the cluster has no ordrs' },
      { level: 'warn', detail: 'nothing matches x-*' },
    ]);
    expect(topics).toBeUndefined();
  });

  test('topics that may not be read are named, hidden ones too where they are asked for by name', async () => {
    await using at = await here();
    const java = await kafka.java();
    const may = { username: 'alice', permission: 'ALLOW', operation: 'DESCRIBE' } as const;
    const mayNot = { username: 'alice', permission: 'DENY' } as const;
    const argv = ['doctor', '--json', '--set', 'topics.include=orders,secret,hidden'];
    const before = await at.run(argv, asAlice(at.folder, kafka.sasl?.password ?? ''));
    await java.setAcl({ topic: 'secret', ...may });
    await java.setAcl({ topic: 'hidden', ...mayNot });
    const { status, stdout } = await at.run(argv, asAlice(at.folder, kafka.sasl?.password ?? ''));

    expect(before.status).toBe(0);
    expect(status).toBe(17);
    expect(of(stdout, 'topics').filter(({ level }) => level === 'fail')).toMatchObject([
      { code: 'kafka-refused', detail: 'this user may not read hidden' },
    ]);
    expect(of(stdout, 'reading')).toMatchObject([
      { code: 'kafka-refused', detail: 'this user may not read secret' },
    ]);
  });

  test('wrong credentials end with 17 and show no password', async () => {
    await using at = await here();
    const { status, stdout, stderr } = await at.run(['doctor', '--json'], asAlice(at.folder, 'wr0ng'));

    expect(status).toBe(17);
    expect(of(stdout, 'kafka')).toMatchObject([
      { level: 'fail', code: 'kafka-refused', hint: expect.any(String) },
    ]);
    expect(stdout + stderr).not.toContain('wr0ng');
  });

  test('a local folder of another cluster is found', async () => {
    await using at = await here();
    const folder = await LocalFolder.open(systemHost, at.folder, { instance: 'main', serve: async () => {} });
    await folder.bindCluster('another');
    await folder[Symbol.asyncDispose]();
    await mkdir(join(at.folder, 'topics'), { recursive: true });
    const { status, stdout } = await at.run(['doctor', ...brokers()]);

    expect(status).toBe(17);
    expect(of(stdout, 'kafka')[0]).toMatchObject({
      code: 'wrong-cluster',
      detail: `the local folder belongs to another cluster: expected another, got ${kafka.clusterId}`,
    });
  });
});
