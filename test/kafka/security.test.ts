import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JavaClient, type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import {
  connectCluster,
  kafkaError,
  type Cluster,
  type FetchResponse,
  type KafkaSettings,
} from '../../src/kafka/kafka.ts';
import { asking, eventually, failureOf, from, realPorts, settings, topicNamed } from './given.ts';

let kafka: Kafka;
let java: JavaClient;
let folder: string;
let topicId: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-security-'));
  kafka = await startKafka({ tls: true, sasl: true });
  java = await kafka.java();
  await java.createTopic({ topic: 'open', partitions: 1 });
  await java.produce({ topic: 'open', records: [{ partition: 0, value: 'value' }] });
  topicId = (await java.describeTopic('open')).topicId;
});
afterAll(async () => {
  await kafka?.stop();
  await rm(folder, { recursive: true, force: true });
});

type Security = Pick<KafkaSettings, 'ssl' | 'sasl'>;

async function connected(listener: string | undefined, security: Security): Promise<Cluster> {
  if (listener === undefined) throw new Error('the broker has no such listener');
  return connectCluster({ settings: settings(listener, security), ports: realPorts });
}

function files(): { caFile: string; otherCaFile: string; clientCertFile: string; clientKeyFile: string } {
  if (kafka.tls === undefined) throw new Error('the broker has no TLS');
  return kafka.tls;
}

function alice(mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512', password?: string): Security {
  if (kafka.sasl === undefined) throw new Error('the broker has no SASL');
  return { sasl: { mechanism, username: kafka.sasl.username, password: password ?? kafka.sasl.password } };
}

/** All that a connection is for: a question on a shared connection, and records on one of its own. */
async function readsRecords(cluster: Cluster): Promise<void> {
  await using open = cluster;
  expect(topicNamed((await open.metadata()).topics, 'open').topicId).toBe(topicId);
  await using fetcher = await open.fetcher(1);
  const answer = await fetcher.fetch(asking([from(topicId, 0n)]));
  expect(answer.partitions[0]?.records.includes('value')).toBe(true);
  answer.release();
}

function sameRecords(one: FetchResponse, other: FetchResponse): boolean {
  return one.partitions[0]?.records.equals(other.partitions[0]?.records ?? Buffer.alloc(0)) ?? false;
}

describe('TLS', () => {
  test('trusts the brokers of the CA it was given, and reads records', async () => {
    await readsRecords(await connected(kafka.listeners.tls, { ssl: { caFile: files().caFile } }));
  });

  test('shows its client certificate where the listener wants one', async () => {
    const { caFile, clientCertFile: certFile, clientKeyFile: keyFile } = files();

    await readsRecords(await connected(kafka.listeners.mutualTls, { ssl: { caFile, certFile, keyFile } }));
  });

  test('carries SASL', async () => {
    const ssl = { caFile: files().caFile };

    await readsRecords(await connected(kafka.listeners.saslTls, { ...alice('SCRAM-SHA-512'), ssl }));
  });

  test('carries answers of many megabytes whole, and waits for room as plain text does', async () => {
    await java.createTopic({ topic: 'much', partitions: 1 });
    await java.produceLoad({
      topic: 'much',
      records: 10_000,
      size: 1000,
      partitions: 1,
      compression: 'none',
    });
    const { topicId: much } = await java.describeTopic('much');
    const request = asking([from(much, 0n, { maxBytes: 9_000_000 })], { maxBytes: 9_000_000 });
    await using plain = await connected(kafka.bootstrap, {});
    await using open = await plain.fetcher(1);
    const expected = await open.fetch(request);
    await using cluster = await connectCluster({
      settings: settings(kafka.listeners.tls ?? '', { ssl: { caFile: files().caFile } }),
      ports: realPorts,
      frameBytesInFlightMax: 10_000_000,
    });
    await using secret = await cluster.fetcher(1);

    const [first, second] = [secret.fetch(request), secret.fetch(request)];
    const one = await first;
    const equal = [sameRecords(one, expected)];
    one.release();
    const other = await second;
    equal.push(sameRecords(other, expected));
    other.release();

    expect(expected.byteLength).toBeGreaterThan(8_000_000);
    expect(equal).toEqual([true, true]);
    expected.release();
  });

  test('refuses a broker of an unknown CA and says which setting names the right one', async () => {
    const { otherCaFile } = files();

    const withOther = await failureOf(connected(kafka.listeners.tls, { ssl: { caFile: otherCaFile } }));
    const withNone = await failureOf(connected(kafka.listeners.tls, { ssl: {} }));

    expect(withOther).toMatchObject({
      code: 'kafka-refused',
      hint: expect.stringContaining('kafka.ssl.caFile'),
    });
    expect(withNone).toMatchObject({
      code: 'kafka-refused',
      hint: expect.stringContaining('kafka.ssl.caFile'),
    });
    expect(withOther.message).toContain(kafka.listeners.tls);
  });

  test('refuses a broker whose certificate is for another name', async () => {
    const failure = await failureOf(
      connected(kafka.listeners.tls, { ssl: { caFile: files().caFile, serverName: 'elsewhere.example' } }),
    );

    expect(failure).toMatchObject({
      code: 'kafka-refused',
      hint: expect.stringContaining('kafka.ssl.serverName'),
    });
  });

  test('without the client certificate that the listener wants is refused, and the hint says so', async () => {
    const failure = await failureOf(
      connected(kafka.listeners.mutualTls, { ssl: { caFile: files().caFile } }),
    );

    expect(failure).toMatchObject({
      code: 'kafka-refused',
      hint: expect.stringContaining('kafka.ssl.certFile'),
    });
  });

  test('reads its files again for each connection', async () => {
    const caFile = join(folder, 'rotating-ca.pem');
    await copyFile(files().caFile, caFile);
    await using cluster = await connected(kafka.listeners.tls, { ssl: { caFile } });

    await copyFile(files().otherCaFile, caFile);
    const refused = await failureOf(cluster.fetcher(1));
    await rm(caFile);
    const gone = await failureOf(cluster.fetcher(1));
    await writeFile(caFile, 'not a certificate');
    await copyFile(files().caFile, caFile);
    await using fetcher = await cluster.fetcher(1);

    expect(refused.code).toBe('kafka-refused');
    expect(gone).toMatchObject({ code: 'config', retryable: true });
    expect(gone.message).toContain(caFile);
    expect(fetcher.brokerId).toBe(1);
  });

  test('on a plain-text port is told apart from a broker that is down', async () => {
    const failure = await failureOf(
      connected(kafka.listeners.plaintext, { ssl: { caFile: files().caFile } }),
    );

    expect(failure.code).toBe('kafka-unreachable');
    expect(failure.hint).toContain('kafka.ssl.enabled');
  });

  test('missing on a TLS port is told apart from a broker that is down', async () => {
    const failure = await failureOf(connected(kafka.listeners.tls, {}));

    expect(failure.code).toBe('kafka-unreachable');
    expect(failure.hint).toContain('kafka.ssl.enabled');
  });
});

describe('SASL', () => {
  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)(
    '%s opens the listener',
    async (mechanism) => {
      await readsRecords(await connected(kafka.listeners.saslPlain, alice(mechanism)));
    },
  );

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)(
    '%s with a wrong password is refused, and the error does not hold the password',
    async (mechanism) => {
      const failure = await failureOf(
        connected(kafka.listeners.saslPlain, alice(mechanism, 'not-the-secret')),
      );

      expect(failure).toMatchObject({
        code: 'kafka-refused',
        hint: expect.stringContaining('kafka.sasl.username'),
      });
      expect(JSON.stringify([failure.message, failure.hint, String(failure.cause)])).not.toContain(
        'not-the-secret',
      );
    },
  );

  test('takes the password from a file, without its line end, and reads it again for each connection', async () => {
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, `${kafka.sasl?.password}\n`);
    const sasl = { mechanism: 'PLAIN', username: kafka.sasl?.username ?? '', passwordFile } as const;
    await using cluster = await connected(kafka.listeners.saslPlain, { sasl });

    await writeFile(passwordFile, 'changed');

    expect((await failureOf(cluster.fetcher(1))).code).toBe('kafka-refused');
  });

  test('on a listener without it is refused, and the hint says so', async () => {
    const failure = await failureOf(connected(kafka.listeners.plaintext, alice('PLAIN')));

    expect(failure).toMatchObject({ code: 'kafka-refused', hint: expect.stringContaining('kafka.sasl') });
  });

  test('missing where the listener wants it is suspected when the broker hangs up', async () => {
    const failure = await failureOf(connected(kafka.listeners.saslPlain, {}));

    expect(failure.hint).toContain('kafka.sasl');
  });
});

test('a topic that may not be read has an error of its own, and the others are read', async () => {
  await java.createTopic({ topic: 'secret', partitions: 1 });
  const { topicId: secretId } = await java.describeTopic('secret');
  await using cluster = await connected(kafka.listeners.saslPlain, alice('PLAIN'));
  const denied = { topic: 'secret', username: 'alice', permission: 'DENY' } as const;

  await java.setAcl({ ...denied, operation: 'READ' });
  await using fetcher = await cluster.fetcher(1);
  const answer = await eventually(async () => fetcher.fetch(asking([from(secretId, 0n), from(topicId, 0n)])));
  await java.setAcl({ ...denied, operation: 'DESCRIBE' });
  const { topics } = await cluster.metadata({ topics: ['secret', 'open'] });

  const answers = new Map(answer.partitions.map((row) => [row.topicId, row]));
  expect(kafkaError(answers.get(secretId)?.errorCode ?? 0).name).toBe('TOPIC_AUTHORIZATION_FAILED');
  expect(answers.get(topicId)?.records.includes('value')).toBe(true);
  expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual(
    expect.arrayContaining([
      ['secret', 29],
      ['open', 0],
    ]),
  );
  answer.release();
});

test('a session that the broker limits is left for a fresh one before it ends, on both kinds of connection', async () => {
  await using limited = await startKafka({
    sasl: true,
    properties: { 'connections.max.reauth.ms': '600000' },
  });
  const limitedJava = await limited.java();
  await limitedJava.createTopic({ topic: 'open', partitions: 1 });
  const { topicId: id } = await limitedJava.describeTopic('open');
  const passwordFile = join(folder, 'session-password');
  await writeFile(passwordFile, limited.sasl?.password ?? '');
  let aheadMs = 0;
  let connections = 0;
  const ports = {
    ...realPorts,
    nowMs: () => Date.now() + aheadMs,
    readFile: async (path: string) => {
      connections += 1;
      return realPorts.readFile(path);
    },
  };
  const sasl = { mechanism: 'SCRAM-SHA-256', username: 'alice', passwordFile } as const;
  await using cluster = await connectCluster({
    settings: settings(limited.listeners.saslPlain ?? '', { sasl }),
    ports,
  });
  await using fetcher = await cluster.fetcher(1);
  const use = async (): Promise<number> => {
    await cluster.metadata();
    (await fetcher.fetch(asking([from(id, 0n)]))).release();
    return connections;
  };

  const atFirst = await use();
  aheadMs = 0.7 * 600_000;
  const later = await use();
  aheadMs = 0.81 * 600_000;
  const renewed = await use();

  expect([atFirst, later, renewed]).toEqual([2, 2, 4]);
});
