import type net from 'node:net';
import { describe, expect, test } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import { plainMemory } from '../../src/kafka/memory.ts';
import type { Message } from '../../src/kafka/messages/message.ts';
import { Wire } from '../../src/kafka/wire.ts';
import { failureOf, frame, headerOf, int32, ManualClock, Peer } from './given.ts';

/** A message of one number there and one number back. */
const echo: Message<number, number> = {
  name: 'Echo',
  apiKey: 77,
  version: 3,
  write: (value, to) => to.int32(value).noTags(),
  read(from) {
    const value = from.int32();
    from.tags();
    return value;
  },
};

function valueOf(request: Buffer): number {
  return request.readInt32BE(request.length - 5);
}

function answerTo(request: Buffer, more: { throttleMs?: number; correlationId?: number } = {}): Buffer {
  const correlationId = more.correlationId ?? headerOf(request).correlationId;
  return frame(int32(correlationId), '00', int32(more.throttleMs ?? 0), int32(valueOf(request)), '00');
}

async function opened(
  peer: Peer,
  clock = new ManualClock(),
  more: { frameBytesMax?: number } = {},
): Promise<Wire & AsyncDisposable> {
  const wire = new Wire({
    broker: peer.address,
    clientId: 'varve-test',
    ports: clock,
    memory: plainMemory,
    requestTimeoutMs: 1000,
    ...more,
  });
  const connected = Promise.withResolvers<void>();
  wire.open({
    host: '127.0.0.1',
    port: peer.port,
    tls: undefined,
    onConnect: connected.resolve,
    handshake: { onFrame: () => undefined, onFailure: connected.reject },
  });
  await connected.promise;
  wire.takeOver({ throttledUntilMs: 0, retireAtMs: Infinity, versions: {} });
  return Object.assign(wire, {
    async [Symbol.asyncDispose]() {
      wire.close();
      await wire.closed;
      expect(clock.timers).toBe(0);
    },
  });
}

/** A peer that keeps what it was asked, and answers when the test says so. */
async function patientPeer(): Promise<
  Peer & { asked(count: number): Promise<{ request: Buffer; socket: net.Socket }[]> }
> {
  const requests: { request: Buffer; socket: net.Socket }[] = [];
  let wake: (() => void) | undefined;
  const peer = await Peer.start((request, socket) => {
    requests.push({ request: Buffer.from(request), socket });
    wake?.();
  });
  return Object.assign(peer, {
    async asked(count: number) {
      while (requests.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return requests;
    },
  });
}

describe('requests', () => {
  test('leave in the order in which they were asked for, with a header of their own', async () => {
    await using peer = await patientPeer();
    await using wire = await opened(peer);

    const answers = Promise.all([1, 2, 3].map(async (value) => wire.call(echo, value)));
    for (const { request, socket } of await peer.asked(3)) socket.write(answerTo(request));

    expect(await answers).toEqual([1, 2, 3]);
    expect(peer.received.map((request) => headerOf(request))).toEqual(
      [0, 1, 2].map((correlationId) => ({ apiKey: 77, version: 3, correlationId })),
    );
    expect(peer.received[0]?.subarray(8, 20).toString()).toBe('\0\nvarve-test');
    expect(peer.connections).toBe(1);
  });

  test('are held back in a throttle window, and leave in order when it ends', async () => {
    const clock = new ManualClock();
    await using peer = await patientPeer();
    await using wire = await opened(peer, clock);
    const first = wire.call(echo, 1);
    for (const { request, socket } of await peer.asked(1))
      socket.write(answerTo(request, { throttleMs: 50 }));
    await first;

    const later = Promise.all([2, 3, 4].map(async (value) => wire.call(echo, value)));
    clock.advance(49);
    await roundTrip(peer);
    expect(peer.received).toHaveLength(1);
    clock.advance(1);
    for (const { request, socket } of (await peer.asked(4)).slice(1)) socket.write(answerTo(request));

    expect(await later).toEqual([2, 3, 4]);
    expect(peer.received.map(valueOf)).toEqual([1, 2, 3, 4]);
  });

  test('fail together with the connection, and never wait for ever', async () => {
    await using peer = await patientPeer();
    await using wire = await opened(peer);

    const failures = Promise.all([1, 2].map(async (value) => failureOf(wire.call(echo, value))));
    const [first] = await peer.asked(2);
    first?.socket.write(answerTo(first.request).subarray(0, 9));
    first?.socket.end();

    for (const failure of await failures) {
      expect(failure).toMatchObject({ code: 'kafka-unreachable', retryable: true });
      expect(failure.message).toContain(peer.address);
    }
    expect(await failureOf(wire.call(echo, 3))).toMatchObject({ retryable: true });
  });

  test('that nobody answers end the connection at their time limit', async () => {
    const clock = new ManualClock();
    await using peer = await patientPeer();
    await using wire = await opened(peer, clock);
    const long = failureOf(wire.call(echo, 1, { waitMs: 500 }));
    await peer.asked(1);

    clock.advance(1499);
    expect(wire.dead).toBe(false);
    clock.advance(1);

    expect((await long).message).toContain('no answer to Echo within 1500 ms');
    expect(wire.dead).toBe(true);
  });

  test('that are being answered slowly are not cut off', async () => {
    const clock = new ManualClock();
    await using peer = await patientPeer();
    await using wire = await opened(peer, clock);
    const answered = wire.call(echo, 7);
    const [one] = await peer.asked(1);
    if (one === undefined) throw new Error('nothing was asked');
    const bytes = answerTo(one.request);

    one.socket.write(bytes.subarray(0, 6));
    await vitestUntil(() => wire.bytesArrived === 6);
    clock.advance(1000);
    one.socket.write(bytes.subarray(6));

    expect(await answered).toBe(7);
  });

  test('that were given up reject at once, and their late answer disturbs nobody', async () => {
    await using peer = await patientPeer();
    await using wire = await opened(peer);
    const stop = new AbortController();

    const givenUp = failureOf(wire.call(echo, 1, { signal: stop.signal }));
    const other = wire.call(echo, 2);
    const requests = await peer.asked(2);
    stop.abort();
    expect((await givenUp).code).toBe('interrupted');
    for (const { request, socket } of requests) socket.write(answerTo(request));

    expect(await other).toBe(2);
  });

  test('of a wire that is replaced are still answered before it closes', async () => {
    await using peer = await patientPeer();
    await using wire = await opened(peer);
    const answered = wire.call(echo, 5);
    const [one] = await peer.asked(1);

    wire.retire();
    expect(wire.dead).toBe(false);
    one?.socket.write(answerTo(one.request));

    expect(await answered).toBe(5);
    await wire.closed;
  });
});

describe('answers', () => {
  test('are understood wherever they are split', async () => {
    await using peer = await patientPeer();
    await using wire = await opened(peer);
    const length = 4 + 14;

    for (let split = 0; split <= length; split += 1) {
      const answered = wire.call(echo, split);
      const one = (await peer.asked(split + 1))[split];
      if (one === undefined) throw new Error('nothing was asked');
      const bytes = answerTo(one.request);
      expect(bytes).toHaveLength(length);
      const before = wire.bytesArrived;
      one.socket.write(bytes.subarray(0, split));
      await vitestUntil(() => wire.bytesArrived === before + split);
      one.socket.write(bytes.subarray(split));
      expect(await answered).toBe(split);
    }
  });

  test.each([
    [
      'the number of another request',
      (request: Buffer) => answerTo(request, { correlationId: 9 }),
      /expected answer number 0/,
    ],
    ['a length beyond the limit', () => Buffer.from('7fffffff', 'hex'), /expected the length of an answer/],
    ['a negative length', () => Buffer.from('ffffffff', 'hex'), /expected the length of an answer/],
    [
      'too few bytes',
      (request: Buffer) => frame(int32(headerOf(request).correlationId), '00 00'),
      /malformed Echo response/,
    ],
    ['too many bytes', (request: Buffer) => frame(answerTo(request).subarray(4), '00'), /expected the end/],
  ])('with %s kill the connection with a clear error', async (_what, answer, message) => {
    await using peer = await patientPeer();
    await using wire = await opened(peer);
    const failures = Promise.all([1, 2].map(async (value) => failureOf(wire.call(echo, value))));

    const [one] = await peer.asked(1);
    one?.socket.write(answer(one.request));

    for (const failure of await failures) {
      expect(failure).toBeInstanceOf(VarveError);
      expect(failure).toMatchObject({ code: 'kafka-unreachable', retryable: true });
      expect(failure.message).toMatch(message);
    }
    expect(wire.dead).toBe(true);
  });

  test('that nobody asked for kill the connection', async () => {
    await using peer = await patientPeer();
    await using wire = await opened(peer);
    const answered = wire.call(echo, 1);
    const [one] = await peer.asked(1);
    one?.socket.write(Buffer.concat([answerTo(one.request), answerTo(one.request)]));

    expect(await answered).toBe(1);
    await wire.closed;
    expect(wire.failure?.message).toContain('expected answer none');
  });
});

/** Long enough for whatever was sent to this peer to have been read by it: another connection came and went. */
async function roundTrip(peer: Peer): Promise<void> {
  const clock = new ManualClock();
  await using wire = await opened(peer, clock);
  expect(wire.dead).toBe(false);
  const seen = peer.received.length;
  await new Promise(setImmediate);
  expect(peer.received).toHaveLength(seen);
}

async function vitestUntil(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { interval: 1 }).toBe(true);
}
