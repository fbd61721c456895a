import { expect, test } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import type { Cluster, GroupState, OffsetQuestion } from '../../src/kafka/kafka.ts';
import { groupsOfTarget, readTargetFacts } from '../../src/restore/target-facts.ts';
import { LeapingClock } from './leaping-clock.ts';

const codes = { leaderNotAvailable: 5, notLeader: 6, notCoordinator: 16, unauthorised: 30 };
const topic = 'orders';
const wanted = {
  target: topic,
  isRecreated: false,
  partitions: 1,
  replicationFactor: 1,
  configs: [],
  asked: [],
};

/** A cluster of which the election is over after so many looks at it. */
function electing(o: { looks: number; errorCode: number; isNamed: boolean }): object {
  let looks = 0;
  const isOver = (): boolean => looks > o.looks;
  return {
    clusterId: 'c',
    metadata: async () => {
      looks += 1;
      const leaderId = isOver() || o.isNamed ? 1 : -1;
      const partition = { partition: 0, leaderId, leaderEpoch: 1, errorCode: 0, replicas: [1], inSync: [1] };
      return {
        clusterId: 'c',
        controllerId: 1,
        brokers: [{ id: 1, host: 'h', port: 1 }],
        topics: [{ name: topic, topicId: 'id', errorCode: 0, partitions: [partition] }],
      };
    },
    listOffsets: async (questions: readonly OffsetQuestion[]) =>
      questions.map((row) => ({
        ...row,
        errorCode: isOver() ? 0 : o.errorCode,
        offset: 7n,
        failure: undefined,
      })),
    topicConfigs: async () => [{ topic, configs: [], failure: undefined }],
    effectiveConfigs: async () => [{ topic, configs: [{ name: 'retention.ms', value: '1' }] }],
  };
}

function portsOf(fake: object): { cluster: Cluster; clock: LeapingClock; signal: AbortSignal } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is tested asks for nothing else
  return { cluster: fake as Cluster, clock: new LeapingClock(), signal: new AbortController().signal };
}

test.each([
  { what: 'has no leader', errorCode: codes.leaderNotAvailable, isNamed: false },
  { what: 'is led by another broker by now', errorCode: codes.notLeader, isNamed: true },
])('a partition of the target that $what is asked for again until its leader answers', async (o) => {
  const ports = portsOf(electing({ ...o, looks: 3 }));
  const { topics, known } = await readTargetFacts(ports, [wanted], { addresses: 'a:1' });
  expect(topics.get(topic)?.partitions).toEqual([{ partition: 0, start: 7n, end: 7n }]);
  expect([...known]).toEqual(['retention.ms']);
});

test('a partition of the target that never gets a leader is told after a minute', async () => {
  const ports = portsOf(electing({ errorCode: codes.leaderNotAvailable, isNamed: false, looks: 1e9 }));
  const beganMs = ports.clock.now;
  await expect(readTargetFacts(ports, [wanted], { addresses: 'a:1' })).rejects.toMatchObject({
    code: 'kafka-unreachable',
    message: expect.stringContaining('LEADER_NOT_AVAILABLE'),
  });
  expect(ports.clock.now - beganMs).toBeGreaterThanOrEqual(60_000);
});

function coordinating(answers: readonly number[]): { fake: object; asked: () => number } {
  let asked = 0;
  const groupStates = async (groups: readonly string[]): Promise<GroupState[]> => {
    const errorCode = answers[Math.min(asked, answers.length - 1)] ?? 0;
    asked += 1;
    return groups.map((group) => ({ group, errorCode, state: 'Empty', members: [] }));
  };
  return { fake: { groupNames: async () => ['shipping'], groupStates }, asked: () => asked };
}

test('groups whose coordinator moves are looked at again until it answers', async () => {
  const { fake, asked } = coordinating([codes.notCoordinator, codes.notCoordinator, 0]);
  const states = await groupsOfTarget(['billing'], portsOf(fake));
  expect(states.map(({ group, errorCode }) => [group, errorCode])).toEqual([
    ['billing', 0],
    ['shipping', 0],
  ]);
  expect(asked()).toBe(3);
});

test('a group that may not be looked at is refused at once, and only where it is to be set', async () => {
  const { fake, asked } = coordinating([codes.unauthorised]);
  await expect(groupsOfTarget(['billing'], portsOf(fake))).rejects.toBeInstanceOf(VarveError);
  expect(asked()).toBe(1);
  expect(await groupsOfTarget([], portsOf(fake))).toMatchObject([{ group: 'shipping' }]);
});
