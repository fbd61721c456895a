import { expect, test } from 'vitest';
import type { CatchUpReport } from '../../src/sink/sink.ts';
import { hostWith, openedSink } from './disk-trial.ts';

const minuteMs = 60_000;
const leaderNotAvailable = 5;
const notLeader = 6;

type Given = ReturnType<typeof hostWith>;

const without = (partition: number): object =>
  partition === 0 ? { errorCode: leaderNotAvailable, leaderId: -1 } : {};

type Meddle = (given: Given, isOver: () => boolean) => void;

const troubles: readonly { trouble: string; meddle: Meddle }[] = [
  {
    trouble: 'a partition has no leader',
    meddle: ({ cluster }, isOver) => {
      const metadata = cluster.metadata.bind(cluster);
      cluster.metadata = async () => {
        const told = await metadata();
        if (isOver()) return told;
        const topics = told.topics.map((topic) => ({
          ...topic,
          partitions: topic.partitions.map((row) => ({ ...row, ...without(row.partition) })),
        }));
        return { ...told, topics };
      };
    },
  },
  ...[-1n, -2n].map((asked) => ({
    trouble: `the leader that is known leads no more when asked where the log ${asked === -1n ? 'ends' : 'begins'}`,
    meddle: ({ cluster }: Given, isOver: () => boolean): void => {
      const listOffsets = cluster.listOffsets.bind(cluster);
      cluster.listOffsets = async (questions) => {
        const answers = await listOffsets(questions);
        if (isOver()) return answers;
        return answers.map((answer, index) =>
          answer.partition === 0 && questions[index]?.timestamp === asked
            ? { ...answer, errorCode: notLeader, offset: -1n }
            : answer,
        );
      };
    },
  })),
];

async function backedUp(meddle: (given: Given) => void): Promise<{ report: CatchUpReport; tookMs: number }> {
  const given = hostWith();
  const { clock, cluster, host } = given;
  for (const log of cluster.logs) log.produce(3, clock.nowMs());
  meddle(given);
  const beganMs = clock.steadyMs();
  await using opened = await openedSink({ host, cluster, mode: 'catch-up', emit: () => undefined });
  const report = await opened.sink.catchUp();
  return { report, tookMs: clock.steadyMs() - beganMs };
}

test.for(troubles)(
  'a backup while $trouble waits for the election and misses nothing',
  async ({ meddle }) => {
    const { report } = await backedUp((given) => {
      const beganMs = given.clock.steadyMs();
      meddle(given, () => given.clock.steadyMs() - beganMs >= 10_000);
    });
    expect(report).toMatchObject({ missing: [], records: 18, partitions: 2 });
  },
);

test.for(troubles)('a backup while $trouble, for good, names it, and has the rest', async ({ meddle }) => {
  const { report, tookMs } = await backedUp((given) => meddle(given, () => false));
  expect(report).toMatchObject({ records: 9, missing: [{ topic: 'orders', partition: 0 }] });
  expect(tookMs).toBeLessThan(minuteMs);
});
