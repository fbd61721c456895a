import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type JavaClient, type Kafka, type KafkaBroker } from '../../scripts/kafka/kafka.ts';
import { Backup } from '../sink/backup.ts';
import { configure, Daemon } from '../sink/processes.ts';
import { Load } from './load.ts';
import { Proxy } from './proxy.ts';

const patienceMs = 240_000;
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
  proxies = await Promise.all(fronts().map(async (front, at) => Proxy.between(front, brokers[at] ?? '')));
});
afterAll(async () => {
  await Promise.all(proxies.map(async (proxy) => proxy[Symbol.asyncDispose]()));
  await kafka.stop();
});

function fronts(): string[] {
  return kafka.listeners.fronts?.split(',') ?? [];
}

function brokerOf(id: number | undefined): KafkaBroker {
  const broker = kafka.brokers.find((one) => one.id === id);
  if (broker === undefined) throw new Error(`no broker ${id}`);
  return broker;
}

/** One daemon that reads from leaders and one that reads from the replicas in a rack, which must come to the same. */
class Both implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly daemons: Daemon[] = [];
  readonly backups: Backup[] = [];

  static async of(include: readonly string[]): Promise<Both> {
    const both = new Both();
    for (const rack of [undefined, 'west']) {
      const backup = both.#stack.use(await Backup.of(kafka, { include }));
      const place = rack === undefined ? {} : { rack };
      await configure(backup, { kafka: { brokers: fronts(), ...place } });
      both.backups.push(backup);
      both.daemons.push(both.#stack.use(await Daemon.following(backup)));
    }
    return both;
  }

  /** Everything that is there now has been read, and nothing was lost on the way. */
  async caughtUp(): Promise<void> {
    for (const backup of this.backups) {
      // A catch-up that meets trouble names what it could not have; behind the trouble, it has it.
      await expect
        .poll(async () => (await backup.catchUp()).missing, { timeout: patienceMs, interval: 100 })
        .toEqual([]);
    }
  }

  async exact(topic: string): Promise<number> {
    let records = 0;
    for (const backup of this.backups) records = await backup.expectExact(topic);
    return records;
  }

  /** Of one kind of event, how many each daemon has told, for one topic or for all. */
  told(event: string, topic?: string): number[] {
    return this.daemons.map(
      ({ lines }) =>
        lines.filter((line) => line.event === event && (topic === undefined || line['topic'] === topic))
          .length,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
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

async function fill(topic: string, word: string, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, index) => ({ value: `${word} ${index}`, partition: 0 }));
  await java.produce({ topic, records, batchSize: 500 });
}

test('brokers killed, paused and cut off, leaders moved, partitions added, topics made anew, under load: every committed record once', async () => {
  await java.createTopic({ topic: 'load', partitions: 6, ...replicated });
  await java.createTopic({ topic: 'moved', partitions: 1, replicationFactor: 2 });
  await java.createTopic({ topic: 'again', partitions: 1, ...replicated });
  await using both = await Both.of(['load', 'moved', 'again']);
  let acknowledged = 0;
  const firstLives: { topicId: string; lines: string[] }[] = [];
  {
    await using load = new Load(java, { topic: 'load', partitions: 6 });
    await load.more(1);

    for (const broker of kafka.brokers) {
      await broker.kill();
      await load.more(1);
      await broker.start();
      await calmReplicas('load');
    }
    await both.caughtUp();

    for (let partition = 0; partition < 6; partition += 1) {
      const broker = 1 + ((partition + load.rounds) % 3);
      await java.moveLeader({ topic: 'load', partition, broker });
    }
    for (const broker of [1, 2, 3, 1]) {
      // A replica that is read may leave the set.
      await java.moveLeader({ topic: 'moved', partition: 0, broker });
      await fill('moved', `led by ${broker}`, 500);
    }
    await both.caughtUp();

    for (const broker of kafka.brokers) {
      broker.suspend();
      await load.more(1);
      broker.resume();
      await calmReplicas('load');
    }
    await both.caughtUp();

    for (const proxy of proxies) {
      proxy.cutAnswers(5, 4_000);
      await load.more(1);
    }
    expect(proxies.map(({ cuts }) => cuts > 0)).toContain(true);
    await java.createPartitions({ topic: 'load', count: 9 });
    load.partitions = 9;
    await load.more(1);
    await both.caughtUp();

    for (const broker of kafka.brokers) {
      await fill('again', `life ${firstLives.length}`, 300 - 100 * firstLives.length);
      await both.caughtUp();
      const { topicId } = await java.describeTopic('again');
      firstLives.push({ topicId, lines: await java.consumeLines({ topic: 'again' }) });
      // It wakes up with the old topic, and hears of the new one while it is asked for it.
      broker.suspend();
      await load.more(0);
      await java.deleteTopic('again');
      broker.resume();
      await java.createTopic({ topic: 'again', partitions: 1, ...replicated });
      await calmReplicas('load');
    }
    await fill('again', 'the last life', 50);
    ({ acknowledged } = load);
  }
  for (const topic of ['load', 'moved', 'again']) await calm(topic);
  await both.caughtUp();
  expect(await both.exact('load')).toBeGreaterThanOrEqual(acknowledged);
  await both.exact('moved');
  await both.exact('again');
  for (const backup of both.backups) {
    for (const { topicId, lines } of firstLives) {
      const { stdout } = await backup.run('cat', '--topic', 'again', `--incarnation=${topicId}`, '--json');
      expect(stdout.split('\n').slice(0, -1)).toEqual(lines);
    }
  }
  for (const event of ['gap', 'truncated', 'partition-stopped']) expect(both.told(event)).toEqual([0, 0]);
});

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

test("elections that rewrite records, and bring back what was rewritten, are truncations; the cluster's records are what is read", async () => {
  const topic = 'flipped';
  const { partitions } = await java.createTopic({ topic, ...unclean });
  const [one, two] = partitions[0]?.replicas ?? [];
  await using both = await Both.of([topic]);
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
