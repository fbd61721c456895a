import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect, type ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Kafka, type KafkaBroker, startKafka } from '../../scripts/kafka/kafka.ts';

const door = new URL('../../scripts/kafka/kafka.ts', import.meta.url).href;

describe('one broker with TLS and SASL', () => {
  let kafka: Kafka;
  beforeAll(async () => {
    kafka = await startKafka({ tls: true, sasl: true });
  });
  afterAll(() => kafka.stop());

  test('records come back exactly as they were produced, in the shape of varve cat', async () => {
    const java = await kafka.java();
    await java.createTopic({
      topic: 'exact',
      partitions: 2,
      configs: { 'message.timestamp.after.max.ms': String(2n ** 63n - 1n) },
    });
    const offsets = await java.produce({
      topic: 'exact',
      compression: 'zstd',
      records: [
        {
          partition: 1,
          key: 'k',
          value: Buffer.from([0, 255]),
          timestamp: 2n ** 62n,
          headers: [
            ['h', null],
            ['h', 'x'],
            ['"\n\u0001', ''],
          ],
        },
        { partition: 0, key: '', value: '', timestamp: 7 },
        { partition: 1, key: null, value: null, timestamp: -1 },
      ],
    });
    expect(offsets).toEqual([
      { partition: 1, offset: 0n },
      { partition: 0, offset: 0n },
      { partition: 1, offset: 1n },
    ]);
    expect(await java.consumeLines({ topic: 'exact' })).toEqual([
      '{"topic":"exact","partition":0,"offset":0,"timestamp":7,"timestampType":"CreateTime","key":"","value":"","headers":[]}',
      '{"topic":"exact","partition":1,"offset":0,"timestamp":4611686018427387904,"timestampType":"CreateTime","key":"aw==","value":"AP8=","headers":[["h",null],["h","eA=="],["\\"\\n\\u0001",""]]}',
      '{"topic":"exact","partition":1,"offset":1,"timestamp":-1,"timestampType":"CreateTime","key":null,"value":null,"headers":[]}',
    ]);
    const [, row] = await java.consume({ topic: 'exact' });
    expect(row).toMatchObject({ partition: 1, offset: 0n, timestamp: 2n ** 62n });
    const file = join(dirname(kafka.brokers[0]?.logDir ?? ''), 'rows.jsonl');
    expect(await java.consumeToFile({ topic: 'exact', file })).toEqual({ records: 3 });
    const lines = await java.consumeLines({ topic: 'exact' });
    expect(await readFile(file, 'utf8')).toBe(lines.map((line) => `${line}\n`).join(''));
  });

  test('of interleaved transactions a committed reader sees the committed one, and an open one holds its tail', async () => {
    const java = await kafka.java();
    await java.createTopic({ topic: 'tx' });
    for (const transactionalId of ['a', 'b']) await java.beginTransaction({ transactionalId });
    for (const transactionalId of ['a', 'b', 'a']) {
      await java.produce({ topic: 'tx', transactionalId, records: [{ value: transactionalId }] });
    }
    expect(await java.listOffsets('tx')).toEqual([{ partition: 0, earliest: 0n, latest: 3n, stable: 0n }]);
    await java.abortTransaction('b');
    await java.commitTransaction('a');
    expect(await java.listOffsets('tx')).toMatchObject([{ latest: 5n, stable: 5n }]);
    const committed = await java.consume({ topic: 'tx' });
    expect(committed.map(({ offset, value }) => [offset, value])).toEqual([
      [0n, 'YQ=='],
      [2n, 'YQ=='],
    ]);
    expect(await java.consume({ topic: 'tx', isolation: 'read_uncommitted' })).toHaveLength(3);
  });

  test('the same seed makes the same load', async () => {
    const java = await kafka.java();
    const load = { records: 1_000, size: 100, partitions: 2, keyed: true, seed: 5, timestamp: 1 };
    const seen: string[][] = [];
    for (const topic of ['load-1', 'load-2']) {
      await java.createTopic({ topic, partitions: 2 });
      await java.produceLoad({ topic, ...load });
      seen.push((await java.consumeLines({ topic })).map((line) => line.replace(topic, '')));
    }
    expect(seen[0]).toHaveLength(1_000);
    expect(seen[0]).toEqual(seen[1]);
  });

  test('group offsets, deleted records, configs and a deleted topic are what the cluster answers', async () => {
    const java = await kafka.java();
    const { topicId } = await java.createTopic({ topic: 'admin' });
    expect(topicId).toMatch(/^[\w-]{22}$/);
    await java.produceLoad({ topic: 'admin', records: 10, size: 10 });
    await java.commitOffsets({
      group: 'g',
      offsets: [{ topic: 'admin', partition: 0, offset: 5n, metadata: 'm' }],
    });
    expect(await java.listGroupOffsets('g')).toEqual([
      { topic: 'admin', partition: 0, offset: 5n, metadata: 'm', leaderEpoch: -1 },
    ]);
    expect(await java.deleteRecords({ topic: 'admin', partition: 0, before: 4n })).toEqual({ logStart: 4n });
    expect(await java.consume({ topic: 'admin' })).toHaveLength(6);
    await java.alterConfigs({ topic: 'admin', configs: { 'retention.ms': '1000000' } });
    expect(await java.describeConfigs('admin')).toEqual({ 'retention.ms': '1000000' });
    expect((await java.createPartitions({ topic: 'admin', count: 3 })).partitions).toHaveLength(3);
    await java.deleteTopic('admin');
    await expect(java.describeTopic('admin')).rejects.toThrow(/^org\.apache\.kafka.*UnknownTopicOrPartition/);
    expect((await java.createTopic({ topic: 'admin' })).topicId).not.toBe(topicId);
  });

  test('the TLS listener shows a certificate of its authority, the mutual one wants ours', async () => {
    const files = kafka.tls;
    if (files === undefined) throw new Error('no TLS files');
    const [ca, otherCa, cert, key] = await Promise.all(
      [files.caFile, files.otherCaFile, files.clientCertFile, files.clientKeyFile].map((file) =>
        readFile(file),
      ),
    );
    await expect(answers(kafka.listeners.tls, { ca })).resolves.toBe(true);
    await expect(answers(kafka.listeners.tls, { ca: otherCa })).rejects.toThrow(/certificate/);
    await expect(answers(kafka.listeners.mutualTls, { ca })).rejects.toThrow();
    await expect(answers(kafka.listeners.mutualTls, { ca, cert, key })).resolves.toBe(true);
  });

  test('the SASL listeners know their user by three mechanisms, and an ACL hides a topic from it', async () => {
    const java = await kafka.java();
    const { listeners, sasl } = kafka;
    if (sasl === undefined) throw new Error('no SASL user');
    await java.createTopic({ topic: 'secret' });
    const plain = await listTopics(kafka, { bootstrap: listeners.saslPlain, mechanism: 'PLAIN', ...sasl });
    expect(plain).toMatchObject({ status: 0, stdout: expect.stringContaining('secret') });
    const acl = { topic: 'secret', username: sasl.username, permission: 'DENY' } as const;
    await java.setAcl(acl);
    const login = { mechanism: 'SCRAM-SHA-512', ...sasl };
    const denied = await listTopics(kafka, { bootstrap: listeners.saslTls, ...login });
    expect(denied).toMatchObject({ status: 0, stdout: expect.not.stringContaining('secret') });
    await java.removeAcl(acl);
    const again = await listTopics(kafka, {
      bootstrap: listeners.saslPlain,
      ...login,
      mechanism: 'SCRAM-SHA-256',
    });
    expect(again).toMatchObject({ status: 0, stdout: expect.stringContaining('secret') });
    const wrong = await listTopics(kafka, { bootstrap: listeners.saslPlain, ...login, password: 'wrong' });
    expect(wrong.status).not.toBe(0);
    expect(`${wrong.stdout}${wrong.stderr}`).toContain('Authentication failed');
  });

  test('a broker that was killed starts again with its data, at the same address', async () => {
    const java = await kafka.java();
    await java.createTopic({ topic: 'kept' });
    await java.produce({ topic: 'kept', records: [{ value: 'before' }] });
    const broker = onlyBroker(kafka);
    const { pid } = broker;
    await broker.kill();
    expect(isAlive(pid)).toBe(false);
    expect(broker.pid).toBe(0);
    await broker.start();
    await java.produce({ topic: 'kept', records: [{ value: 'after' }] });
    expect((await java.consume({ topic: 'kept' })).map(({ value }) => value)).toEqual([
      'YmVmb3Jl',
      'YWZ0ZXI=',
    ]);
  });

  test('a suspended broker answers only when it is resumed', async () => {
    const java = await kafka.java();
    const broker = onlyBroker(kafka);
    broker.suspend();
    await expect.poll(() => processState(broker.pid)).toBe('T');
    let answered = false;
    const answer = java.listOffsets('kept').then(() => (answered = true));
    await new Promise(setImmediate);
    expect(answered).toBe(false);
    broker.resume();
    await expect(answer).resolves.toBe(true);
  });
});

describe('when the owner is killed', () => {
  test.each([
    ['a running broker and its data go with it', ''],
    ['a suspended broker goes with it too', 'kafka.brokers[0].suspend();'],
  ])('%s', async (_, extra) => {
    const script = `
      import { dirname } from 'node:path';
      import { startKafka } from ${JSON.stringify(door)};
      const kafka = await startKafka();
      const { pid, logDir } = kafka.brokers[0];
      ${extra}
      console.log(JSON.stringify({ pid, folder: dirname(logDir) }));
    `;
    const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface({ input: owner.stdout }), 'line');
    const { pid, folder }: { pid: number; folder: string } = JSON.parse(String(line));
    expect(isAlive(pid)).toBe(true);
    expect(existsSync(folder)).toBe(true);
    const exited = once(owner, 'exit');
    owner.kill('SIGKILL');
    await exited;
    await expect.poll(() => isAlive(pid)).toBe(false);
    await expect.poll(() => existsSync(folder)).toBe(false);
  });
});

test('three brokers keep three copies, and a partition is led by the one that is asked for', async () => {
  await using kafka = await startKafka({ brokers: 3 });
  const java = await kafka.java();
  const created = await java.createTopic({ topic: 'replicated', replicationFactor: 3 });
  expect(created.partitions[0]?.inSync.toSorted()).toEqual([1, 2, 3]);
  const leader = created.partitions[0]?.leader === 2 ? 3 : 2;
  const moved = await java.moveLeader({ topic: 'replicated', partition: 0, broker: leader });
  expect(moved.partitions[0]?.leader).toBe(leader);
  await kafka.brokers.find(({ id }) => id === leader)?.kill();
  await java.produce({ topic: 'replicated', records: [{ value: 'x' }] });
  expect(await java.consume({ topic: 'replicated' })).toHaveLength(1);
});

test('a broker that cannot start says why, with the end of its log', async () => {
  const refused = startKafka({ properties: { 'message.max.bytes': 'many' } });
  await expect(refused).rejects.toThrow(/ended while it started:[^]*message\.max\.bytes/);
});

function onlyBroker(kafka: Kafka): KafkaBroker {
  const [broker] = kafka.brokers;
  if (broker === undefined) throw new Error('no broker');
  return broker;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** T is a stopped process. */
async function processState(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2)[0];
}

/** Whether an ApiVersions request is answered: with TLS 1.3 a refused client certificate shows only after the handshake. */
async function answers(listener: string | undefined, options: ConnectionOptions): Promise<boolean> {
  const [host, port] = (listener ?? '').split(':');
  const socket = connect({ ...options, host, port: Number(port) });
  try {
    await once(socket, 'secureConnect');
    socket.write(Buffer.from('0000000a0012000000000001ffff', 'hex'));
    const closed = once(socket, 'close').then(() => {
      throw new Error('closed without an answer');
    });
    const [data]: unknown[] = await Promise.race([once(socket, 'data'), closed]);
    return Buffer.isBuffer(data);
  } finally {
    socket.destroy();
  }
}

async function listTopics(
  kafka: Kafka,
  login: { bootstrap: string | undefined; mechanism: string; username: string; password: string },
): ReturnType<Kafka['runTool']> {
  const overTls = login.bootstrap === kafka.listeners.saslTls;
  const module = login.mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule';
  const file = join(dirname(onlyBroker(kafka).logDir), 'client.properties');
  const user = `username="${login.username}" password="${login.password}"`;
  await writeFile(
    file,
    [
      `security.protocol=${overTls ? 'SASL_SSL' : 'SASL_PLAINTEXT'}`,
      `sasl.mechanism=${login.mechanism}`,
      `sasl.jaas.config=org.apache.kafka.common.security.${module} required ${user};`,
      'ssl.truststore.type=PEM',
      `ssl.truststore.location=${kafka.tls?.caFile ?? ''}`,
    ].join('\n'),
  );
  return kafka.runTool('org.apache.kafka.tools.TopicCommand', [
    '--bootstrap-server',
    login.bootstrap ?? '',
    '--command-config',
    file,
    '--list',
  ]);
}
