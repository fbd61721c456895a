import { createServer, request } from 'node:http';
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { serveHttp } from '../../src/daemon/daemon.ts';
import type { DaemonFacts } from '../../src/observe/observe.ts';
import type { PageFacts } from '../../src/page/page.ts';
import { given } from '../page/given.ts';

const well: DaemonFacts = {
  nowMs: 0,
  startedMs: 0,
  retentionMs: new Map(),
  sink: {
    topics: [],
    states: { fetching: 0, waiting: 0, stopped: 0, gone: 0 },
    lastSyncMs: undefined,
    unsyncedSinceMs: undefined,
    gaps: 0,
    truncations: 0,
    records: 0,
    bytes: 0,
    inFlightBytes: 0,
    notBackedUp: { excluded: 0, unauthorised: 0, refused: 0, stopped: 0, unavailable: 0 },
  },
  trouble: { kafka: [], disk: [] },
  localFreeBytes: 1,
  unfinishedRestores: 0,
  cycles: undefined,
};

async function serving(
  facts: () => Promise<DaemonFacts>,
): Promise<AsyncDisposable & { get(path: string): Promise<Response> }> {
  const server = await serveHttp({ host: '127.0.0.1', port: 0, facts });
  return {
    get: async (path) => fetch(`http://127.0.0.1:${server.port}${path}`),
    [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose](),
  };
}

test('livez answers without asking for any fact', async () => {
  await using at = await serving(async () => {
    throw new Error('nobody may ask');
  });
  const answer = await at.get('/livez');

  expect(answer.status).toBe(200);
  expect(await answer.text()).toBe('ok\n');
});

test('readyz tells why it is not ready, line by line', async () => {
  let facts = well;
  await using at = await serving(async () => facts);

  expect((await at.get('/readyz')).status).toBe(200);
  facts = {
    ...well,
    trouble: { kafka: ['no broker can be reached'], disk: ['the local disk refuses to be written'] },
  };
  const answer = await at.get('/readyz');
  expect(answer.status).toBe(503);
  expect(await answer.text()).toBe('no broker can be reached\nthe local disk refuses to be written\n');
  facts = { ...well, sink: undefined };
  expect(await (await at.get('/readyz')).text()).toBe('still starting\n');
});

test('metrics are text of Prometheus, and other paths are not there', async () => {
  await using at = await serving(async () => well);
  const metrics = await at.get('/metrics');

  expect(metrics.headers.get('content-type')).toContain('version=0.0.4');
  expect(await metrics.text()).toContain('varve_kafka_up 1\n');
  expect((await at.get('/')).status).toBe(404);
});

test('nothing but reading is allowed, and HEAD is GET without the body', async () => {
  await using server = await serveHttp({ host: '127.0.0.1', port: 0, facts: async () => well });
  const url = `http://127.0.0.1:${server.port}/metrics`;

  for (const method of ['POST', 'PUT', 'DELETE']) {
    const refused = await fetch(url, { method });
    expect(refused.status, method).toBe(405);
    await refused.text();
  }
  const head = await fetch(url, { method: 'HEAD' });
  expect(head.status).toBe(200);
  expect(head.headers.get('content-length')).not.toBe('0');
  expect(await head.text()).toBe('');
});

test('facts that cannot be had are an error of that answer alone', async () => {
  await using at = await serving(async () => {
    throw new Error('no facts today');
  });

  for (const path of ['/metrics', '/readyz']) {
    const answer = await at.get(path);
    expect(answer.status, path).toBe(500);
    expect(await answer.text()).toBe('no facts today\n');
  }
  expect((await at.get('/livez')).status).toBe(200);
});

test('it ends at once, with a connection kept alive and one whose answer hangs', async () => {
  const asked = Promise.withResolvers<void>();
  const facts = async (): Promise<DaemonFacts> => {
    asked.resolve();
    return await new Promise(() => undefined);
  };
  const server = await serveHttp({ host: '127.0.0.1', port: 0, facts });
  const idle = connect(server.port, '127.0.0.1');
  const hanging = connect(server.port, '127.0.0.1');
  idle.write('GET /livez HTTP/1.1\r\nHost: varve\r\n\r\n');
  hanging.write('GET /metrics HTTP/1.1\r\nHost: varve\r\n\r\n');
  const [answer] = await once(idle, 'data');
  expect(String(answer)).toContain('200 OK');
  await asked.promise;

  const ended = Promise.all([once(idle.resume(), 'close'), once(hanging.resume(), 'close')]);
  await server[Symbol.asyncDispose]();
  await ended;

  const again = await serveHttp({ host: '127.0.0.1', port: server.port, facts: async () => well });
  await again[Symbol.asyncDispose]();
});

test('a port that is taken is a clear error', async () => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  try {
    await expect(serveHttp({ host: '127.0.0.1', port, facts: async () => well })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining(`observe.port ${port}`),
    });
  } finally {
    other.close();
  }
});

async function shown(): Promise<PageFacts> {
  return given([{ topic: 'orders', months: [1e6] }]);
}

test('the page and its documents are there unless they are turned off, and nothing of them may be kept or framed', async () => {
  await using on = await serveHttp({ host: '127.0.0.1', port: 0, facts: async () => well, page: shown });
  await using off = await serveHttp({ host: '127.0.0.1', port: 0, facts: async () => well });

  for (const path of [
    '/',
    '/?topic=orders',
    ...['status', 'topics', 'snapshots', 'cycles'].map((name) => `/api/v1/${name}`),
  ]) {
    const answer = await fetch(`http://127.0.0.1:${on.port}${path}`);
    expect(answer.status, path).toBe(200);
    expect(answer.headers.get('content-type'), path).toContain(
      path.startsWith('/api') ? 'json' : 'text/html',
    );
    expect(answer.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-/,
    );
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(await answer.text()).not.toBe('');
    expect((await fetch(`http://127.0.0.1:${off.port}${path}`)).status, path).toBe(404);
  }
});

test('asked by the name of another site, a server for this machine alone shows no page; health is answered all the same', async () => {
  await using server = await serveHttp({ host: '127.0.0.1', port: 0, facts: async () => well, page: shown });
  const statusOf = async (path: string, host: string): Promise<number | undefined> => {
    const asked = request({ host: '127.0.0.1', port: server.port, path, headers: { host } }).end();
    const [answer] = await once(asked, 'response');
    answer.resume();
    return answer.statusCode;
  };

  for (const host of ['attacker.example', 'attacker.example:80', '127.0.0.1.attacker.example'])
    for (const path of ['/', '/api/v1/topics']) expect(await statusOf(path, host), host).toBe(421);
  for (const host of ['localhost', `127.0.0.1:${server.port}`, '[::1]:8080'])
    expect(await statusOf('/', host), host).toBe(200);
  expect(await statusOf('/livez', 'attacker.example')).toBe(200);
});
