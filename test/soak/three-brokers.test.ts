import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type JavaClient, type Kafka, type KafkaBroker } from '../../scripts/kafka/kafka.ts';
import { Both, frontsOf, patienceMs } from './both.ts';
import { Load } from './load.ts';
import { Proxy } from './proxy.ts';

const replicated = { replicationFactor: 3, configs: { 'min.insync.replicas': '2' } };
const unclean = {
  replicationFactor: 2,
  configs: { 'unclean.leader.election.enable': 'true', 'min.insync.replicas': '1' },
};

let kafka: Kafka;
let java: JavaClient;
let proxies: Proxy[];
beforeAll(async () => {
  kafka = await startKafka({
    brokers: 3,
    proxied: true,
    racks: ['east', 'west', 'south'],
    properties: { 'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector' },
  });
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

function brokerOf(id: number | undefined): KafkaBroker {
  const broker = kafka.brokers.find((one) => one.id === id);
  if (broker === undefined) throw new Error(`no broker ${id}`);
  return broker;
}

/** Nothing is on its way any more: all replicas are in sync, and every transaction has ended. */
async function calm(topic: string): Promise<void> {
  await expect
    .poll(
      async () => {
        const { partitions } = await java.describeTopic(topic);
        const offsets = await java.listOffsets(topic);
        return (
          partitions.every(({ inSync, replicas }) => inSync.length === replicas.length) &&
          offsets.every(({ stable, latest }) => stable === latest)
        );
      },
      { timeout: patienceMs, interval: 100 },
    )
    .toBe(true);
}

async function ledBy(topic: string, leader: number | undefined, inSync: number): Promise<void> {
  await expect
    .poll(
      async () => {
        const [now] = (await java.describeTopic(topic)).partitions;
        return { leader: now?.leader, inSync: now?.inSync.length };
      },
      { timeout: patienceMs, interval: 100 },
    )
    .toEqual({ leader, inSync });
}

async function idOf(topic: string): Promise<string> {
  return (await java.describeTopic(topic)).topicId;
}

async function fill(topic: string, word: string, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, index) => ({ value: `${word} ${index}`, partition: 0 }));
  await java.produce({ topic, records, batchSize: 500 });
}

/** Every replica is in sync, though there is load. */
async function calmReplicas(topic: string): Promise<void> {
  await expect
    .poll(
      async () => {
        const { partitions } = await java.describeTopic(topic);
        return partitions.every(({ inSync, replicas }) => inSync.length === replicas.length);
      },
      { timeout: patienceMs, interval: 100 },
    )
    .toBe(true);
}

/** Nobody counts on it any more, the controllers included: others lead. */
async function fenced(topic: string, broker: KafkaBroker): Promise<void> {
  const isOut = async (): Promise<boolean> => {
    const { partitions } = await java.describeTopic(topic);
    return partitions.every(({ leader, inSync }) => leader !== broker.id && !inSync.includes(broker.id));
  };
  await expect.poll(isOut, { timeout: patienceMs, interval: 100 }).toBe(true);
}

/**
 * A topic of six partitions under load, and others beside it. Behind whatever happens meanwhile both daemons have all
 * that was acknowledged, once, and nothing that they took for a loss.
 */
async function underLoad(
  topic: string,
  o: { beside?: readonly string[]; meanwhile: (both: Both, load: Load) => Promise<void> },
): Promise<void> {
  const { beside = [], meanwhile } = o;
  await java.createTopic({ topic, partitions: 6, ...replicated });
  await using both = await Both.of(kafka, [topic, ...beside]);
  let acknowledged = 0;
  {
    await using load = new Load(java, { topic, partitions: 6 });
    await load.more(1);
    await meanwhile(both, load);
    await both.caughtUp();
    ({ acknowledged } = load);
  }
  for (const one of [topic, ...beside]) await calm(one);
  await both.caughtUp();
  expect(await both.exact(topic)).toBeGreaterThanOrEqual(acknowledged);
  for (const one of beside) await both.exact(one);
  for (const event of ['gap', 'truncated', 'partition-stopped']) expect(both.told(event)).toEqual([0, 0]);
}

test('leaders are killed and started again under load: every committed record once', async () => {
  await underLoad('killed', {
    async meanwhile(_both, load) {
      for (const broker of kafka.brokers) {
        await broker.kill();
        await load.more(1);
        await broker.start();
        await calmReplicas('killed');
      }
    },
  });
});

test('leaders are moved under load, away from all replicas that were read, too: every committed record once', async () => {
  await java.createTopic({ topic: 'moved.small', partitions: 1, replicationFactor: 2 });
  await underLoad('moved', {
    beside: ['moved.small'],
    async meanwhile(_both, load) {
      for (let partition = 0; partition < 6; partition += 1) {
        const broker = 1 + ((partition + load.rounds) % 3);
        await java.moveLeader({ topic: 'moved', partition, broker });
      }
      for (const broker of [1, 2, 3, 1]) {
        await java.moveLeader({ topic: 'moved.small', partition: 0, broker });
        await fill('moved.small', `led by ${broker}`, 500);
      }
    },
  });
});

test('brokers stand still under load: every committed record once', async () => {
  await underLoad('paused', {
    async meanwhile(_both, load) {
      for (const broker of kafka.brokers) {
        broker.suspend();
        await load.more(1);
        broker.resume();
        await calmReplicas('paused');
      }
    },
  });
});

test('a leader that lags answers, under load, those who have not heard of the next one either: every committed record once', async () => {
  await underLoad('lagging', {
    async meanwhile(both, load) {
      for (const broker of kafka.brokers) {
        await both.caughtUp();
        broker.suspend();
        both.signal('SIGSTOP');
        await fenced('lagging', broker);
        await load.more(1);
        // Who reads still asks the old leader, which wakes up as the leader of the epoch that it was asked for.
        broker.resume();
        both.signal('SIGCONT');
        await load.more(0);
        await calmReplicas('lagging');
      }
    },
  });
});

test('answers are cut in their middle and partitions added under load: every committed record once', async () => {
  await underLoad('cut', {
    async meanwhile(_both, load) {
      for (const proxy of proxies) {
        proxy.cutAnswers(5, 4_000);
        await load.more(1);
      }
      expect(proxies.map(({ cuts }) => cuts > 0)).toContain(true);
      await java.createPartitions({ topic: 'cut', count: 9 });
      load.partitions = 9;
      await load.more(1);
    },
  });
});

test('topics are deleted and made anew under load, read to their end or not: each life is kept by itself', async () => {
  const anew = ['again', 'churned'];
  const make = async (): Promise<void> => {
    for (const topic of anew) await java.createTopic({ topic, partitions: 1, ...replicated });
  };
  const lives: { again: string; lines: string[]; churned: string }[] = [];
  await make();
  await underLoad('steady', {
    beside: anew,
    async meanwhile(both) {
      for (const broker of kafka.brokers) {
        await fill('again', `life ${lives.length}`, 300 - 100 * lives.length);
        await both.caughtUp();
        const lines = await java.consumeLines({ topic: 'again' });
        const [again = '', churned = ''] = await Promise.all(anew.map(idOf));
        lives.push({ again, lines, churned });
        broker.suspend();
        await fenced('steady', broker);
        await fill('churned', 'value', 5000);
        for (const topic of anew) await java.deleteTopic(topic);
        // It wakes up with the old topics, and hears of the new ones while it is asked for them.
        broker.resume();
        await make();
        await calmReplicas('steady');
      }
      for (const topic of anew) await fill(topic, 'the last life', 50);
      for (const backup of both.backups) {
        const saved = async (topic: string, id: string): Promise<string[]> => {
          const { stdout } = await backup.run('cat', '--topic', topic, `--incarnation=${id}`, '--json');
          return stdout.split('\n').slice(0, -1);
        };
        for (const life of lives) {
          expect(await saved('again', life.again)).toEqual(life.lines);
          const offsets = (await saved('churned', life.churned)).map((line) => JSON.parse(line).offset);
          expect(offsets).toEqual(offsets.map((_, index) => index));
        }
      }
    },
  });
});

test("elections that rewrite records, and bring back what was rewritten, are truncations; the cluster's records are what is read", async () => {
  const topic = 'flipped';
  const { partitions } = await java.createTopic({ topic, ...unclean });
  const [one, two] = partitions[0]?.replicas ?? [];
  await using both = await Both.of(kafka, [topic]);
  await fill(topic, 'common', 100);
  await brokerOf(two).kill();
  await ledBy(topic, one, 1);
  await fill(topic, 'first', 60);
  await both.caughtUp();

  await brokerOf(one).kill();
  await brokerOf(two).start();
  await ledBy(topic, two, 1);
  await fill(topic, 'second', 40);
  await both.caughtUp();
  expect(await both.exact(topic)).toBe(140);

  await brokerOf(two).kill();
  await brokerOf(one).start();
  await ledBy(topic, one, 1);
  await fill(topic, 'third', 30);
  await both.caughtUp();
  expect(await both.exact(topic)).toBe(190);

  await brokerOf(two).start();
  await ledBy(topic, one, 2);
  await fill(topic, 'fourth', 20);
  await both.caughtUp();
  expect(await both.exact(topic)).toBe(210);
  expect(both.told('truncated', topic)).toEqual([2, 2]);
  for (const event of ['gap', 'partition-stopped']) expect(both.told(event, topic)).toEqual([0, 0]);
  for (const backup of both.backups) {
    const segments = await backup.segments(topic);
    const saved = await Promise.all(segments.map(async ({ path }) => readFile(path, 'latin1')));
    for (const word of ['first 59', 'second 39'])
      expect(saved.some((bytes) => bytes.includes(word))).toBe(true);
  }
});
