import { expect, test } from 'vitest';
import { planSample, type Candidate } from '../../src/drill/drill.ts';

const limits = { bytesMax: Infinity, partitionsMax: 1000, turn: 0 };

/** A topic whose partitions hold so many bytes each, a byte an offset. */
function topicOf(topic: string, ...bytes: number[]): Candidate {
  return {
    topic,
    topicId: `id-${topic}`,
    partitionCount: bytes.length,
    partitions: bytes.map((rawBytes, partition) => ({
      partition,
      rawBytes,
      ranges: [{ from: 100n, to: 100n + BigInt(rawBytes) }],
    })),
  };
}

function lengths(candidates: readonly Candidate[], o: Partial<typeof limits>): Record<string, number[]> {
  const { topics } = planSample(candidates, { ...limits, ...o });
  return Object.fromEntries(
    topics.map(({ topic, partitions }) => [
      topic,
      partitions.map(({ partition, from }) => {
        const range = candidates.find((one) => one.topic === topic)?.partitions[partition]?.ranges[0];
        return Number((range?.to ?? 0n) - from);
      }),
    ]),
  );
}

test('what fits is taken whole', () => {
  const sample = planSample([topicOf('a', 10, 0), topicOf('b', 20)], { ...limits, bytesMax: 30 });
  expect(sample.isWhole).toBe(true);
  expect(sample.topics.map(({ partitions }) => partitions.map(({ from }) => from))).toEqual([
    [100n, 100n],
    [100n],
  ]);
});

test('of what is too much every partition gives its newest, and what a small one leaves goes to the others', () => {
  const all = [topicOf('a', 10, 1000), topicOf('b', 1000, 1000)];
  expect(lengths(all, { bytesMax: 310 })).toEqual({ a: [10, 100], b: [100, 100] });
  expect(planSample(all, { ...limits, bytesMax: 310 })).toMatchObject({
    isWhole: false,
    topics: [{ partitions: [{ isWhole: true }, { isWhole: false }] }, {}],
  });
  expect(lengths(all, { bytesMax: 1 })).toEqual({ a: [1, 1], b: [1, 1] });
});

test('the newest is told over gaps', () => {
  const topic = {
    ...topicOf('a'),
    partitions: [
      {
        partition: 0,
        rawBytes: 30,
        ranges: [
          { from: 0n, to: 10n },
          { from: 50n, to: 60n },
          { from: 90n, to: 100n },
        ],
      },
    ],
  };
  const { topics } = planSample([topic], { ...limits, bytesMax: 15 });
  expect(topics[0]?.partitions).toEqual([{ partition: 0, from: 55n, isWhole: false }]);
});

test('where there are too many partitions, each drill begins with another topic, and tells what it leaves out', () => {
  const all = [topicOf('a', 1, 1), topicOf('b', 1, 1), topicOf('c', 1, 1, 1, 1, 1)];
  const taken = [0, 1, 2, 3].map((turn) => {
    const { topics, leftOut } = planSample(all, { ...limits, partitionsMax: 4, turn });
    return [topics.map(({ topic }) => topic).join(' '), leftOut.join(' ')];
  });
  expect(taken).toEqual([
    ['a b', 'c'],
    ['a b', 'c'],
    ['c', 'a b'],
    ['a b', 'c'],
  ]);
});
