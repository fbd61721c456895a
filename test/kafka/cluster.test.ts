import { describe, expect, test } from 'vitest';
import { connectCluster, kafkaError, noAnswer, type KafkaPorts } from '../../src/kafka/kafka.ts';
import { apis, asked, clusterOf, fakeBroker, metadataOf } from './fake-broker.ts';
import { apiVersionsAnswer, asking, failureOf, frame, from, int32, realPorts, settings } from './given.ts';

const versions = (id: Buffer): Buffer => apiVersionsAnswer(id.readInt32BE(), { [apis.deleteTopics]: 6 });
const row = { topic: 't', partition: 0, offset: 1n, leaderEpoch: 0, metadata: '' };
const committed = (errorCode: string): string => `00 00000000 02 0274 02 00000000 ${errorCode} 00 00 00`;
const coordinatorAt = (peer: { port: number }): Buffer =>
  Buffer.concat([Buffer.from('000000000000ffff0000000100093132372e302e302e31', 'hex'), int32(peer.port)]);

/** Its time limit ends a request after 30 seconds; what would come sooner comes at once. */
const soon: KafkaPorts['after'] = (delayMs, run) => realPorts.after(delayMs < 3000 ? 0 : delayMs, run);

describe('a shared connection', () => {
  test('is made once, however many ask for it at the same moment', async () => {
    await using other = await fakeBroker();
    await using peer = await fakeBroker({
      [apis.metadata]: (id, self) => metadataOf(id, [self, other]),
    });
    await using cluster = await clusterOf(peer);
    const questions = [1, 2, 3, 4, 5].map((partition) => ({
      topic: 't',
      partition,
      leaderId: 2,
      leaderEpoch: -1,
      timestamp: -1n,
    }));

    const answers = questions.map(async (question) =>
      cluster.listOffsets([question], { isolation: 'read_committed' }),
    );
    await expect.poll(() => asked(other, 2)).toBe(5);

    expect(other.connections).toBe(1);
    await cluster[Symbol.asyncDispose]();
    for (const [answer] of await Promise.all(answers)) expect(answer?.errorCode).toBe(noAnswer);
  });

  test('that broke is made anew by the next question', async () => {
    let hangUp = true;
    await using peer = await fakeBroker({
      [apis.metadata]: (id, self) => {
        if (self.received.length > 2 && hangUp) {
          hangUp = false;
          return 'hang up';
        }
        return metadataOf(id, [self]);
      },
    });
    await using cluster = await clusterOf(peer);

    expect(await failureOf(cluster.metadata())).toMatchObject({ code: 'kafka-unreachable', retryable: true });
    expect((await cluster.metadata()).clusterId).toBe('c1');
    expect(peer.connections).toBe(2);
  });

  test('to a controller that is silent does not keep a change from being asked of another broker', async () => {
    const topicId = 'k3PN8zE1QCa7mL0rT5wXyA';
    const rows = Buffer.concat([Buffer.of(2, 0), Buffer.from(topicId, 'base64url'), Buffer.alloc(5)]);
    await using hanging = await fakeBroker({
      [apis.apiVersions]: versions,
      [apis.metadata]: () => 'silence',
      [apis.deleteTopics]: () => 'silence',
    });
    await using peer = await fakeBroker({
      [apis.apiVersions]: versions,
      [apis.metadata]: (id, self) => metadataOf(id, [hanging, self], 'c1', 1),
      [apis.deleteTopics]: (id) => frame(id, '00 00000000', rows),
    });
    const tenfold = { ...realPorts, after: (ms: number, run: () => void) => realPorts.after(ms / 10, run) };
    await using cluster = await clusterOf(peer, tenfold);
    expect(await cluster.deleteTopics([topicId])).toMatchObject([{ topicId, errorCode: 0 }]);
    expect([hanging, peer].map((broker) => asked(broker, apis.deleteTopics))).toEqual([1, 1]);
  });

  test('to a broker that is silent does not keep metadata from being asked of another', async () => {
    await using hanging = await fakeBroker({ [apis.metadata]: () => 'silence' });
    await using peer = await fakeBroker({
      [apis.metadata]: (id, self) => metadataOf(id, [hanging, self]),
    });
    await using cluster = await clusterOf(peer, { ...realPorts, after: soon });
    const beganMs = performance.now();

    expect((await cluster.metadata()).brokers).toHaveLength(2);

    expect(performance.now() - beganMs).toBeLessThan(10_000);
    await expect.poll(() => asked(hanging, apis.metadata)).toBe(1);
  });

  test('is throttled from its first answer on for as long as that says, whatever the wall clock shows', async () => {
    const throttleMs = 300;
    await using peer = await fakeBroker({
      [apis.apiVersions](id) {
        const answer = apiVersionsAnswer(id.readInt32BE(0));
        answer.writeInt32BE(throttleMs, answer.length - 4);
        return answer;
      },
    });
    const beganMs = performance.now();

    await using cluster = await clusterOf(peer, { ...realPorts, nowMs: () => performance.now() });

    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(throttleMs - 5);
    expect(cluster.clusterId).toBe('c1');
  });

  test('is not waited for by whoever gives up while it is being made', async () => {
    await using hanging = await fakeBroker({ [apis.apiVersions]: () => 'silence' });
    await using peer = await fakeBroker({
      [apis.findCoordinator]: (id) => frame(id, coordinatorAt(hanging)),
    });
    await using cluster = await clusterOf(peer);
    const stop = new AbortController();

    const committing = failureOf(cluster.commitOffsets('g', [row], { signal: stop.signal }));
    await expect.poll(() => asked(hanging, apis.apiVersions)).toBe(1);
    const beganMs = performance.now();
    stop.abort();

    expect(await committing).toMatchObject({ code: 'interrupted' });
    expect(performance.now() - beganMs).toBeLessThan(8000);
  });

  test('to a broker that is gone does not keep metadata from being asked of another', async () => {
    const gone = await fakeBroker();
    await using peer = await fakeBroker({
      [apis.metadata]: (id, self) => metadataOf(id, [{ port: goneport }, self]),
    });
    const goneport = gone.port;
    await using cluster = await clusterOf(peer);
    await gone[Symbol.asyncDispose]();

    expect((await cluster.metadata()).brokers).toHaveLength(2);
  });

  test('that suddenly leads to another cluster is an error, not an answer', async () => {
    let clusterId = 'c1';
    await using peer = await fakeBroker({ [apis.metadata]: (id, self) => metadataOf(id, [self], clusterId) });
    await using cluster = await clusterOf(peer);

    clusterId = 'c2';

    expect((await failureOf(cluster.metadata())).code).toBe('wrong-cluster');
  });
});

describe('a commit', () => {
  test('finds the coordinator once, and again when the coordinator says it is none', async () => {
    let moved = false;
    await using right = await fakeBroker({ [apis.offsetCommit]: (id) => frame(id, committed('0000')) });
    await using peer = await fakeBroker({
      [apis.findCoordinator]: (id, self) => frame(id, coordinatorAt(moved ? right : self)),
      [apis.offsetCommit]: (id) => frame(id, committed(moved ? '0010' : '0000')),
    });
    await using cluster = await clusterOf(peer);

    await cluster.commitOffsets('g', [row]);
    await cluster.commitOffsets('g', [row]);
    expect(asked(peer, apis.findCoordinator)).toBe(1);
    moved = true;
    expect(await cluster.commitOffsets('g', [row])).toEqual([{ topic: 't', partition: 0, errorCode: 0 }]);

    expect(asked(peer, apis.findCoordinator)).toBe(2);
    expect(asked(right, apis.offsetCommit)).toBe(1);
  });

  test('that fails as a whole is thrown, with what to do', async () => {
    let code = '000e';
    await using peer = await fakeBroker({
      [apis.findCoordinator]: (id, self) => frame(id, coordinatorAt(self)),
      [apis.offsetCommit]: (id) => frame(id, committed(code)),
    });
    await using cluster = await clusterOf(peer);

    const loading = await failureOf(cluster.commitOffsets('g', [row]));
    code = '0019';
    const active = await failureOf(cluster.commitOffsets('g', [row]));
    code = '001e';
    const forbidden = await failureOf(cluster.commitOffsets('g', [row]));

    expect(loading).toMatchObject({ code: 'kafka-unreachable', retryable: true });
    expect(loading.message).toContain('COORDINATOR_LOAD_IN_PROGRESS');
    expect(active.hint).toContain('group g');
    expect(forbidden).toMatchObject({ code: 'kafka-refused', hint: expect.stringContaining('READ') });
  });

  test('whose coordinator is not known yet can be tried again', async () => {
    await using peer = await fakeBroker({
      [apis.findCoordinator]: (id) => frame(id, '00000000 000f ffff ffffffff 0000 ffffffff'),
    });
    await using cluster = await clusterOf(peer);

    expect(await failureOf(cluster.commitOffsets('g', [row]))).toMatchObject({ retryable: true });
  });
});

describe('closing', () => {
  test('fails what waits, closes every socket, and leaves no timer', async () => {
    const timers = new Set<object>();
    const ports: KafkaPorts = {
      ...realPorts,
      after(delayMs, run) {
        const timer = realPorts.after(delayMs, run);
        timers.add(timer);
        return {
          cancel() {
            timers.delete(timer);
            timer.cancel();
          },
        };
      },
    };
    await using peer = await fakeBroker({ [apis.fetch]: () => 'silence' });
    const cluster = await clusterOf(peer, ports);
    const fetcher = await cluster.fetcher(1);
    const fetching = failureOf(fetcher.fetch(asking([from('AQIDBAUGBwgJCgsMDQ4PEA', 0n)])));
    await expect.poll(() => asked(peer, apis.fetch)).toBe(1);

    await cluster[Symbol.asyncDispose]();

    expect((await fetching).code).toBe('kafka-unreachable');
    expect(timers.size).toBe(0);
    await expect.poll(() => peer.sockets).toBe(0);
    expect((await failureOf(cluster.metadata())).retryable).toBe(false);
  });

  test('ends an aborted fetch with its connection', async () => {
    await using peer = await fakeBroker({ [apis.fetch]: () => 'silence' });
    await using cluster = await clusterOf(peer);
    await using fetcher = await cluster.fetcher(1);
    const stop = new AbortController();
    const fetching = failureOf(fetcher.fetch(asking([from('AQIDBAUGBwgJCgsMDQ4PEA', 0n)]), stop.signal));
    await expect.poll(() => asked(peer, apis.fetch)).toBe(1);

    stop.abort();

    expect((await fetching).code).toBe('interrupted');
    await expect.poll(() => peer.sockets).toBe(1);
  });
});

/** Two megabytes of records, made of the request's number. */
function fetchedMegabytes(id: Buffer): Buffer {
  const records = Buffer.alloc(2_000_000, id);
  return frame(
    Buffer.concat([
      id,
      Buffer.from(
        '00 00000000 0000 00000000 02 0102030405060708090a0b0c0d0e0f10 02 00000000 0000'.replaceAll(' ', ''),
        'hex',
      ),
    ]),
    '0000000000000009 0000000000000009 0000000000000000 00 ffffffff',
    varint(records.length + 1),
    records,
    '00 00 00',
  );
}

test('unreleased answers hold the next ones back, and their memory is used again once they are released', async () => {
  await using peer = await fakeBroker({ [apis.fetch]: fetchedMegabytes });
  await using cluster = await connectCluster({
    settings: settings(peer.address),
    ports: realPorts,
    frameBytesInFlightMax: 5_000_000,
  });
  await using fetcher = await cluster.fetcher(1);
  const request = asking([from('AQIDBAUGBwgJCgsMDQ4PEA', 0n)], { maxBytes: 2_000_000 });
  let arrived = 0;
  const fetches = [0, 1, 2, 3].map(async () => {
    const one = await fetcher.fetch(request);
    arrived += 1;
    return one;
  });

  const [first, second] = [await fetches[0], await fetches[1]];
  await expect.poll(() => asked(peer, apis.fetch)).toBe(4);
  await new Promise(setImmediate);
  expect(arrived).toBe(2);
  first?.release();
  const third = await fetches[2];
  second?.release();
  const fourth = await fetches[3];

  expect(third?.partitions[0]?.records.equals(Buffer.alloc(2_000_000, int32(2)))).toBe(true);
  expect(fourth?.partitions[0]?.records.equals(Buffer.alloc(2_000_000, int32(3)))).toBe(true);
  expect(third?.partitions[0]?.records.buffer).toBe(first?.partitions[0]?.records.buffer);
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

test('an unknown error code has a name and is worth another try', () => {
  expect(kafkaError(12_345)).toMatchObject({ name: 'UNKNOWN(12345)', kind: 'unknown', retryable: true });
  expect(kafkaError(0)).toMatchObject({ name: 'NONE', kind: 'ok' });
  expect(kafkaError(29)).toMatchObject({ kind: 'authorization', retryable: false });
});
