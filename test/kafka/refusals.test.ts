import net from 'node:net';
import { EventEmitter, once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { connectCluster } from '../../src/kafka/kafka.ts';
import { loadClient, loadFromPackage } from '../../src/kafka/client.ts';
import { apiVersionsAnswer, failureOf, headerOf, ManualClock, Peer, realPorts, settings } from './given.ts';

async function failureAt(brokers: string): Promise<{ code: string; message: string; hint: string }> {
  const failure = await failureOf(connectCluster({ settings: settings(brokers), ports: realPorts }));
  return { code: failure.code, message: failure.message, hint: failure.hint ?? '' };
}

/** A port on which nothing listens: it was free a moment ago. */
async function freeAddress(): Promise<string> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `127.0.0.1:${address.port}`;
}

describe('a connection that cannot be made', () => {
  test('names each broker with its own cause, and gives the hint that says most', async () => {
    const free = await freeAddress();
    await using web = await Peer.start((_request, socket) =>
      socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );

    const failure = await failureAt(`${free},${web.address}`);

    expect(failure.code).toBe('kafka-unreachable');
    expect(failure.message).toContain(`broker ${free} cannot be reached: connection refused (ECONNREFUSED)`);
    expect(failure.message).toContain(
      `broker ${web.address} cannot be reached: the port does not speak Kafka's protocol`,
    );
  });

  test('to a port that speaks TLS says so', async () => {
    await using peer = await Peer.start((_request, socket) =>
      socket.write(Buffer.from('15030300020250', 'hex')),
    );

    const failure = await failureAt(peer.address);

    expect(failure).toMatchObject({
      code: 'kafka-unreachable',
      hint: expect.stringContaining('kafka.ssl.enabled'),
    });
    expect(failure.message).toContain('speaks TLS');
  });

  test('to a name that does not exist says so', async () => {
    const failure = await failureAt('no-such-host.invalid:9092');

    expect(failure.code).toBe('kafka-unreachable');
    expect(failure.message).toContain('cannot be resolved');
  });

  test('because an address is malformed is the configuration, and says how it should look', async () => {
    expect(await failureAt('localhost')).toMatchObject({
      code: 'config',
      hint: expect.stringContaining('host:port'),
    });
    expect(await failureAt('localhost:99999')).toMatchObject({ code: 'config' });
  });

  test('to a peer that hangs up at once says when it did', async () => {
    await using peer = await Peer.start((_request, socket) => socket.destroy());

    expect((await failureAt(peer.address)).message).toContain(
      'closed the connection while asking for api versions',
    );
  });

  test('to a peer that never answers ends at its time limit, and leaves no timer behind', async () => {
    const clock = new ManualClock();
    const asked = Promise.withResolvers<void>();
    await using peer = await Peer.start(() => asked.resolve());
    const ports = { ...realPorts, nowMs: clock.nowMs, after: clock.after };
    const failing = failureOf(connectCluster({ settings: settings(peer.address), ports }));

    await asked.promise;
    clock.advance(10_000);

    expect((await failing).message).toContain('no answer within 5000 ms');
    expect(clock.timers).toBe(0);
  });

  test('to a peer that answers another request than the one it was sent says so at once', async () => {
    await using peer = await Peer.start((request, socket) => {
      socket.write(apiVersionsAnswer(headerOf(request).correlationId + 5));
    });

    expect((await failureAt(peer.address)).message).toMatch(/expected answer number (\d+), got number \d+/);
  });

  test('to an older Kafka names the broker and the version that is needed', async () => {
    await using peer = await Peer.start((request, socket) => {
      socket.write(apiVersionsAnswer(headerOf(request).correlationId, { 1: 12 }));
    });

    const failure = await failureAt(peer.address);

    expect(failure.code).toBe('kafka-unsupported');
    expect(failure.message).toContain(peer.address);
    expect(failure.message).toContain('kafka 3.1 or later is needed');
  });

  test('is given up when the operator stops, and the socket is closed', async () => {
    const stop = new AbortController();
    const asked = Promise.withResolvers<void>();
    await using peer = await Peer.start(() => asked.resolve());
    const connecting = failureOf(
      connectCluster({ settings: settings(peer.address), ports: realPorts, signal: stop.signal }),
    );

    await asked.promise;
    stop.abort();

    expect((await connecting).code).toBe('interrupted');
  });

  test('does not stand in the way of a broker that answers', async () => {
    await using silent = await Peer.start(() => undefined);
    await using peer = await Peer.start((request, socket) => {
      const { apiKey, correlationId } = headerOf(request);
      if (apiKey === 18) socket.write(apiVersionsAnswer(correlationId));
      else socket.write(emptyMetadata(correlationId));
    });

    await using cluster = await connectCluster({
      settings: settings(`${silent.address},${peer.address}`),
      ports: realPorts,
    });

    expect(cluster.clusterId).toBe('c1');
  });
});

function emptyMetadata(correlationId: number): Buffer {
  const body = Buffer.from(`00000000 00 00000000 01 036331 ffffffff 01 00`.replaceAll(' ', ''), 'hex');
  body.writeInt32BE(correlationId, 0);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function loadOtherFindCoordinator(wanted: string): unknown {
  const part = loadFromPackage(wanted);
  if (!wanted.endsWith('/findCoordinator')) return part;
  return {
    protocol: () => () => ({
      request: { apiKey: 10, apiVersion: 2, encode: async () => ({ buffer: Buffer.of(1) }) },
    }),
  };
}

describe('the client library', () => {
  test('as installed passes its trial', async () => {
    expect(Object.keys(await loadClient())).toEqual(['connection', 'apiVersions', 'findCoordinator']);
  });

  test.each([
    ['kafkajs/src/network/connection', EventEmitter],
    ['kafkajs/src/network/connection', undefined],
    ['kafkajs/src/protocol/requests/apiVersions', { protocol: () => () => ({ request: {}, response: {} }) }],
    ['kafkajs/src/protocol/requests/findCoordinator', {}],
  ])('with another %s is refused by the version found', async (path, doctored) => {
    const load = (wanted: string): unknown => {
      if (wanted === path) return doctored;
      return wanted === 'kafkajs/package.json' ? { version: '3.0.0' } : loadFromPackage(wanted);
    };

    const failure = await failureOf(loadClient(load));

    expect(failure.code).toBe('kafka-unsupported');
    expect(failure.message).toContain('kafkajs 3.0.0');
  });

  test('that writes another request than expected is refused', async () => {
    expect((await failureOf(loadClient(loadOtherFindCoordinator))).message).toContain(
      'its bytes is not as expected',
    );
  });

  test('that is not installed is refused', async () => {
    const failure = await failureOf(
      loadClient(() => {
        throw new Error('Cannot find module');
      }),
    );

    expect(failure.message).toContain('(not installed)');
  });
});
