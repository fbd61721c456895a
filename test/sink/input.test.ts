import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup } from './backup.ts';
import { configure } from './processes.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka({ tls: true, sasl: true });
  const java = await kafka.java();
  await java.createTopic({ topic: 'there' });
  await java.produce({ topic: 'there', records: [{ value: 'here I am' }] });
});
afterAll(() => kafka.stop());

/** Ports of this machine where nobody listens any more. */
async function deadAddresses(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map(async (server) => once(server, 'listening')));
  const addresses = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : '';
  });
  await Promise.all(
    servers.map(async (server) => {
      server.close();
      await once(server, 'close');
    }),
  );
  return addresses;
}

test('unreachable brokers end a command with 17 within 10 seconds, each named', async () => {
  await using backup = await Backup.of(kafka, { include: ['there'] });
  const brokers = await deadAddresses(3);
  await configure(backup, { kafka: { brokers } });
  for (const words of [['backup', '--no-snapshot'], ['run']]) {
    const beganMs = performance.now();
    const { status, stderr } = await backup.run(...words);
    expect(performance.now() - beganMs).toBeLessThan(10_000);
    expect(status).toBe(17);
    for (const broker of brokers) expect(stderr).toContain(broker);
    expect(stderr).toContain('hint:');
  }
});

test('a broker that takes connections and never answers is unreachable too, within 10 seconds', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await using backup = await Backup.of(kafka, { include: ['there'] });
  await configure(backup, { kafka: { brokers: [`127.0.0.1:${port}`] } });
  try {
    const beganMs = performance.now();
    const { status, stderr } = await backup.run('backup', '--no-snapshot');
    expect(performance.now() - beganMs).toBeLessThan(10_000);
    expect(status).toBe(17);
    expect(stderr).toContain(`127.0.0.1:${port}`);
    expect(stderr).toContain('hint:');
  } finally {
    silent.close();
  }
});

test('wrong credentials are refused with 17 and a hint, and never printed', async () => {
  await using backup = await Backup.of(kafka, { include: ['there'] });
  const passwordFile = join(backup.folder, 'password');
  await writeFile(passwordFile, 'not-the-password');
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    const sasl = { mechanism, username: 'alice', passwordFile };
    await configure(backup, { kafka: { brokers: [kafka.listeners.saslPlain], sasl } });
    const { status, stderr } = await backup.run('backup', '--no-snapshot');
    expect(status).toBe(17);
    expect(stderr).toContain(`refused us: the credentials were not accepted (${mechanism})`);
    expect(stderr).toMatch(/hint:.*kafka\.sasl\.username/);
    expect(stderr).not.toContain('not-the-password');
  }
});

test('a certificate of an unknown authority is refused with 17, and the hint names the option', async () => {
  await using backup = await Backup.of(kafka, { include: ['there'] });
  const brokers = [kafka.listeners.tls];
  await configure(backup, { kafka: { brokers, ssl: { enabled: true, caFile: kafka.tls?.otherCaFile } } });
  const foreign = await backup.run('backup', '--no-snapshot');
  expect(foreign).toMatchObject({ status: 17 });
  expect(foreign.stderr).toMatch(/hint:.*caFile/);
  await configure(backup, { kafka: { ssl: { enabled: true, caFile: kafka.tls?.caFile } } });
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 1 });
});

test('a topic that is named and does not exist ends a backup with 3; the others are saved', async () => {
  await using backup = await Backup.of(kafka, { include: ['there', 'nowhere', 'pattern-*'] });
  const summary = await backup.catchUp();
  expect(summary).toMatchObject({ status: 3, records: 1 });
  expect(summary.missing).toMatchObject([{ topic: 'nowhere' }]);
  const printed = await backup.run('backup', '--no-snapshot');
  expect(printed.stdout).toContain('not saved: nowhere: the cluster has no such topic');
  expect(await backup.expectExact('there')).toBe(1);
});

test('a folder that cannot be written is refused with 13 and a hint', async () => {
  await using backup = await Backup.of(kafka, { include: ['there'] });
  // The tests may run as root, whom modes do not stop: a file where the folder should be stops everybody.
  await writeFile(join(backup.folder, 'file'), '');
  await mkdir(join(backup.folder, 'closed'));
  await chmod(join(backup.folder, 'closed'), 0o555);
  const dirs = ['file/local', '/proc/varve'];
  if (process.getuid?.() !== 0) dirs.push('closed/local');
  for (const dir of dirs) {
    await configure(backup, { local: { dir } });
    for (const words of [['backup', '--no-snapshot'], ['run']]) {
      const { status, stderr } = await backup.run(...words);
      expect({ dir, status, stderr }).toMatchObject({ status: 13 });
      expect(stderr).toContain(dir);
      expect(stderr).toMatch(/hint:.*local\.dir/);
    }
  }
});

test('three mistakes in a configuration are all told, with 2 and a hint', async () => {
  await using backup = await Backup.of(kafka, { include: ['there'] });
  await configure(backup, {
    kafka: { brokers: ['no-port'] },
    local: { segmentBytes: '300 parsecs' },
    topics: { inclde: ['there'] },
  });
  for (const words of [['backup', '--no-snapshot'], ['run'], ['config', 'validate']]) {
    const { status, stderr } = await backup.run(...words);
    expect(status).toBe(2);
    for (const path of ['kafka.brokers', 'local.segmentBytes', 'topics.inclde'])
      expect(stderr).toContain(path);
    expect(stderr).toContain('include');
    expect(stderr).toContain('hint:');
  }
});
