import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { Running } from '../restore/process.ts';
import { brokerOf, restoreHere, Saved, untilRestored } from '../restore/under-fire.ts';
import { frontsOf, patienceMs } from './both.ts';
import { Proxy } from './proxy.ts';

let kafka: Kafka;
let java: JavaClient;
let proxies: Proxy[];
beforeAll(async () => {
  kafka = await startKafka({ brokers: 3, proxied: true });
  java = await kafka.java();
  const brokers = kafka.listeners.proxied?.split(',') ?? [];
  proxies = await Promise.all(
    frontsOf(kafka).map(async (front, at) => Proxy.between(front, brokers[at] ?? '')),
  );
});
afterAll(async () => {
  await Promise.all(proxies.map(async (proxy) => proxy[Symbol.asyncDispose]()));
  await kafka.stop();
});

const slowly = ['--throttle', '300kB/s'];
const everyBroker = [{ id: 1 }, { id: 2 }, { id: 3 }];

/** Restores a topic that is gone, slowly, and lets things happen when a tenth of it is written. */
async function underFire(topic: string, meanwhile: (saved: Saved) => Promise<void>): Promise<CommandEnd[]> {
  await using saved = await Saved.of(kafka, { topic });
  await saved.lose();
  const running = restoreHere(saved, { more: slowly });
  await saved.holds(300);
  await meanwhile(saved);
  const ends = await untilRestored(async () => restoreHere(saved, {}), running);
  await saved.expectBack();
  return ends;
}

/** How many replicas of the topic are in sync, of its partition that has the fewest. */
async function inSyncLeast(topic: string): Promise<number> {
  const { partitions } = await java.describeTopic(topic);
  return Math.min(...partitions.map(({ inSync }) => inSync.length));
}

async function becomes(topic: string, inSync: number): Promise<void> {
  await expect.poll(async () => inSyncLeast(topic), { timeout: patienceMs, interval: 100 }).toBe(inSync);
}

test('leaders are moved all the time', async () => {
  const ends = await underFire('moved', async ({ topic }) => {
    for (let round = 0; round < 3; round += 1)
      for (let partition = 0; partition < 6; partition += 1)
        await java.moveLeader({ topic, partition, broker: 1 + ((partition + round) % 3) });
  });
  expect(ends).toHaveLength(1);
});

test('every broker is stopped and started again, one after the other', async () => {
  const ends = await underFire('restarted', async ({ topic }) => {
    for (const broker of kafka.brokers) {
      await broker.stop();
      await broker.start();
      await becomes(topic, 3);
    }
  });
  expect(ends).toHaveLength(1);
});

test('every broker is killed and started again, one after the other', async () => {
  const ends = await underFire('killed', async ({ topic }) => {
    for (const broker of kafka.brokers) {
      await broker.kill();
      await broker.start();
      await becomes(topic, 3);
    }
  });
  expect(ends).toHaveLength(1);
});

test('two brokers are killed at once: too few replicas take a batch until one is back', async () => {
  await underFire('minority', async () => {
    const [first, second] = kafka.brokers;
    await Promise.all([first?.kill(), second?.kill()]);
    await Promise.all([first?.start(), second?.start()]);
  });
});

test.each(everyBroker)('broker $id stands still until nobody counts on it, and wakes up', async ({ id }) => {
  const ends = await underFire(`frozen-${id}`, async ({ topic }) => {
    const broker = brokerOf(kafka, id);
    broker.suspend();
    await becomes(topic, 2);
    broker.resume();
  });
  expect(ends).toHaveLength(1);
});

test('a leader stands still, and wakes up only when the restore is done: the others take over long before it is given up', async () => {
  const topic = 'stands-still';
  await using saved = await Saved.of(kafka, { topic });
  await saved.lose();
  const running = restoreHere(saved, { more: slowly });
  await saved.holds(300);
  const frozen = brokerOf(kafka, 2);
  const beganMs = performance.now();
  frozen.suspend();
  await becomes(topic, 2);
  const replacedMs = performance.now() - beganMs;
  const first = await running;
  const tookMs = performance.now() - beganMs;
  frozen.resume();
  expect(first.status, first.stderr).toBe(0);
  await saved.expectBack();
  expect(tookMs).toBeLessThan(replacedMs + 40_000);
});

test('a follower stands still while the rest is written', async () => {
  const topic = 'followed';
  await using saved = await Saved.of(kafka, { topic });
  await saved.lose();
  const running = restoreHere(saved, { more: slowly });
  await saved.holds(300);
  const frozen = brokerOf(kafka, 3);
  for (let partition = 0; partition < 6; partition += 1)
    await java.moveLeader({ topic, partition, broker: 1 + (partition % 2) });
  frozen.suspend();
  const first = await running;
  frozen.resume();
  const ends = await untilRestored(async () => restoreHere(saved, {}), Promise.resolve(first));
  await saved.expectBack();
  expect(ends).toHaveLength(1);
});

test('the restore and a broker are killed together: the same command goes on while that broker is away', async () => {
  const topic = 'both-killed';
  await using saved = await Saved.of(kafka, { topic });
  await saved.lose();
  for (const [at, broker] of kafka.brokers.entries()) {
    await using running = Running.start(saved.place, ...saved.words, ...slowly);
    await saved.holds(500 * (at + 1));
    await Promise.all([running.kill(), broker.kill()]);
    if (at < 2) await broker.start();
  }
  const ends = await untilRestored(async () => restoreHere(saved, {}));
  await brokerOf(kafka, 3).start();
  await saved.expectBack();
  expect(ends[0]?.stdout).toContain('goes on with restore');
});

test('leaders that still have the deleted topic take no record of the new one, whichever broker lags', async () => {
  const topic = 'lagging';
  await using saved = await Saved.of(kafka, { topic });
  const restored = async (begun?: () => Promise<void>): Promise<CommandEnd> =>
    restoreHere(saved, { more: ['--recreate'], ...(begun && { begun }) });
  for (const broker of kafka.brokers) {
    const before = await saved.idNow();
    const running = restored(async () => broker.suspend());
    await saved.made({ before, running });
    broker.resume();
    await untilRestored(restored, running);
    await saved.expectBack();
    expect(await saved.place.json('backup')).toMatchObject({ status: 0 });
  }
});

test.each(everyBroker)(
  'broker $id, maybe the controller, dies while a topic is deleted and made',
  async ({ id }) => {
    const topic = `made-${id}`;
    await using saved = await Saved.of(kafka, { topic, count: 600 });
    const broker = brokerOf(kafka, id);
    const restored = async (begun?: () => Promise<void>): Promise<CommandEnd> =>
      restoreHere(saved, { more: ['--recreate'], ...(begun && { begun }) });
    const ends = await untilRestored(
      restored,
      restored(async () => broker.kill()),
    );
    await broker.start();
    await saved.expectBack();
    expect(ends).toHaveLength(1);
  },
);

test.each(everyBroker)('broker $id dies while groups are set', async ({ id }) => {
  const topic = `grouped-${id}`;
  await using saved = await Saved.of(kafka, { topic, count: 600, groups: 40 });
  await saved.lose();
  const running = restoreHere(saved, {});
  await saved.sets(3);
  const broker = brokerOf(kafka, id);
  await broker.kill();
  const ends = await untilRestored(async () => restoreHere(saved, {}), running);
  await broker.start();
  await saved.expectBack();
  expect(ends).toHaveLength(1);
});

test('no coordinator for more than a minute: 6, and the same command sets the groups', async () => {
  const topic = 'ungrouped';
  await using saved = await Saved.of(kafka, { topic, count: 600, groups: 40 });
  await saved.lose();
  const running = restoreHere(saved, {});
  await saved.sets(3);
  const [first, second] = kafka.brokers;
  await Promise.all([first?.kill(), second?.kill()]);
  expect(await running).toMatchObject({
    status: 6,
    stdout: expect.stringMatching(/\nNOT RESTORED \S+\n$/),
    stderr: expect.stringContaining('was not set'),
  });
  await Promise.all([first?.start(), second?.start()]);
  await untilRestored(async () => restoreHere(saved, {}));
  await saved.expectBack();
});

test('a topic that is emptied and filled again while a broker dies and leaders move', async () => {
  const topic = 'emptied';
  await using saved = await Saved.of(kafka, { topic });
  const words = ['--empty', '--no-groups'];
  const id = await saved.idNow();
  const broker = brokerOf(kafka, 2);
  const killed = Promise.withResolvers<undefined>();
  const begun = async (): Promise<void> => {
    await broker.kill();
    killed.resolve(undefined);
  };
  const running = restoreHere(saved, { more: [...words, ...slowly], begun });
  await killed.promise;
  await broker.start();
  for (let partition = 0; partition < 6; partition += 1)
    await java.moveLeader({ topic, partition, broker: 1 + (partition % 3) });
  await untilRestored(async () => restoreHere(saved, { more: words }), running);
  await saved.expectBehind();
  expect(await saved.idNow()).toBe(id);
});

test('answers are cut in their middle: what is not known to have arrived is sent again, and comes once', async () => {
  const topic = 'cut';
  await using saved = await Saved.of(kafka, { topic });
  await saved.place.configure({ kafka: { brokers: frontsOf(kafka) } });
  await saved.lose();
  const running = restoreHere(saved, { more: slowly });
  for (const records of [300, 900, 1500]) {
    await saved.holds(records);
    for (const proxy of proxies) proxy.cutAnswers(6, 0);
  }
  const ends = await untilRestored(async () => restoreHere(saved, {}), running);
  await saved.expectBack();
  expect(proxies.reduce((sum, { cuts }) => sum + cuts, 0)).toBeGreaterThan(10);
  expect(ends).toHaveLength(1);
});
