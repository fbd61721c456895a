import kafkajs from 'kafkajs';
import { expect, vi } from 'vitest';
import type { JavaClient, Kafka, KafkaRow, RecordToProduce } from '../../scripts/kafka/kafka.ts';

/** Topics of every kind, and groups at every place where one can stand. */
export interface Zoo {
  readonly topics: readonly string[];
  readonly groups: readonly string[];
}

/** What a Java consumer and an operator see of a topic. */
export interface SeenTopic {
  readonly topic: string;
  /** Per partition, what must come back equal: each record without its offset. */
  readonly records: readonly (readonly string[])[];
  readonly offsets: readonly (readonly bigint[])[];
  readonly configs: Readonly<Record<string, string>>;
}

export interface SeenGroup {
  readonly group: string;
  readonly offsets: readonly { topic: string; partition: number; offset: bigint; metadata: string }[];
}

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
const endless = String(2n ** 63n - 1n);

/** Appends roll the file before, and a single stale record is dirt enough: the cleaner comes at once. */
const compacted = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0.001',
  'segment.ms': '100',
  'delete.retention.ms': '0',
};

export async function makeZoo(kafka: Kafka): Promise<Zoo> {
  const java = await kafka.java();
  const codecTopics = codecs.map((codec) => `codec.${codec}`);
  for (const codec of codecs) await makeCodec(java, codec);
  await makeTransactions(java);
  await makeCompacted(java);
  await makeAppendTimes(java);
  await makeTimes(kafka);
  await makeMonths(java);
  await makeDeleted(java);
  await java.createTopic({ topic: 'one', configs: { 'max.message.bytes': '2000000' } });
  await java.produce({ topic: 'one', records: [{ key: 'k', value: 'v' }] });
  await java.createTopic({ topic: 'empty', partitions: 5, configs: { 'cleanup.policy': 'compact,delete' } });
  const topics = [
    ...codecTopics,
    'transactions',
    'compacted',
    'append-time',
    'times',
    'months',
    'deleted',
    'all-deleted',
    'one',
    'empty',
  ];
  return { topics, groups: await makeGroups(java, topics) };
}

/** What takes no waiting: batches of every codec, transactions, append times, times, deleted records, and groups. */
export async function makeSmallZoo(kafka: Kafka): Promise<Zoo> {
  const java = await kafka.java();
  for (const codec of codecs) await makeCodec(java, codec);
  await makeTransactions(java);
  await makeAppendTimes(java);
  await makeTimes(kafka);
  await makeDeleted(java);
  const codecTopics = codecs.map((codec) => `codec.${codec}`);
  const topics = [...codecTopics, 'transactions', 'append-time', 'times', 'deleted', 'all-deleted'];
  return { topics, groups: await makeGroups(java, topics) };
}

async function makeCodec(java: JavaClient, codec: (typeof codecs)[number]): Promise<void> {
  const topic = `codec.${codec}`;
  await java.createTopic({ topic, configs: { 'compression.type': codec === 'none' ? 'producer' : codec } });
  const headers: RecordToProduce['headers'][] = [
    undefined,
    [['only', null]],
    [
      ['twice', 'second comes first'],
      ['', ''],
      ['twice', null],
      ['twice', Buffer.from([0, 0xff, 0x0a])],
      ['ключ "\n', 'x'],
    ],
  ];
  const values = [null, '', Buffer.from([0, 1, 255]), 'long '.repeat(2000)];
  const records = [null, '', 'key'].flatMap((key) =>
    values.flatMap((value) =>
      headers.map((header) => ({
        key,
        value,
        timestamp: 1_700_000_000_000,
        ...(header === undefined ? {} : { headers: header }),
      })),
    ),
  );
  // One batch of all of them, then some in batches of their own.
  await java.produce({ topic, records, compression: codec, lingerMs: 60_000 });
  await java.produce({ topic, records: records.slice(0, 12), compression: codec, batchSize: 0 });
}

/** In both partitions: committed, aborted and plain records, and markers between and behind them. */
async function makeTransactions(java: JavaClient): Promise<void> {
  const topic = 'transactions';
  await java.createTopic({ topic, partitions: 2, configs: { 'min.insync.replicas': '1' } });
  for (const [round, outcome] of ['commit', 'abort', 'commit', 'abort'].entries()) {
    const transactionalId = `zoo-${outcome}`;
    await java.beginTransaction({ transactionalId, lingerMs: 60_000 });
    await java.produce({ topic, transactionalId, records: both(`${outcome} ${round}`, 10) });
    await java.produce({ topic, records: both(`plain ${round}`, 3) });
    await java.produce({ topic, transactionalId, records: both(`${outcome} again ${round}`, 5) });
    if (outcome === 'commit') await java.commitTransaction(transactionalId);
    else await java.abortTransaction(transactionalId);
  }
}

function both(word: string, count: number): RecordToProduce[] {
  return [0, 1].flatMap((partition) =>
    Array.from({ length: count }, (_, index) => ({ partition, key: `${index}`, value: `${word} ${index}` })),
  );
}

async function makeCompacted(java: JavaClient): Promise<void> {
  const topic = 'compacted';
  await java.createTopic({ topic, configs: compacted });
  const write = async (from: number, to: number, word: string | null): Promise<void> => {
    const records = Array.from({ length: to - from }, (_, index) => ({
      key: `key-${from + index}`,
      value: word === null ? null : `${word} ${from + index} `.repeat(10),
    }));
    await java.produce({ topic, records, lingerMs: 60_000, batchSize: 4000 });
  };
  await write(0, 300, 'a');
  await write(0, 100, 'b');
  await write(50, 200, 'c');
  await write(60, 70, null);
  // a 200 to 299, b 0 to 49, c without the deleted: 290; and the record that rolls the files.
  await vi.waitFor(
    async () => {
      await java.produce({ topic, records: [{ key: 'roll', value: 'x' }] });
      expect((await java.consume({ topic })).length).toBeLessThanOrEqual(295);
    },
    { timeout: 120_000, interval: 200 },
  );
  await java.alterConfigs({ topic, configs: { 'min.cleanable.dirty.ratio': '1' } });
  // A round that had begun still ends: the log has come to rest when five looks in a row see the same.
  const looks: string[] = [];
  await vi.waitFor(
    async () => {
      looks.push((await java.consumeLines({ topic })).join('\n'));
      expect([looks.length >= 5, new Set(looks.slice(-5)).size]).toEqual([true, 1]);
    },
    { timeout: 120_000, interval: 200 },
  );
}

async function makeAppendTimes(java: JavaClient): Promise<void> {
  const topic = 'append-time';
  await java.createTopic({ topic, configs: { 'message.timestamp.type': 'LogAppendTime' } });
  for (const compression of codecs) {
    const records = [1, 2, 3].map((timestamp) => ({ value: `${compression} ${timestamp}`, timestamp }));
    await java.produce({ topic, compression, records, lingerMs: 60_000 });
  }
}

/** Times before 1970, far beyond any date, and 50 years apart in one batch. */
async function makeTimes(kafka: Kafka): Promise<void> {
  const topic = 'times';
  const java = await kafka.java();
  await java.createTopic({ topic, configs: { 'message.timestamp.after.max.ms': endless } });
  const far = [2n ** 62n, 0n, 5n, -1n, 1_700_000_000_000n, 1n];
  const records = far.map((timestamp) => ({ value: `${timestamp}`, timestamp }));
  await java.produce({ topic, records, lingerMs: 60_000 });
  // The Java client makes no negative time but -1: these come from another client, in one batch and alone.
  const negative = [-1n, -5n, -(2n ** 40n), -2n];
  await produceAt(kafka, { topic, times: negative });
  for (const time of negative) await produceAt(kafka, { topic, times: [time] });
}

/** As one batch, from a client that takes any time. */
export async function produceAt(
  kafka: Kafka,
  { topic, times }: { topic: string; times: readonly bigint[] },
): Promise<void> {
  const brokers = kafka.bootstrap.split(',');
  const client = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
  const producer = client.producer();
  await producer.connect();
  try {
    const messages = times.map((time) => ({ value: `${time}`, timestamp: `${time}` }));
    await producer.send({ topic, messages });
  } finally {
    await producer.disconnect();
  }
}

async function makeMonths(java: JavaClient): Promise<void> {
  const topic = 'months';
  await java.createTopic({
    topic,
    partitions: 3,
    configs: { 'retention.ms': '-1', 'segment.bytes': '1048576', 'compression.type': 'zstd' },
  });
  const dayMs = 86_400_000;
  const first = Date.parse('2025-01-15T12:00Z');
  for (let day = 0; day < 92; day++) {
    const records = Array.from({ length: 6 }, (_, index) => ({
      partition: index % 3,
      key: `${day}`,
      value: `day ${day}, ${index}`,
      timestamp: first + day * dayMs + index,
    }));
    await java.produce({ topic, records, lingerMs: 60_000 });
  }
}

/** Its first 15 records are gone, up to the middle of a batch; of `all-deleted` all are. */
async function makeDeleted(java: JavaClient): Promise<void> {
  const topic = 'deleted';
  await java.createTopic({ topic });
  for (const word of ['first', 'second', 'third']) {
    const records = Array.from({ length: 10 }, (_, index) => ({ value: `${word} ${index}` }));
    await java.produce({ topic, records, lingerMs: 60_000 });
  }
  await java.deleteRecords({ topic, partition: 0, before: 15n });
  await java.createTopic({ topic: 'all-deleted' });
  await java.produce({ topic: 'all-deleted', records: [{ value: 'a' }, { value: 'b' }] });
  await java.deleteRecords({ topic: 'all-deleted', partition: 0, before: 2n });
}

type Stand = {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly metadata?: string;
};

async function makeGroups(java: JavaClient, topics: readonly string[]): Promise<string[]> {
  const stands: Stand[] = [
    { group: 'before-the-first', topic: 'deleted', partition: 0, offset: 3n },
    { group: 'at-zero', topic: 'empty', partition: 4, offset: 0n, metadata: 'nothing read' },
    { group: 'at-zero', topic: 'one', partition: 0, offset: 0n },
    { group: 'at-the-end', topic: 'one', partition: 0, offset: 1n },
  ];
  for (const [topic, partition] of [
    ['transactions', 0],
    ['transactions', 1],
    ['compacted', 0],
    ['months', 2],
    ['deleted', 0],
  ] as const) {
    if (!topics.includes(topic)) continue;
    const ends = await java.listOffsets(topic);
    const end = ends.find((row) => row.partition === partition)?.latest ?? 0n;
    stands.push(
      { group: 'at-zero', topic, partition, offset: 0n },
      { group: 'in-the-middle', topic, partition, offset: end / 2n, metadata: 'as of monday' },
      { group: 'one-before-the-end', topic, partition, offset: end - 1n, metadata: 'ключ' },
      { group: 'at-the-end', topic, partition, offset: end },
      { group: 'beyond', topic, partition, offset: end + 1000n, metadata: '{"beyond":true}' },
    );
    const holes = holesOf(await java.consume({ topic, partitions: [partition] }));
    if (topic === 'transactions' || topic === 'compacted')
      stands.push(
        { group: 'in-a-hole', topic, partition, offset: at(holes, holes.length >> 1), metadata: 'hole' },
        { group: 'at-the-first-hole', topic, partition, offset: at(holes, 0) },
      );
  }
  const there = stands.filter(({ topic }) => topics.includes(topic));
  for (const [group, offsets] of Map.groupBy(there, (stand) => stand.group))
    await java.commitOffsets({ group, offsets });
  return [...new Set(there.map(({ group }) => group))];
}

/** Offsets between records that no record has. */
function holesOf(rows: readonly KafkaRow[]): bigint[] {
  const there = new Set(rows.map(({ offset }) => offset));
  const offsets = Array.from({ length: Number(rows.at(-1)?.offset ?? 0n) }, (_, offset) => BigInt(offset));
  return offsets.filter((offset) => !there.has(offset));
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`expected more than ${index} rows, got ${list.length}`);
  return found;
}

export async function seeTopic(java: JavaClient, topic: string): Promise<SeenTopic> {
  const { partitions } = await java.describeTopic(topic);
  const records: string[][] = [];
  const offsets: bigint[][] = [];
  for (const { partition } of partitions.toSorted((a, b) => a.partition - b.partition)) {
    const lines = await java.consumeLines({ topic, partitions: [partition], isolation: 'read_committed' });
    offsets.push(lines.map((line) => BigInt(/"offset":(\d+)/.exec(line)?.[1] ?? -1)));
    records.push(lines.map((line) => line.replace(/"offset":\d+,/, '')));
  }
  return { topic, records, offsets, configs: await java.describeConfigs(topic) };
}

/** Equal but for the offsets, which have no holes any more, and for who gave the times, which stay as they are. */
export async function expectEqual(java: JavaClient, source: SeenTopic, topic = source.topic): Promise<void> {
  const found = await seeTopic(java, topic);
  const named = source.records.map((lines) =>
    lines.map((line) =>
      line
        .replace(`"topic":"${source.topic}"`, `"topic":"${topic}"`)
        .replace('"timestampType":"LogAppendTime"', '"timestampType":"CreateTime"'),
    ),
  );
  expect(found.records, topic).toEqual(named);
  expect(found.offsets, topic).toEqual(named.map((lines) => lines.map((_, index) => BigInt(index))));
  expect(found.configs, topic).toEqual(source.configs);
}

export async function seeGroup(java: JavaClient, group: string): Promise<SeenGroup> {
  const rows = await java.listGroupOffsets(group);
  const offsets = rows.map(({ topic, partition, offset, metadata }) => ({
    topic,
    partition,
    offset,
    metadata,
  }));
  return { group, offsets: offsets.toSorted(byPlace) };
}

/** Where a group stands once the records have no holes: as many records are before it as were at the source. */
export function atRank({ group, offsets }: SeenGroup, topics: readonly SeenTopic[]): SeenGroup {
  const ranked = offsets.map((row) => {
    const there = topics.find(({ topic }) => topic === row.topic)?.offsets[row.partition] ?? [];
    return { ...row, offset: BigInt(there.filter((offset) => offset < row.offset).length) };
  });
  return { group, offsets: ranked };
}

function byPlace(a: SeenGroup['offsets'][number], b: SeenGroup['offsets'][number]): number {
  return a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1;
}
