import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, parseRow, type RecordToProduce, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup, createTopic } from './backup.ts';

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

test('null and empty keys and values, and headers of every kind, are exact with every codec', async () => {
  const java = await kafka.java();
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
  const values = [null, '', Buffer.from([0, 1, 255]), 'long '.repeat(3000)];
  const records = [null, '', 'key'].flatMap((key) =>
    values.flatMap((value) => headers.map((header) => recordOf({ key, value, headers: header }))),
  );
  for (const codec of codecs) {
    await createTopic(java, { topic: `codec-${codec}` });
    // One batch of all of them, then each in a batch of its own.
    await java.produce({ topic: `codec-${codec}`, records, compression: codec, lingerMs: 60_000 });
    await java.produce({ topic: `codec-${codec}`, records, compression: codec, batchSize: 0 });
  }
  await using backup = await Backup.of(kafka, { include: ['codec-*'] });
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: codecs.length * records.length * 2 });
  for (const codec of codecs) expect(await backup.expectExact(`codec-${codec}`)).toBe(records.length * 2);
});

test('timestamps 50 years apart in one batch, and none at all, are exact', async () => {
  const java = await kafka.java();
  await createTopic(java, { topic: 'times' });
  const now = Date.now();
  const timestamps = [now, now - 50 * 365 * 86_400_000, 0, 1, -1, now - 1];
  const records = timestamps.map((timestamp) => ({ value: String(timestamp), timestamp }));
  await java.produce({ topic: 'times', records, lingerMs: 60_000 });
  await java.produce({ topic: 'times', records: [{ value: 'alone', timestamp: -1 }] });
  await using backup = await Backup.of(kafka, { include: ['times'] });
  expect(await backup.catchUp()).toMatchObject({ status: 0 });
  expect(await backup.expectExact('times')).toBe(timestamps.length + 1);
  const months = (await backup.segments('times')).map(({ name }) => name.slice(0, 7));
  expect(months).toEqual([new Date(now).toISOString().slice(0, 7)]);
});

test('times before 1970, and far beyond any date, are exact', async () => {
  const java = await kafka.java();
  const configs = { 'message.timestamp.after.max.ms': String(2n ** 63n - 1n) };
  await createTopic(java, { topic: 'far-times', configs });
  // The Java client makes no negative timestamp but -1: these come from another client, in one batch and alone.
  const negative = [-1n, -5n, -(2n ** 40n), -2n];
  await produceAt('far-times', negative);
  for (const time of negative) await produceAt('far-times', [time]);
  const far = [0n, 2n ** 62n, 5n];
  const records = far.map((timestamp) => ({ value: 'far', timestamp }));
  await java.produce({ topic: 'far-times', records, lingerMs: 60_000 });
  await using backup = await Backup.of(kafka, { include: ['far-times'] });
  expect(await backup.catchUp()).toMatchObject({ status: 0 });
  const found = (await backup.lines('far-times')).map((line) => parseRow(line).timestamp);
  expect(found).toEqual([...negative, ...negative, ...far]);
  await backup.expectExact('far-times');
  const months = (await backup.segments('far-times')).map(({ name }) => name.slice(0, 7));
  expect(months).toEqual([new Date().toISOString().slice(0, 7)]);
});

test('times given by the broker are exact, and told as such', async () => {
  const java = await kafka.java();
  const configs = { 'message.timestamp.type': 'LogAppendTime' };
  await createTopic(java, { topic: 'append-time', configs });
  for (const compression of codecs) {
    const records = [1, 2, 3].map((timestamp) => ({ value: compression, timestamp }));
    await java.produce({ topic: 'append-time', compression, records, lingerMs: 60_000 });
  }
  await using backup = await Backup.of(kafka, { include: ['append-time'] });
  expect(await backup.catchUp()).toMatchObject({ status: 0 });
  expect(await backup.expectExact('append-time')).toBe(codecs.length * 3);
  expect((await backup.lines('append-time'))[0]).toContain('"timestampType":"LogAppendTime"');
});

test('a single record and an empty topic are exact', async () => {
  const java = await kafka.java();
  await createTopic(java, { topic: 'one-single' });
  await createTopic(java, { topic: 'one-empty', partitions: 3 });
  await java.produce({ topic: 'one-single', records: [{ key: 'k', value: 'v' }] });
  await using backup = await Backup.of(kafka, { include: ['one-*'] });
  expect(await backup.catchUp()).toMatchObject({ status: 0, topics: 2, partitions: 4, records: 1 });
  expect(await backup.expectExact('one-single')).toBe(1);
  expect(await backup.expectExact('one-empty')).toBe(0);
});

test('batches many times as large as a fetch arrive', async () => {
  const java = await kafka.java();
  const configs = { 'max.message.bytes': '20000000' };
  await createTopic(java, { topic: 'large', partitions: 3, configs });
  for (const megabytes of [1, 9, 3, 0, 5]) {
    const value = Buffer.alloc(megabytes * 1_000_000 + 10, `${megabytes} megabytes`);
    const records = [0, 1, 2].map((partition) => ({ partition, value }));
    await java.produce({ topic: 'large', records });
  }
  await using backup = await Backup.of(kafka, { include: ['large'], inFlightBytes: '1MiB' });
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 15 });
  expect(await backup.expectExact('large')).toBe(15);
});

test('records deleted before the first backup, up to the middle of a batch, are not printed and are no gap', async () => {
  const java = await kafka.java();
  await createTopic(java, { topic: 'deleted' });
  for (const word of ['first', 'second', 'third']) {
    const records = Array.from({ length: 10 }, (_, index) => ({ value: `${word} ${index}` }));
    await java.produce({ topic: 'deleted', records, lingerMs: 60_000 });
  }
  await java.deleteRecords({ topic: 'deleted', partition: 0, before: 15n });
  await using backup = await Backup.of(kafka, { include: ['deleted'] });
  expect(await backup.catchUp()).toMatchObject({ status: 0, gaps: [] });
  expect(await backup.expectExact('deleted')).toBe(15);
  expect((await backup.lines('deleted'))[0]).toContain('"offset":15,');
});

test('the records of three months are laid in the folders of their months', async () => {
  const java = await kafka.java();
  await createTopic(java, { topic: 'months' });
  for (const day of [
    '2025-01-31T23:59:59.999Z',
    '2025-02-01T00:00:00Z',
    '2025-04-15T12:00:00Z',
    '2025-03-01T00:00:00Z',
  ]) {
    const records = [1, 2, 3].map((n) => ({ value: `${n}`, timestamp: Date.parse(day) }));
    await java.produce({ topic: 'months', records, lingerMs: 60_000 });
  }
  await using backup = await Backup.of(kafka, { include: ['months'] });
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 12 });
  expect((await backup.segments('months')).map(({ name }) => name)).toEqual([
    '2025-01/00000000000000000000.log',
    '2025-02/00000000000000000003.log',
    '2025-04/00000000000000000006.log', // and the late records of March: a month never goes back
  ]);
  expect(await backup.expectExact('months')).toBe(12);
  // Nor does it in a later backup, whose records are older still; a file that was closed is never appended to.
  await java.produce({ topic: 'months', records: [{ value: 'late', timestamp: Date.parse('2024-06-01') }] });
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 1 });
  const last = (await backup.segments('months')).at(-1);
  expect(last?.name).toBe('2025-04/00000000000000000012.log');
  expect(await backup.expectExact('months')).toBe(13);
});

test('a later backup saves what is new and nothing twice; one with nothing new changes no file', async () => {
  const java = await kafka.java();
  await createTopic(java, { topic: 'again', partitions: 2 });
  await using backup = await Backup.of(kafka, { include: ['again'] });
  for (const round of [1, 2, 3]) {
    await java.produceLoad({ topic: 'again', records: 1000, size: 200, partitions: 2, seed: round });
    expect(await backup.catchUp()).toMatchObject({ status: 0, records: 1000 });
    const before = await backup.segments('again');
    expect(await backup.catchUp()).toMatchObject({ status: 0, records: 0, bytes: 0 });
    expect(await backup.segments('again')).toEqual(before);
  }
  expect(await backup.expectExact('again')).toBe(3000);
});

test('the summary counts what was saved, and the group says how far it is durable and whose it is', async () => {
  const java = await kafka.java();
  const { topicId } = await createTopic(java, { topic: 'noted', partitions: 2 });
  await java.produceLoad({ topic: 'noted', records: 500, size: 100, partitions: 2 });
  await using backup = await Backup.of(kafka, { include: ['noted'] });
  const summary = await backup.catchUp();
  const segments = [...(await backup.segments('noted', 0)), ...(await backup.segments('noted', 1))];
  expect(summary).toMatchObject({
    schema: 'varve.backup/1',
    type: 'summary',
    status: 0,
    topics: 1,
    partitions: 2,
    records: 500,
    bytes: segments.reduce((sum, { byteLength }) => sum + byteLength, 0),
    gaps: [],
    truncations: [],
    openTransactions: [],
    missing: [],
    tookMs: expect.any(Number),
  });
  const committed = await java.listGroupOffsets(backup.group);
  const offsets = new Map(committed.map(({ partition, offset }) => [partition, offset]));
  expect(offsets).toEqual(
    new Map([
      [0, 250n],
      [1, 250n],
    ]),
  );
  const identity = await backup.identity();
  for (const { metadata, leaderEpoch } of committed) {
    expect(JSON.parse(metadata)).toMatchObject({
      topicId,
      durable: null,
      epoch: leaderEpoch,
      repository: '',
      installation: identity.installation,
    });
  }
});

async function produceAt(topic: string, times: readonly bigint[]): Promise<void> {
  const client = new kafkajs.Kafka({ brokers: [kafka.bootstrap], logLevel: kafkajs.logLevel.NOTHING });
  const producer = client.producer();
  await producer.connect();
  try {
    await producer.send({
      topic,
      messages: times.map((time) => ({ value: `${time}`, timestamp: `${time}` })),
    });
  } finally {
    await producer.disconnect();
  }
}

function recordOf(record: {
  key: RecordToProduce['key'];
  value: RecordToProduce['value'];
  headers: RecordToProduce['headers'];
}): RecordToProduce {
  const { key = null, value = null, headers } = record;
  return { key, value, timestamp: 1_700_000_000_000, ...(headers === undefined ? {} : { headers }) };
}
