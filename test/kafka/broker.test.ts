import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JavaClient, type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import {
  connectCluster,
  earliestOffset,
  kafkaError,
  latestOffset,
  noAnswer,
  type Cluster,
} from '../../src/kafka/kafka.ts';
import { asking, eventually, failureOf, from, realPorts, settings, topicNamed } from './given.ts';

let kafka: Kafka;
let java: JavaClient;
let cluster: Cluster;

beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
  cluster = await connectCluster({ settings: settings(kafka.bootstrap), ports: realPorts });
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await kafka?.stop();
});

async function topicWith(
  topic: string,
  values: readonly string[],
  more: { partitions?: number } = {},
): Promise<string> {
  await java.createTopic({ topic, partitions: more.partitions ?? 1 });
  if (values.length > 0)
    await java.produce({ topic, records: values.map((value) => ({ partition: 0, value })) });
  return topicNamed((await cluster.metadata({ topics: [topic] })).topics, topic).topicId;
}

async function leaderOf(
  topic: string,
): Promise<{ topic: string; partition: number; leaderId: number; leaderEpoch: number }> {
  const [row] = topicNamed((await cluster.metadata({ topics: [topic] })).topics, topic).partitions;
  if (row === undefined) throw new Error('no partition');
  return { topic, partition: 0, leaderId: row.leaderId, leaderEpoch: row.leaderEpoch };
}

describe('metadata', () => {
  test('names the cluster, its brokers, and a topic as the Java client sees it', async () => {
    await java.createTopic({ topic: 'seen', partitions: 3 });

    const metadata = await cluster.metadata();

    const described = await java.describeTopic('seen');
    const topic = topicNamed(metadata.topics, 'seen');
    expect(metadata.clusterId).toBe(kafka.clusterId);
    expect(cluster.clusterId).toBe(kafka.clusterId);
    expect(metadata.brokers.map(({ id, host, port }) => [id, `${host}:${port}`])).toEqual([
      [1, kafka.bootstrap],
    ]);
    expect(topic.topicId).toBe(described.topicId);
    const inOrder = topic.partitions.toSorted((one, other) => one.partition - other.partition);
    expect(inOrder.map(({ partition, leaderId, errorCode }) => [partition, leaderId, errorCode])).toEqual([
      [0, 1, 0],
      [1, 1, 0],
      [2, 1, 0],
    ]);
  });

  test('gives a topic that does not exist an error of its own and does not create it', async () => {
    await topicWith('present', []);

    const { topics } = await cluster.metadata({ topics: ['absent', 'present'] });

    expect(topicNamed(topics, 'absent').errorCode).toBe(3);
    expect(topicNamed(topics, 'present').errorCode).toBe(0);
    expect((await cluster.metadata()).topics.map(({ name }) => name)).not.toContain('absent');
  });
});

describe('fetch', () => {
  test("returns the very bytes of the broker's log file", async () => {
    const topic = 'same-bytes';
    await java.createTopic({ topic, partitions: 1 });
    await java.produceLoad({
      topic,
      records: 20_000,
      size: 200,
      partitions: 1,
      compression: 'none',
      seed: 7,
    });
    const { topicId } = topicNamed((await cluster.metadata({ topics: [topic] })).topics, topic);
    const logFile = await readFile(
      join(kafka.brokers[0]?.logDir ?? '', `${topic}-0`, '00000000000000000000.log'),
    );
    await using fetcher = await cluster.fetcher(1);

    const pieces: Buffer[] = [];
    for (let length = 0; length < logFile.length; length = Buffer.concat(pieces).length) {
      const next = nextOffset(Buffer.concat(pieces));
      const answer = await fetcher.fetch(asking([from(topicId, next)], { maxBytes: 300_000 }));
      pieces.push(wholeBatches(Buffer.from(answer.partitions[0]?.records ?? [])));
      answer.release();
    }

    expect(logFile.length).toBeGreaterThan(4_000_000);
    expect(Buffer.concat(pieces).equals(logFile)).toBe(true);
  });

  test('returns a batch that is larger than the limits whole, where it stands first', async () => {
    const topicId = await topicWith('large', ['x'.repeat(900_000)]);
    await using fetcher = await cluster.fetcher(1);

    const answer = await fetcher.fetch(asking([from(topicId, 0n, { maxBytes: 1000 })], { maxBytes: 1000 }));

    expect(answer.partitions[0]?.records.length).toBeGreaterThan(900_000);
    expect(wholeBatches(answer.partitions[0]?.records ?? Buffer.alloc(0)).length).toBeGreaterThan(900_000);
    answer.release();
  });

  test('says how far a partition reaches, and nothing but that where there is nothing new', async () => {
    const topicId = await topicWith('ended', ['one', 'two']);
    await using fetcher = await cluster.fetcher(1);

    const answer = await fetcher.fetch(asking([from(topicId, 2n)]));

    expect(answer.partitions[0]).toMatchObject({
      errorCode: 0,
      highWatermark: 2n,
      lastStableOffset: 2n,
      logStartOffset: 0n,
      aborted: [],
    });
    expect(answer.partitions[0]?.records).toHaveLength(0);
    answer.release();
  });

  test('in a session asks for what changed and is answered what is new', async () => {
    const quiet = await topicWith('quiet', ['1'], { partitions: 100 });
    const lively = await topicWith('lively', ['1']);
    const rows = [
      from(lively, 1n),
      ...Array.from({ length: 100 }, (_, partition) => from(quiet, partition === 0 ? 1n : 0n, { partition })),
    ];
    await using fetcher = await cluster.fetcher(1);
    const asked = asking(rows, { session: 'continued' });

    const first = await fetcher.fetch(asked);
    const second = await fetcher.fetch(asked);
    await java.produce({ topic: 'lively', records: [{ partition: 0, value: '2' }] });
    const third = await fetcher.fetch(asked);
    const fresh = await fetcher.fetch({ ...asked, session: 'fresh' });

    expect(first).toMatchObject({ isWhole: true, partitions: { length: 101 } });
    expect(second).toMatchObject({ isWhole: false, partitions: [] });
    expect(second.byteLength).toBeLessThan(100);
    expect(third).toMatchObject({ isWhole: false, partitions: [{ topicId: lively, highWatermark: 2n }] });
    expect(fresh).toMatchObject({ isWhole: true, partitions: { length: 101 } });
    for (const response of [first, second, third, fresh]) response.release();
  });

  test('keeps the errors of a deleted topic, an unknown id and an offset out of range with their partitions', async () => {
    const good = await topicWith('good', ['value']);
    const deleted = await topicWith('deleted', ['value']);
    const short = await topicWith('short', ['value']);
    await java.deleteTopic('deleted');
    await using fetcher = await cluster.fetcher(1);

    const answer = await fetcher.fetch(
      asking([from(deleted, 0n), from('AAAAAAAAAAAAAAAAAAAAAQ', 0n), from(short, 99n), from(good, 0n)]),
    );

    const codes = new Map(
      answer.partitions.map(({ topicId, errorCode }) => [topicId, kafkaError(errorCode).name]),
    );
    expect(codes.get(deleted)).toBe('UNKNOWN_TOPIC_ID');
    expect(codes.get('AAAAAAAAAAAAAAAAAAAAAQ')).toBe('UNKNOWN_TOPIC_ID');
    expect(codes.get(short)).toBe('OFFSET_OUT_OF_RANGE');
    expect(codes.get(good)).toBe('NONE');
    expect(answer.partitions.find(({ topicId }) => topicId === good)?.records.length).toBeGreaterThan(61);
    answer.release();
  });

  test('lists aborted transactions, and names the epoch and end where the log has diverged', async () => {
    const topicId = await topicWith('transactions', []);
    await java.beginTransaction({ transactionalId: 't1' });
    await java.produce({
      topic: 'transactions',
      transactionalId: 't1',
      records: [{ partition: 0, value: 'gone' }],
    });
    await java.abortTransaction('t1');
    await using fetcher = await cluster.fetcher(1);

    const read = await fetcher.fetch(asking([from(topicId, 0n)]));
    const beyond = await fetcher.fetch(asking([from(topicId, 50n, { lastEpoch: 0 })]));

    expect(read.partitions[0]?.aborted).toMatchObject([{ firstOffset: 0n }]);
    expect(beyond.partitions[0]).toMatchObject({ errorCode: 0, diverging: { epoch: 0, endOffset: 2n } });
    read.release();
    beyond.release();
  });

  test('answers an empty question about a newer leader epoch than the broker knows with an error of its own', async () => {
    const topicId = await topicWith('epochs', ['value']);
    await using fetcher = await cluster.fetcher(1);

    const answer = await fetcher.fetch(asking([from(topicId, 0n, { leaderEpoch: 9 })]));

    expect(kafkaError(answer.partitions[0]?.errorCode ?? 0).name).toBe('UNKNOWN_LEADER_EPOCH');
    answer.release();
  });

  test('that is aborted rejects, and its connection is gone', async () => {
    const topicId = await topicWith('waiting', []);
    await using fetcher = await cluster.fetcher(1);
    const stop = new AbortController();

    const fetching = fetcher.fetch(asking([from(topicId, 0n)], { maxWaitMs: 60_000 }), stop.signal);
    await new Promise(setImmediate);
    stop.abort();

    expect((await failureOf(fetching)).code).toBe('interrupted');
    expect((await failureOf(fetcher.fetch(asking([from(topicId, 0n)])))).code).toBe('interrupted');
  });
});

describe('offsets', () => {
  test('are listed for several times of one partition at once, in the order of the questions', async () => {
    await topicWith('listed', ['a', 'b', 'c']);
    await java.deleteRecords({ topic: 'listed', partition: 0, before: 1n });
    const leader = await leaderOf('listed');

    const answers = await cluster.listOffsets(
      [
        { ...leader, timestamp: latestOffset },
        { ...leader, timestamp: earliestOffset },
        { ...leader, timestamp: 0n },
        { ...leader, timestamp: 9_000_000_000_000n },
      ],
      { isolation: 'read_committed' },
    );

    expect(answers.map(({ errorCode, offset }) => [errorCode, offset])).toEqual([
      [0, 3n],
      [0, 1n],
      [0, 1n],
      [0, -1n],
    ]);
  });

  test('fail for one partition alone, also where nobody leads it', async () => {
    await topicWith('leaderless', ['a']);
    const leader = await leaderOf('leaderless');

    const answers = await cluster.listOffsets(
      [
        { ...leader, topic: 'never-made', timestamp: latestOffset },
        { ...leader, leaderId: -1, timestamp: latestOffset },
        { ...leader, leaderId: 77, timestamp: latestOffset },
        { ...leader, leaderEpoch: 5, timestamp: latestOffset },
        { ...leader, timestamp: latestOffset },
      ],
      { isolation: 'read_uncommitted' },
    );

    expect(answers.map(({ errorCode }) => errorCode)).toEqual([3, noAnswer, noAnswer, 75, 0]);
    expect(answers[1]?.failure?.message).toContain('no leader');
    expect(answers[2]?.failure?.message).toContain('broker 77 is not in the cluster');
  });

  test('end where the last stable one is while a transaction is open, unless the uncommitted are asked for', async () => {
    await topicWith('open', ['a']);
    await java.beginTransaction({ transactionalId: 't2' });
    await java.produce({ topic: 'open', transactionalId: 't2', records: [{ partition: 0, value: 'b' }] });
    const question = { ...(await leaderOf('open')), timestamp: latestOffset };

    const [stable] = await cluster.listOffsets([question], { isolation: 'read_committed' });
    const [high] = await cluster.listOffsets([question], { isolation: 'read_uncommitted' });
    await java.commitTransaction('t2');

    expect([stable?.offset, high?.offset]).toEqual([1n, 2n]);
  });

  test('of the end of an epoch are answered, in the order of the questions', async () => {
    await topicWith('epoch-ends', ['a', 'b']);
    const leader = await leaderOf('epoch-ends');

    const answers = await cluster.endOffsetForEpoch([
      { ...leader, leaderId: 77, epoch: 0 },
      { ...leader, epoch: 0 },
    ]);

    expect(answers).toMatchObject([
      { errorCode: noAnswer, epoch: -1, endOffset: -1n },
      { errorCode: 0, epoch: 0, endOffset: 2n },
    ]);
  });
});

describe('groups', () => {
  test('keep committed offsets with their metadata and epochs, as the Java client reads them', async () => {
    await topicWith('committed', ['a', 'b', 'c']);
    const row = { topic: 'committed', partition: 0, offset: 2n, leaderEpoch: 0, metadata: '{"durable":"ü"}' };

    const results = await eventually(async () => cluster.commitOffsets('varve-one', [row]));

    expect(results).toEqual([{ topic: 'committed', partition: 0, errorCode: 0 }]);
    expect(await cluster.committedOffsets('varve-one')).toEqual([{ ...row, errorCode: 0 }]);
    expect(await java.listGroupOffsets('varve-one')).toMatchObject([row]);
  });

  test('keep the error of one partition with that partition', async () => {
    await topicWith('partly', ['a']);
    const rows = ['partly', 'not-there'].map((topic) => ({
      topic,
      partition: 0,
      offset: 1n,
      leaderEpoch: 0,
      metadata: '',
    }));
    const long = { topic: 'partly', partition: 0, offset: 1n, leaderEpoch: 0, metadata: 'x'.repeat(5000) };

    const results = await eventually(async () => cluster.commitOffsets('varve-two', rows));
    const tooLong = await eventually(async () => cluster.commitOffsets('varve-two', [long]));

    expect(results).toEqual([
      { topic: 'partly', partition: 0, errorCode: 0 },
      { topic: 'not-there', partition: 0, errorCode: 3 },
    ]);
    expect(tooLong.map(({ errorCode }) => kafkaError(errorCode).name)).toEqual(['OFFSET_METADATA_TOO_LARGE']);
  });

  test('that nobody ever used have no offsets', async () => {
    expect(await eventually(async () => cluster.committedOffsets('never-used'))).toEqual([]);
  });
});

test('a broker that dies is an error that names it for everybody who waits, and can be talked to again when it is back', async () => {
  const topicId = await topicWith('outlived', ['value']);
  const fetcher = await cluster.fetcher(1);
  const fetching = fetcher.fetch(asking([from(topicId, 1n)], { maxWaitMs: 60_000 }));
  const failed = failureOf(fetching);

  await kafka.brokers[0]?.kill();

  expect(await failed).toMatchObject({ code: 'kafka-unreachable', retryable: true });
  expect((await failed).message).toContain(kafka.bootstrap);
  await failureOf(cluster.metadata());
  const down = await failureOf(cluster.metadata());
  expect(down).toMatchObject({ code: 'kafka-unreachable', retryable: true });
  expect(down.message).toContain('ECONNREFUSED');
  await kafka.brokers[0]?.start();
  const { topics } = await eventually(async () => cluster.metadata({ topics: ['outlived'] }));
  expect(topicNamed(topics, 'outlived').topicId).toBe(topicId);
});

function wholeBatches(records: Buffer): Buffer {
  let at = 0;
  while (at + 12 <= records.length && at + 12 + records.readInt32BE(at + 8) <= records.length) {
    at += 12 + records.readInt32BE(at + 8);
  }
  return records.subarray(0, at);
}

function nextOffset(batches: Buffer): bigint {
  let next = 0n;
  for (let at = 0; at < batches.length; at += 12 + batches.readInt32BE(at + 8)) {
    next = batches.readBigInt64BE(at) + BigInt(batches.readInt32BE(at + 23)) + 1n;
  }
  return next;
}
