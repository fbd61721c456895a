import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JavaClient, type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { connectCluster, type Cluster, type SavedGroup } from '../../src/kafka/kafka.ts';
import { eventually, realPorts, settings } from './given.ts';

let kafka: Kafka;
let java: JavaClient;
let cluster: Cluster;

/** Each has a limit for its answer, so that they can be counted: how long they take is the machine's affair. */
let requests = 0;
const counting: typeof realPorts = {
  ...realPorts,
  after(delayMs, run) {
    requests += 1;
    return realPorts.after(delayMs, run);
  },
};

beforeAll(async () => {
  kafka = await startKafka({ brokers: 3, sasl: true });
  java = await kafka.java();
  cluster = await connectCluster({ settings: settings(kafka.bootstrap), ports: counting });
  await java.createTopic({ topic: 'read', partitions: 3 });
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await kafka?.stop();
});

const toKafka = (): string[] => ['--bootstrap-server', kafka.bootstrap];
const all = { without: (): boolean => false };

async function commits(group: string, offset: bigint): Promise<void> {
  const row = { topic: 'read', partition: 0, offset, leaderEpoch: 0, metadata: `of ${group}` };
  await eventually(async () => cluster.commitOffsets(group, [row]));
}

function named(groups: readonly SavedGroup[], name: string): SavedGroup | undefined {
  return groups.find(({ group }) => group === name);
}

/** The broker's listener with SASL, where the authorizer judges. */
async function asAlice(): Promise<Cluster> {
  return connectCluster({
    settings: settings(kafka.listeners.saslPlain ?? '', {
      sasl: { mechanism: 'PLAIN', username: 'alice', password: kafka.sasl?.password ?? '' },
    }),
    ports: realPorts,
  });
}

describe('saved groups', () => {
  test('are those of all brokers, with every offset as the Java client reads it', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `saved-${String(index).padStart(2, '0')}`);
    for (const [index, name] of names.entries()) await commits(name, BigInt(index));
    await java.commitOffsets({
      group: 'saved-java',
      offsets: [0, 1, 2].map((partition) => ({ topic: 'read', partition, offset: 7n, metadata: 'ü' })),
    });

    const saved = await cluster.savedGroups({ without: (group) => !group.startsWith('saved-') });

    expect(saved.map(({ group }) => group)).toEqual([...names, 'saved-java']);
    for (const name of ['saved-00', 'saved-17', 'saved-59', 'saved-java']) {
      const sorted = named(saved, name)?.offsets.toSorted((a, b) => a.partition - b.partition);
      expect(sorted).toEqual(await java.listGroupOffsets(name));
      expect(named(saved, name)).toMatchObject({ state: 'Empty' });
    }
    // The oracle of "all brokers": a bulk answer that came from one coordinator alone would miss two thirds.
    const listed = await kafka.runTool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', [
      ...toKafka(),
      '--list',
    ]);
    const told = listed.stdout.split('\n').filter((line) => line.startsWith('saved-'));
    expect(saved.map(({ group }) => group)).toEqual(told.toSorted());
  });

  test('leave out the groups that are not wanted, and those without offsets', async () => {
    await commits('varve-ours', 1n);
    await commits('theirs', 1n);

    const saved = await cluster.savedGroups({ without: (group) => group.startsWith('varve-') });

    expect(named(saved, 'theirs')?.offsets).toHaveLength(1);
    expect(named(saved, 'varve-ours')).toBeUndefined();
  });

  test('have the offsets of every topic, and what a consumer that joined leaves behind', async () => {
    await java.createTopic({ topic: 'second', partitions: 1 });
    await java.produce({ topic: 'second', records: [{ partition: 0, value: 'v' }] });
    const consumed = [
      '--topic',
      'second',
      '--group',
      'two-topics',
      '--from-beginning',
      '--max-messages',
      '1',
    ];
    await kafka.runTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [...toKafka(), ...consumed]);
    await eventually(async () =>
      cluster.commitOffsets('two-topics', [
        { topic: 'read', partition: 2, offset: 5n, leaderEpoch: -1, metadata: 'x'.repeat(4000) },
      ]),
    );

    const group = named(await cluster.savedGroups(all), 'two-topics');

    expect(group).toMatchObject({ protocolType: 'consumer', state: 'Empty' });
    const inOrder = group?.offsets.toSorted((a, b) => (a.topic < b.topic ? -1 : 1));
    expect(inOrder).toEqual(await java.listGroupOffsets('two-topics'));
    expect(inOrder).toMatchObject([
      { topic: 'read', partition: 2, offset: 5n, leaderEpoch: -1, metadata: 'x'.repeat(4000) },
      { topic: 'second', partition: 0, offset: 1n, metadata: '' },
    ]);
  });

  test('are without the group whose offsets were deleted, and without offsets that are none', async () => {
    await commits('emptied', 3n);
    await commits('partly', 3n);
    const none = { topic: 'read', partition: 1, offset: -1n, leaderEpoch: -1, metadata: '' };
    await eventually(async () => cluster.commitOffsets('partly', [none]));
    expect(named(await cluster.savedGroups(all), 'emptied')?.offsets).toHaveLength(1);

    const deleted = ['--delete-offsets', '--group', 'emptied', '--topic', 'read'];
    await kafka.runTool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', [
      ...toKafka(),
      ...deleted,
    ]);

    const saved = await cluster.savedGroups(all);
    expect(named(saved, 'emptied')).toBeUndefined();
    expect(named(saved, 'partly')?.offsets).toMatchObject([{ partition: 0, offset: 3n }]);
  });

  test('are read in a few requests when there are 300', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `many-${String(index).padStart(3, '0')}`);
    await Promise.all(names.map(async (name, index) => commits(name, BigInt(index))));
    const before = requests;

    const saved = await cluster.savedGroups({ without: (group) => !group.startsWith('many-') });

    expect(requests - before).toBeLessThan(40);
    expect(saved.map(({ group, offsets }) => [group, offsets.map(({ offset }) => offset)])).toEqual(
      names.map((name, index) => [name, [BigInt(index)]]),
    );
  });

  test('keep a group that may not be read as a row that says so', async () => {
    await commits('hidden', 1n);
    await commits('shown', 1n);
    await java.setAcl({ group: 'hidden', username: 'alice', permission: 'DENY', operation: 'DESCRIBE' });
    await using ofAlice = await asAlice();

    await expect
      .poll(async () => named(await ofAlice.savedGroups(all), 'hidden')?.failure)
      .toMatchObject({ code: 'kafka-refused', message: expect.stringContaining('group hidden') });

    const saved = await ofAlice.savedGroups(all);
    expect(named(saved, 'hidden')?.offsets).toEqual([]);
    expect(named(saved, 'shown')?.offsets).toHaveLength(1);
    expect(named(saved, 'shown')?.failure).toBeUndefined();
  });
});

describe('topic configs', () => {
  test('are what is set on each topic itself, as the Java client sees it', async () => {
    await java.createTopic({
      topic: 'configured',
      partitions: 1,
      configs: { 'retention.ms': '-1', 'cleanup.policy': 'compact,delete' },
    });
    await java.alterConfigs({ topic: 'configured', configs: { 'segment.bytes': '2000000' } });

    // A change reaches the brokers one after the other.
    await expect
      .poll(async () => (await cluster.topicConfigs(['configured']))[0]?.configs)
      .toContainEqual({ name: 'segment.bytes', value: '2000000' });
    const [configured, plain] = await cluster.topicConfigs(['configured', 'read']);

    expect(configured).toEqual({
      topic: 'configured',
      configs: [
        { name: 'cleanup.policy', value: 'compact,delete' },
        { name: 'retention.ms', value: '-1' },
        { name: 'segment.bytes', value: '2000000' },
      ],
    });
    await expect
      .poll(async () => java.describeConfigs('configured'))
      .toMatchObject({ 'segment.bytes': '2000000' });
    expect(plain).toEqual({ topic: 'read', configs: [] });
  });

  test('of a topic that is not there are a row that says so, beside the others', async () => {
    const [absent, there] = await cluster.topicConfigs(['absent', 'read']);

    expect(absent?.failure).toMatchObject({ message: expect.stringContaining('topic absent') });
    expect(there?.failure).toBeUndefined();
  });

  test('are asked for in a few requests, however many topics there are', async () => {
    const names = Array.from({ length: 3000 }, (_, index) => `absent-${index}`);
    const before = requests;

    const rows = await cluster.topicConfigs([...names, 'read']);

    expect(rows).toHaveLength(3001);
    expect(rows.at(-1)).toEqual({ topic: 'read', configs: [] });
    expect(requests - before).toBeLessThan(40);
  });
});

describe('access', () => {
  test('is every access list entry, every SCRAM user, every quota', async () => {
    const bob = { username: 'bob', permission: 'ALLOW' } as const;
    await java.setAcl({ topic: 'a', username: 'eve', host: '10.0.0.1', permission: 'DENY' });
    await java.setAcl({ topic: 'pre', prefixed: true, ...bob, operation: 'WRITE' });
    await java.setAcl({ topic: 'pre', prefixed: true, ...bob, operation: 'DESCRIBE_CONFIGS' });
    const quota = 'producer_byte_rate';
    await java.setQuota({ clientId: 'loader', quota, bytesPerSecond: 1024 });
    await java.setQuota({ clientId: null, user: 'bob', quota, bytesPerSecond: 200 });

    await expect
      .poll(async () => cluster.access())
      .toMatchObject({
        acls: { rows: expect.arrayContaining([expect.objectContaining({ operation: 'DescribeConfigs' })]) },
        quotas: { rows: [{}, {}] },
      });

    const { acls, scramUsers, quotas } = await cluster.access();
    const here = { resourceType: 'topic', resource: 'a', patternType: 'literal', principal: 'User:eve' };
    const pre = { resourceType: 'topic', resource: 'pre', patternType: 'prefixed', principal: 'User:bob' };
    const allowed = { host: '*', permission: 'allow' };
    expect('rows' in acls && acls.rows).toEqual(
      expect.arrayContaining([
        { ...here, host: '10.0.0.1', operation: 'All', permission: 'deny' },
        { ...pre, ...allowed, operation: 'Write' },
        { ...pre, ...allowed, operation: 'DescribeConfigs' },
      ]),
    );
    expect(
      'rows' in scramUsers && scramUsers.rows.toSorted((a, b) => (a.mechanism < b.mechanism ? -1 : 1)),
    ).toEqual([
      { user: 'alice', mechanism: 'SCRAM-SHA-256', iterations: 4096 },
      { user: 'alice', mechanism: 'SCRAM-SHA-512', iterations: 4096 },
    ]);
    expect('rows' in quotas && quotas.rows).toEqual(
      expect.arrayContaining([
        { entity: [['client-id', 'loader']], limits: [[quota, 1024]] },
        {
          entity: expect.arrayContaining([
            ['user', 'bob'],
            ['client-id', null],
          ]),
          limits: [[quota, 200]],
        },
      ]),
    );
  });

  test('that this user is not told says why, and what to grant', async () => {
    for (const operation of ['DESCRIBE', 'DESCRIBE_CONFIGS'] as const)
      await java.setAcl({ cluster: 'kafka-cluster', username: 'alice', permission: 'DENY', operation });
    await using ofAlice = await asAlice();
    await expect
      .poll(async () => ofAlice.access())
      .toEqual({
        acls: {
          refusal: expect.stringMatching(/^access lists: .*CLUSTER_AUTHORIZATION_FAILED.*grant.*DESCRIBE/),
        },
        scramUsers: { refusal: expect.stringMatching(/^SCRAM users: .*DESCRIBE on the cluster/) },
        quotas: { refusal: expect.stringMatching(/^quotas: .*DESCRIBE_CONFIGS on the cluster/) },
      });
  });
});
