import { expect, test } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import type { Cluster, CommittedOffset, OffsetToCommit } from '../../src/kafka/kafka.ts';
import { setGroups } from '../../src/restore/group-work.ts';
import { changeSettings, createTopic, deleteTopic } from '../../src/restore/target-topic.ts';
import { LeapingClock } from './leaping-clock.ts';

const codes = { unknownTopic: 3, timedOut: 7, exists: 36, notController: 41, active: 25 };
const away = new VarveError('kafka-unreachable', 'the broker is away', { retryable: true });
const change = {
  group: 'billing',
  offsets: [{ topic: 'orders', partition: 0, offset: 7n, metadata: 'half way' }],
};
const wanted = { topic: 'orders', partitions: 1, replicationFactor: 3, configs: [], oldId: 'old' };

/** Answers in their turn, the last of them for ever; what is an error is thrown. */
function inTurn<T>(...answers: (T | Error)[]): () => Promise<T> {
  let turn = 0;
  return async () => {
    const answer = answers[Math.min(turn, answers.length - 1)];
    turn += 1;
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer given');
    return answer;
  };
}

function portsOf(fake: object): { cluster: Cluster; clock: LeapingClock; signal: AbortSignal } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is tested asks for nothing else
  const cluster = fake as Cluster;
  return { cluster, clock: new LeapingClock(), signal: new AbortController().signal };
}

/** A coordinator that keeps what is committed, once it takes it. */
function coordinator(o: { commits?: (number | Error)[]; reads?: (0 | Error)[] }): object {
  let kept: readonly OffsetToCommit[] = [];
  const commit = inTurn(...(o.commits ?? [0]));
  const read = inTurn(...(o.reads ?? [0]));
  return {
    groupStates: async () => [{ group: 'billing', errorCode: 0, state: 'Empty', members: [] }],
    commitOffsets: async (_group: string, rows: readonly OffsetToCommit[]) => {
      const errorCode = await commit();
      if (errorCode === 0) kept = rows;
      return rows.map(({ topic, partition }) => ({ topic, partition, errorCode }));
    },
    deleteOffsets: async () => [],
    committedOffsets: async (): Promise<CommittedOffset[]> => {
      await read();
      return kept.map((row) => ({ ...row, errorCode: 0 }));
    },
  };
}

async function setOn(fake: object): ReturnType<typeof setGroups> {
  const { cluster, ...waiting } = portsOf(fake);
  return await setGroups(cluster, [change], waiting);
}

test('coordinators that stay away are waited for once, and not for every group', async () => {
  const { cluster, ...waiting } = portsOf(coordinator({ commits: [away] }));
  const beganMs = waiting.clock.now;
  const changes = ['billing', 'shipping', 'tax'].map((group) => ({ ...change, group }));
  const outcomes = await setGroups(cluster, changes, waiting);
  expect(outcomes.map(({ mayPass }) => mayPass)).toEqual([true, true, true]);
  expect(waiting.clock.now - beganMs).toBeLessThan(70_000);
});

test.each([
  { what: 'has not heard of the topic yet', fake: coordinator({ commits: [codes.unknownTopic, 0] }) },
  { what: 'dies before it answers', fake: coordinator({ commits: [away, 0] }) },
  { what: 'dies before the offsets are read back', fake: coordinator({ reads: [away, away, 0] }) },
])('a coordinator that $what: the group is set by itself', async ({ fake }) => {
  expect(await setOn(fake)).toMatchObject([{ group: 'billing', problem: undefined, mayPass: false }]);
});

test('a coordinator that stays away is a problem that passes; a group that became active is none', async () => {
  const problem = 'the broker is away';
  expect(await setOn(coordinator({ commits: [away] }))).toMatchObject([{ problem, mayPass: true }]);
  const active = await setOn(coordinator({ commits: [codes.active] }));
  expect(active).toMatchObject([{ problem: expect.stringContaining('UNKNOWN_MEMBER_ID'), mayPass: false }]);
});

function topics(...found: { topicId: string; end?: bigint }[]): object {
  const [last] = found.slice(-1);
  const partitions = [{ partition: 0, leaderId: 1 }];
  return {
    metadata: inTurn(
      ...found.map(({ topicId }) => ({
        topics: topicId === '' ? [] : [{ name: 'orders', topicId, errorCode: 0, partitions }],
      })),
    ),
    topicConfigs: async () => [{ topic: 'orders', configs: [] }],
    listOffsets: async () => [{ partition: 0, errorCode: 0, offset: last?.end ?? 0n }],
  };
}

test("a topic whose making was not answered is taken for ours where it is empty, and for nobody else's", async () => {
  const createTopics = inTurn([{ errorCode: codes.timedOut }], [{ errorCode: codes.exists }]);
  const made = portsOf({ ...topics({ topicId: 'new' }), createTopics });
  expect(await createTopic(made, wanted)).toBe('new');
  const createAgain = inTurn([{ errorCode: codes.exists }]);
  const filled = portsOf({ ...topics({ topicId: 'new', end: 3n }), createTopics: createAgain });
  await expect(createTopic(filled, wanted)).rejects.toMatchObject({
    code: 'interrupted',
    message: expect.stringContaining('by somebody else'),
  });
});

test("a broker that still tells of the deleted topic does not make the new one somebody else's", async () => {
  const createTopics = inTurn([{ errorCode: codes.exists }]);
  const ports = portsOf({ ...topics({ topicId: 'old' }, { topicId: '' }, { topicId: 'new' }), createTopics });
  expect(await createTopic(ports, wanted)).toBe('new');
});

test('a controller that moves while a topic is deleted, or its settings are changed, is asked again', async () => {
  const deleteTopics = inTurn<object>([{ errorCode: codes.notController }], away, [{ errorCode: 0 }]);
  const found = Array.from({ length: 4 }, () => ({ topicId: 'old' }));
  const ports = portsOf({ ...topics(...found, { topicId: '' }), deleteTopics });
  await deleteTopic(ports, { topic: 'orders', topicId: 'old' });
  const changeTopicConfigs = inTurn<object>(away, [{ errorCode: codes.notController }], [{ errorCode: 0 }]);
  await changeSettings(portsOf({ changeTopicConfigs }), 'orders', [['retention.ms', '-1']]);
});
