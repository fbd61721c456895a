import { describe, expect, test } from 'vitest';
import type { KafkaPorts } from '../../src/kafka/kafka.ts';
import { apis, asked, clusterOf, fakeBroker } from './fake-broker.ts';
import { failureOf, frame, int32, type Peer, realPorts } from './given.ts';

const all = { without: (): boolean => false };
const head = '00 00000000';
/** Of group g, in state E. */
const listed = (code = '0000'): string => `${head} ${code} 02 0267 01 0245 00 00`;
const coordinatorIs = (peer: { port: number }): Buffer =>
  Buffer.concat([
    Buffer.from('0000000000 02 0267 00000001 0a 3132372e302e302e31'.replaceAll(' ', ''), 'hex'),
    int32(peer.port),
    Buffer.from('0000 00 00 00'.replaceAll(' ', ''), 'hex'),
  ]);
const noCoordinator = `${head} 02 0267 ffffffff 01 ffffffff 000f 00 00 00`;
const fetched = `${head} 02 0267 02 0274 02 00000000 0000000000000007 00000002 01 0000 00 00 0000 00 00`;
const notFetched = (code: string): string => `${head} 02 0267 01 ${code} 00 00`;
const offsets = [{ topic: 't', partition: 0, offset: 7n, leaderEpoch: 2, metadata: '' }];

/** Pauses end at once and are kept; time limits, which are longer, are real. */
function hurried(pauses: number[]): KafkaPorts {
  return {
    ...realPorts,
    after(delayMs, run) {
      if (delayMs >= 2000) return realPorts.after(delayMs, run);
      pauses.push(delayMs);
      return realPorts.after(0, run);
    },
  };
}

type Answers = Parameters<typeof fakeBroker>[0];

async function brokerOfGroup(answers: Answers = {}): Promise<Peer> {
  return fakeBroker({
    [apis.listGroups]: (id) => frame(id, listed()),
    [apis.findCoordinator]: (id, self) => frame(id, coordinatorIs(self)),
    [apis.offsetFetch]: (id) => frame(id, fetched),
    ...answers,
  });
}

describe('a group is read after all', () => {
  test.each(['000e', '000f', '0010'])('when its coordinator passes from error %s', async (code) => {
    const pauses: number[] = [];
    await using peer = await brokerOfGroup({
      [apis.offsetFetch]: (id, self) =>
        frame(id, asked(self, apis.offsetFetch) < 4 ? notFetched(code) : fetched),
    });
    await using cluster = await clusterOf(peer, hurried(pauses));

    expect(await cluster.savedGroups(all)).toEqual([{ group: 'g', protocolType: '', state: 'E', offsets }]);
    expect(pauses).toEqual([100, 200, 400]);
    expect(asked(peer, apis.findCoordinator)).toBe(4);
  });

  test('when it is found only later', async () => {
    await using peer = await brokerOfGroup({
      [apis.findCoordinator]: (id, self) =>
        frame(id, asked(self, apis.findCoordinator) < 3 ? noCoordinator : coordinatorIs(self)),
    });
    await using cluster = await clusterOf(peer, hurried([]));

    expect(await cluster.savedGroups(all)).toMatchObject([{ group: 'g', offsets }]);
  });

  test('when a broker is still loading what it is to list', async () => {
    await using peer = await brokerOfGroup({
      [apis.listGroups]: (id, self) =>
        frame(id, asked(self, apis.listGroups) < 3 ? `${head} 000e 01 00` : listed()),
    });
    await using cluster = await clusterOf(peer, hurried([]));

    expect(await cluster.savedGroups(all)).toMatchObject([{ group: 'g', offsets }]);
  });
});

describe('a group is a row with its failure', () => {
  test('when its coordinator keeps loading, after a quarter of a minute', async () => {
    await using peer = await brokerOfGroup({ [apis.offsetFetch]: (id) => frame(id, notFetched('000e')) });
    const pauses: number[] = [];
    await using cluster = await clusterOf(peer, hurried(pauses));

    const [row] = await cluster.savedGroups(all);

    expect(row).toMatchObject({ group: 'g', offsets: [] });
    expect(row?.failure).toMatchObject({ code: 'kafka-unreachable', retryable: true });
    expect(row?.failure?.message).toContain('COORDINATOR_LOAD_IN_PROGRESS');
    expect(asked(peer, apis.offsetFetch)).toBe(14);
    expect(pauses.reduce((sum, pauseMs) => sum + pauseMs, 0)).toBe(15_000);
  });

  test('when its coordinator hangs up, after two attempts', async () => {
    await using peer = await brokerOfGroup({ [apis.offsetFetch]: () => 'hang up' });
    await using cluster = await clusterOf(peer, hurried([]));

    const [row] = await cluster.savedGroups(all);

    expect(row).toMatchObject({ offsets: [], failure: { code: 'kafka-unreachable' } });
    expect(asked(peer, apis.offsetFetch)).toBe(2);
  });

  test('at once when it may not be read', async () => {
    await using peer = await brokerOfGroup({ [apis.offsetFetch]: (id) => frame(id, notFetched('001e')) });
    await using cluster = await clusterOf(peer, hurried([]));

    const [row] = await cluster.savedGroups(all);

    expect(row?.failure).toMatchObject({ code: 'kafka-refused', hint: expect.stringContaining('group g') });
    expect(asked(peer, apis.offsetFetch)).toBe(1);
  });
});

test('a list that one broker keeps back is an error, not a shorter list', async () => {
  await using peer = await brokerOfGroup({ [apis.listGroups]: (id) => frame(id, `${head} 000e 01 00`) });
  await using cluster = await clusterOf(peer, hurried([]));

  const failure = await failureOf(cluster.savedGroups(all));

  expect(failure).toMatchObject({ code: 'kafka-unreachable', retryable: true });
  expect(asked(peer, apis.listGroups)).toBe(14);
});

test('who gives up during a pause is not kept waiting', async () => {
  const paused = Promise.withResolvers<void>();
  const ports: KafkaPorts = {
    ...realPorts,
    after(delayMs, run) {
      if (delayMs >= 2000) return realPorts.after(delayMs, run);
      paused.resolve();
      return { cancel: () => undefined };
    },
  };
  await using peer = await brokerOfGroup({ [apis.offsetFetch]: (id) => frame(id, notFetched('000e')) });
  await using cluster = await clusterOf(peer, ports);
  const stop = new AbortController();
  const reading = failureOf(cluster.savedGroups({ ...all, signal: stop.signal }));
  await paused.promise;

  stop.abort();

  expect((await reading).code).toBe('interrupted');
  expect(asked(peer, apis.offsetFetch)).toBe(1);
});
