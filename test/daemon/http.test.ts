import { createServer } from 'node:http';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { serveHttp } from '../../src/daemon/daemon.ts';
import type { DaemonFacts } from '../../src/observe/observe.ts';

const well: DaemonFacts = {
  startedMs: 0,
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
  },
  trouble: { kafka: [], disk: [] },
  localFreeBytes: 1,
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

test('metrics are text of Prometheus, other paths are not there, and nothing but reading is allowed', async () => {
  await using at = await serving(async () => well);
  const metrics = await at.get('/metrics');

  expect(metrics.headers.get('content-type')).toContain('version=0.0.4');
  expect(await metrics.text()).toContain('varve_kafka_up 1\n');
  expect((await at.get('/')).status).toBe(404);
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
