import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKafka, type Kafka } from '../../scripts/kafka/kafka.ts';
import { loadConfig, type Config } from '../../src/config/config.ts';
import { kafkaPorts, kafkaSettings } from '../../src/daemon/daemon.ts';
import { tokenSource } from '../../src/daemon/tokens.ts';
import { systemHost, type Host } from '../../src/host/host.ts';
import { connectCluster, type Cluster } from '../../src/kafka/kafka.ts';
import { failureOf } from '../kafka/given.ts';
import { until } from '../sink/processes.ts';

let kafka: Kafka;
let folder: string;
let endpoint: Endpoint;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-tokens-'));
  endpoint = await Endpoint.start();
  kafka = await startKafka({ oauth: true });
});
afterAll(async () => {
  await kafka.stop();
  await endpoint.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A JSON Web Signature without one, as the broker's unsecured check takes it. */
function tokenFor(subject: string, lifeSeconds = 3600): string {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const claims = { sub: subject, iat: nowSeconds - 10, exp: nowSeconds + lifeSeconds };
  return `${partOf({ alg: 'none' })}.${partOf(claims)}.`;
}

function partOf(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Gives tokens for client credentials, and says what it was asked. */
class Endpoint {
  readonly asked: { authorization: string | undefined; body: string }[] = [];
  answer: { status: number; body: unknown } = { status: 200, body: {} };
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#note(request).then(() => {
        response.writeHead(this.answer.status, { 'content-type': 'application/json' });
        response.end(
          typeof this.answer.body === 'string' ? this.answer.body : JSON.stringify(this.answer.body),
        );
      });
    });
  }

  static async start(): Promise<Endpoint> {
    const started = new Endpoint();
    started.#server.listen(0, '127.0.0.1');
    await once(started.#server, 'listening');
    return started;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/token`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #note(request: IncomingMessage): Promise<void> {
    this.asked.push({ authorization: request.headers.authorization, body: await text(request) });
  }
}

async function configured(sasl: object): Promise<Config> {
  const { listeners } = kafka;
  const tree = { kafka: { brokers: [listeners.oauth], sasl: { mechanism: 'OAUTHBEARER', ...sasl } } };
  const { config } = await loadConfig(
    { file: 'varve.yaml', overrides: [], needs: [] },
    { env: {}, cwd: folder, readText: async () => JSON.stringify(tree) },
  );
  return config;
}

async function connected(sasl: object, host: Host = systemHost): Promise<Cluster> {
  const settings = kafkaSettings((await configured(sasl)).kafka, host);
  return await connectCluster({ settings, ports: kafkaPorts(host) });
}

async function withOauth(more: object = {}): Promise<object> {
  const clientSecretFile = join(folder, 'client-secret');
  await writeFile(clientSecretFile, 's3cret: with/odd&signs\n');
  return { oauth: { tokenEndpoint: endpoint.url, clientId: 'varve', clientSecretFile, ...more } };
}

describe('OAUTHBEARER', () => {
  test('with what a command prints; each connection asks anew', async () => {
    const command = join(folder, 'token.sh');
    await writeFile(command, `#!/bin/sh\necho run >> ${folder}/runs\necho ${tokenFor('alice')}\n`);
    await chmod(command, 0o700);
    await using cluster = await connected({ tokenCommand: command });
    expect((await cluster.metadata()).brokers).toHaveLength(1);
    await (await cluster.fetcher(1))[Symbol.asyncDispose]();
    expect((await systemHost.disk.readFile(join(folder, 'runs')))?.toString()).toBe('run\nrun\n');
  });

  test('with client credentials: one token for all connections until it has lived for most of its life', async () => {
    endpoint.answer = { status: 200, body: { access_token: tokenFor('alice'), expires_in: 1000 } };
    endpoint.asked.length = 0;
    let aheadMs = 0;
    const { clock } = systemHost;
    const host = {
      ...systemHost,
      clock: { nowMs: () => clock.nowMs() + aheadMs, after: clock.after.bind(clock) },
    };
    await using cluster = await connected(await withOauth({ scope: 'kafka backup' }), host);
    await using first = await cluster.fetcher(1);
    expect(endpoint.asked).toEqual([
      {
        authorization: `Basic ${Buffer.from('varve:s3cret%3A%20with%2Fodd%26signs').toString('base64')}`,
        body: 'grant_type=client_credentials&scope=kafka+backup',
      },
    ]);
    aheadMs = 810_000;
    await using second = await cluster.fetcher(1);
    expect(endpoint.asked).toHaveLength(2);
    expect(first).not.toBe(second);
  });

  test('a token that the broker refuses is told as that, and is not used again', async () => {
    endpoint.answer = { status: 200, body: { access_token: tokenFor('alice', -5), expires_in: 1000 } };
    const settings = kafkaSettings((await configured(await withOauth())).kafka, systemHost);
    const ports = kafkaPorts(systemHost);
    const failure = await failureOf(connectCluster({ settings, ports }));
    expect(failure).toMatchObject({ code: 'kafka-refused', hint: expect.stringContaining('token') });
    endpoint.answer = { status: 200, body: { access_token: tokenFor('alice'), expires_in: 1000 } };
    await using cluster = await connectCluster({ settings, ports });
    expect(cluster.clusterId).toBe(kafka.clusterId);
  });
});

describe('no token', () => {
  test.each([
    [
      'the endpoint says why',
      { status: 401, body: { error: 'invalid_client' } },
      /status 401: invalid_client/,
    ],
    [
      'the endpoint answers with something else',
      { status: 200, body: '<html>' },
      /expected one token, got nothing/,
    ],
    [
      'the token has characters that none has',
      { status: 200, body: { access_token: 'seen\u0001auth' } },
      /got 9 characters that are none/,
    ],
  ])('%s', async (_name, answer, expected) => {
    endpoint.answer = answer;
    const failure = await failureOf(connected(await withOauth()));
    expect(failure).toMatchObject({ code: 'kafka-unreachable', retryable: true });
    expect(failure.message).toMatch(expected);
    expect(failure.message).not.toContain('seen');
  });

  test('the command fails: its status and last word are told, and what it printed is not', async () => {
    const failure = await failureOf(connected({ tokenCommand: 'echo seen; echo why >&2; exit 3' }));
    expect(failure).toMatchObject({ code: 'kafka-unreachable', retryable: true });
    expect(failure.message).toContain('kafka.sasl.tokenCommand ended with 3: why');
    expect(failure.message).not.toContain('seen');
  });

  test('a command that hangs is ended with all that it started', async () => {
    const file = join(folder, 'started');
    // Late once the command has said what it started.
    const after: Host['clock']['after'] = (_delayMs, run) => {
      void until('the command has begun', async () => (await systemHost.disk.stat(file)) !== undefined).then(
        run,
      );
      return { cancel: () => undefined };
    };
    const sasl = {
      mechanism: 'OAUTHBEARER',
      tokenCommand: `sleep 600 & echo $! > ${file}.new; mv ${file}.new ${file}; wait`,
    } as const;
    const source = tokenSource(sasl, { ...systemHost, clock: { ...systemHost.clock, after } });
    await expect(source.get()).rejects.toThrow('kafka.sasl.tokenCommand gave no answer within 10 s');
    const pid = (await readFile(file, 'utf8')).trim();
    // Of a process that has ended and that nobody asked for yet, the command line is empty.
    const commandLine = async (): Promise<string> => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    await until('what it started is gone', async () => (await commandLine()) === '');
  });

  test('the command prints without an end: it is stopped, and told as that', async () => {
    const failure = await failureOf(connected({ tokenCommand: 'yes' }));
    expect(failure.message).toContain('kafka.sasl.tokenCommand printed more than 1 MiB');
  });
});
