import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from './place.ts';
import { produceAt } from './zoo.ts';

// What a restore does; what its child process is for, the restores that are killed and held up show.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

let kafka: Kafka;
let java: JavaClient;
let place: Place;

/** Around the first and the last instant of a day, of a month and of a leap day, and out of order. */
const instants = [
  '2024-02-28T23:59:59.999Z',
  '2024-02-29T00:00:00.000Z',
  '2024-02-29T23:59:59.999Z',
  '2024-03-01T00:00:00.000Z',
  '2025-01-31T23:59:59.999Z',
  '2025-01-31T00:00:00.000Z',
  '2025-02-01T00:00:00.001Z',
  '2025-02-01T00:00:00.000Z',
  '2025-01-30T23:59:59.999Z',
  '2025-02-28T23:59:59.999Z',
  '2025-03-01T00:00:00.000Z',
  '2025-02-28T23:59:59.998Z',
  '2025-02-14T12:00:00.500Z',
];

// The same records twice: all in one batch, and each in a batch of its own.
beforeAll(async () => {
  kafka = await startKafka({ properties: { 'log.retention.check.interval.ms': '500' } });
  java = await kafka.java();
  await java.createTopic({ topic: 'instants', partitions: 2 });
  const records = instants.map((value) => ({ value, timestamp: Date.parse(value) }));
  const inOne = records.map((record) => ({ ...record, partition: 0 }));
  await java.produce({ topic: 'instants', records: inOne, lingerMs: 60_000, compression: 'lz4' });
  const alone = records.map((record) => ({ ...record, partition: 1 }));
  await java.produce({ topic: 'instants', records: alone, batchSize: 0 });
  place = await placeFor(kafka, { name: 'times', include: ['instants'] });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
});
afterAll(async () => {
  await place[Symbol.asyncDispose]();
  await kafka.stop();
});

/** Of a topic, per partition, in order. */
async function valuesOf(topic: string): Promise<string[][]> {
  const rows = await java.consume({ topic });
  return [0, 1].map((number) =>
    rows
      .filter(({ partition }) => partition === number)
      .map(({ value }) => Buffer.from(value ?? '', 'base64').toString()),
  );
}

function intoTopic(target: string): string[] {
  return ['restore', '--topic', 'instants', '--to-topic', target];
}

/** What is asked for, and its bounds: the first moment that is taken, and the first that no longer is. */
const ranges: {
  readonly name: string;
  readonly from?: readonly [typed: string, exact: string];
  readonly to?: readonly [typed: string, exact: string];
}[] = [
  {
    name: 'a month, from its first instant to its last',
    from: ['2025-02-01T00:00Z', '2025-02-01T00:00:00.000Z'],
    to: ['2025-03-01T00:00Z', '2025-03-01T00:00:00.000Z'],
  },
  {
    name: 'a day, from its first instant to its last',
    from: ['2025-01-31T00:00:00Z', '2025-01-31T00:00:00.000Z'],
    to: ['2025-02-01T00:00:00.000Z', '2025-02-01T00:00:00.000Z'],
  },
  {
    name: 'a leap day in the zone of Kathmandu',
    from: ['2024-02-29T05:45+05:45', '2024-02-29T00:00:00.000Z'],
    to: ['2024-03-01T05:45:00+05:45', '2024-03-01T00:00:00.000Z'],
  },
  {
    name: 'from the last instant of a day, with milliseconds, in a zone of the west',
    from: ['2025-01-31T18:59:59.999-05:00', '2025-01-31T23:59:59.999Z'],
  },
  {
    name: 'from one millisecond into a month',
    from: ['2025-02-01T00:00:00.001Z', '2025-02-01T00:00:00.001Z'],
  },
  {
    name: 'to the last instant of a month, which is not taken',
    to: ['2025-02-28T23:59:59.999Z', '2025-02-28T23:59:59.999Z'],
  },
  {
    name: 'one single millisecond',
    from: ['2025-02-28T23:59:59.998Z', '2025-02-28T23:59:59.998Z'],
    to: ['2025-03-01T00:59:59.999+01:00', '2025-02-28T23:59:59.999Z'],
  },
  {
    name: 'between two milliseconds, where the next whole one counts',
    from: ['2025-02-01T00:00:00.0000001Z', '2025-02-01T00:00:00.001Z'],
    to: ['2025-02-28T23:59:59.9981Z', '2025-02-28T23:59:59.999Z'],
  },
];

test.each(ranges)(
  'records of exactly the time that was asked for come back: $name',
  async ({ name, from, to }) => {
    const target = `at-${ranges.findIndex((range) => range.name === name)}`;
    const asked = [
      ...(from === undefined ? [] : ['--from-time', from[0]]),
      ...(to === undefined ? [] : ['--to-time', to[0]]),
    ];
    const end = await place.run(...intoTopic(target), ...asked, '--yes');
    expect(end.stderr + end.stdout).toContain('RESTORED');
    expect(end.status).toBe(0);
    const expected = instants.filter(
      (instant) => (from === undefined || instant >= from[1]) && (to === undefined || instant < to[1]),
    );
    expect(expected.length).toBeGreaterThan(0);
    expect(await valuesOf(target)).toEqual([expected, expected]);
  },
);

test('the plan counts what the times take and leave, and tells the first and last of it', async () => {
  const end = await place.json(
    ...intoTopic('counted'),
    '--dry-run',
    '--from-time',
    '2025-02-01T00:00Z',
    '--to-time',
    '2025-03-01T00:00Z',
  );
  expect(end).toMatchObject({ status: 0, type: 'plan' });
  expect(end['topics']).toMatchObject([
    {
      records: 10,
      exact: true,
      notRestored: { before: 14, behind: 2, notLookedAt: 0 },
      first: '2025-02-01T00:00:00.000Z',
      last: '2025-02-28T23:59:59.999Z',
    },
  ]);
});

test.each([
  ['--from-time', '2025-02-01', '2025-02-01T00:00Z'],
  ['--from-time', '2025-02-01T00:00', '2025-02-01T00:00Z'],
  ['--to-time', '2025-02-01 00:00Z', '2025-02-01T00:00Z'],
  ['--to-time', '1738368000', '2025-02-01T00:00:00.000Z'],
  ['--to-time', 'yesterday', 'RFC 3339'],
  ['--from-time', '2025-02-29T00:00Z', 'day 01 to 28'],
  ['--from-time', '2025-02-01T24:00Z', 'hour 00 to 23'],
  ['--to-time', '', 'RFC 3339'],
])('%s %j is refused with 2, which tells of %s', async (option, typed, told) => {
  const end = await place.run(...intoTopic('refused'), option, typed, '--yes');
  expect(end).toMatchObject({ status: 2, stdout: '' });
  expect(end.stderr).toContain(told);
});

test('an end before its start is refused with 2, across zones too', async () => {
  const end = await place.run(
    ...intoTopic('refused'),
    '--yes',
    '--from-time',
    '2025-02-01T00:00Z',
    '--to-time',
    '2025-02-01T00:30+01:00',
  );
  expect(end).toMatchObject({ status: 2, stdout: '' });
  expect(end.stderr).toContain('--to-time');
});

test('a range that takes nothing, and a topic that is unknown, end with 15 and make nothing', async () => {
  const before = await java.listTopics();
  const into = ['--to-topic', 'nothing', '--yes'];
  const late = await place.run(
    'restore',
    '--topic',
    'instants',
    '--from-time',
    '2025-03-01T00:00:00.001Z',
    ...into,
  );
  expect(late.status).toBe(15);
  expect(late.stderr).toContain('from 2024-02-28T23:59:59.999Z to 2025-03-01T00:00:00.000Z');
  expect(late.stdout).not.toContain('RESTORED');
  const moment = '2025-02-14T12:00:00.500Z';
  const empty = ['--from-time', moment, '--to-time', moment];
  expect(await place.run('restore', '--topic', 'instants', ...empty, ...into)).toMatchObject({ status: 15 });
  const sealed = ['--snapshot', 'latest', '--to-time', '2020-01-01T00:00Z'];
  expect(await place.run('restore', '--topic', 'instants', ...sealed, ...into)).toMatchObject({ status: 15 });
  const unknown = await place.run('restore', '--topic', 'instant', ...into);
  expect(unknown.status).toBe(15);
  expect(unknown.stderr).toContain('did you mean instants?');
  const glob = await place.run('restore', '--topic', 'instants', '--topic', 'nobody.*', '--yes');
  expect(glob.status).toBe(15);
  expect(await java.listTopics()).toEqual(before);
});

test('one topic of several without anything in the range: 15 for the whole command', async () => {
  await java.createTopic({ topic: 'several.old' });
  await java.createTopic({ topic: 'several.new' });
  await java.createTopic({ topic: 'several.empty' });
  const old = Date.parse('2025-01-01T00:00Z');
  await java.produce({ topic: 'several.old', records: [{ value: 'old', timestamp: old }] });
  await java.produce({ topic: 'several.new', records: [{ value: 'new', timestamp: old + 86_400_000 }] });
  await using own = await placeFor(kafka, { name: 'several', include: ['several.*'] });
  expect(await own.json('backup')).toMatchObject({ status: 0 });
  for (const topic of ['old', 'new', 'empty']) await java.deleteTopic(`several.${topic}`);
  const before = await java.listTopics();
  const from = ['--from-time', '2025-01-02T00:00Z', '--yes'];
  const all = await own.run('restore', '--all-topics', ...from);
  expect(all.status).toBe(15);
  expect(all.stderr).toContain('several.old');
  expect(await java.listTopics()).toEqual(before);
  // A topic that was empty is none that the range left nothing of.
  const some = await own.run('restore', '--all-topics', '--exclude-topic', '*.old', ...from);
  expect(some.status).toBe(0);
  expect(await valuesOf('several.new')).toEqual([['new'], []]);
  expect(await valuesOf('several.empty')).toEqual([[], []]);
});

test('where the broker gave the times, it is they that select', async () => {
  const topic = 'appended';
  await java.createTopic({ topic, configs: { 'message.timestamp.type': 'LogAppendTime' } });
  for (const word of ['first', 'second', 'third']) {
    const records = [1, 2].map((timestamp) => ({ value: `${word} ${timestamp}`, timestamp }));
    await java.produce({ topic, records, lingerMs: 60_000 });
    // The next batch gets a later time.
    const last = (await java.consume({ topic })).at(-1)?.timestamp ?? 0n;
    await expect.poll(() => BigInt(Date.now())).toBeGreaterThan(last);
  }
  const rows = await java.consume({ topic });
  const second = rows[2]?.timestamp ?? 0n;
  await using own = await placeFor(kafka, { name: topic, include: [topic] });
  expect(await own.json('backup')).toMatchObject({ status: 0 });
  const from = new Date(Number(second)).toISOString();
  const end = await own.run('restore', '--topic', topic, '--to-topic', 'later', '--from-time', from, '--yes');
  expect(end.status).toBe(0);
  expect((await java.consume({ topic: 'later' })).map(({ value, timestamp }) => [value, timestamp])).toEqual(
    rows.slice(2).map(({ value, timestamp }) => [value, timestamp]),
  );
});

const weekMs = String(7 * 86_400_000);

/** A topic that keeps its records for a week now, and has had some for three months. */
async function oldTopic(topic: string, times: readonly bigint[]): Promise<void> {
  const configs = { 'retention.ms': '-1', 'segment.ms': '1000' };
  await java.createTopic({ topic, configs });
  for (const time of times) await produceAt(kafka, { topic, times: [time] });
}

/** The broker has checked its retention since: what it deletes at its checks is gone from a topic made just for that. */
async function retentionChecked(witness: string): Promise<void> {
  await java.createTopic({ topic: witness, configs: { 'retention.ms': weekMs } });
  await java.produce({ topic: witness, records: [{ value: 'old', timestamp: 1 }] });
  const gone = async (): Promise<bigint | undefined> => (await java.listOffsets(witness))[0]?.earliest;
  await expect.poll(gone, { interval: 100 }).toBe(1n);
}

const monthsAgo = BigInt(Date.now()) - 90n * 86_400_000n;

test.each([
  ['three-months', 'would delete', [monthsAgo, monthsAgo + 1n, monthsAgo + 86_400_000n]],
  ['beside-no-time', 'could delete', [monthsAgo, -1n, monthsAgo + 1n, -5n]],
])(
  'old records are still there after the check of retention, and the plan said why: %s',
  async (topic, told, times) => {
    await oldTopic(topic, times);
    const records = await java.consumeLines({ topic });
    await using own = await placeFor(kafka, { name: topic, include: [topic] });
    expect(await own.json('backup', '--no-snapshot')).toMatchObject({ status: 0 });
    // From here on the broker deletes them, as it would have long ago.
    await java.alterConfigs({ topic, configs: { 'retention.ms': weekMs } });
    expect(await own.json('backup')).toMatchObject({ status: 0 });
    await java.deleteTopic(topic);
    const end = await own.run('restore', '--topic', topic, '--yes');
    expect(end.status).toBe(0);
    expect(end.stdout).toContain(`retention.ms=${weekMs} is left off: it ${told} records`);
    expect(end.stdout).toContain('set its retention again');
    await retentionChecked(`${topic}.witness`);
    expect(await java.consumeLines({ topic })).toEqual(records);
    expect(await java.describeConfigs(topic)).toEqual({ 'retention.ms': '-1', 'segment.ms': '1000' });
  },
);

test('with --apply-retention the plan warns, and the topic gets its own retention, which deletes', async () => {
  const topic = 'applied';
  await oldTopic(topic, [monthsAgo]);
  await using own = await placeFor(kafka, { name: topic, include: [topic] });
  expect(await own.json('backup', '--no-snapshot')).toMatchObject({ status: 0 });
  await java.alterConfigs({ topic, configs: { 'retention.ms': weekMs } });
  expect(await own.json('backup')).toMatchObject({ status: 0 });
  await java.deleteTopic(topic);
  const end = await own.run('restore', '--topic', topic, '--apply-retention', '--yes');
  expect(end.status).toBe(0);
  expect(end.stdout).toContain(`retention.ms=${weekMs} is applied: it would delete records`);
  expect(await java.describeConfigs(topic)).toMatchObject({ 'retention.ms': weekMs });
  const earliest = async (): Promise<bigint | undefined> => (await java.listOffsets(topic))[0]?.earliest;
  await expect.poll(earliest, { interval: 100 }).toBe(1n);
});

test('the environment redirects neither a named target nor one given by its address', async () => {
  await using own = await placeFor(kafka, {
    name: 'redirected',
    include: ['instants'],
    more: { targets: { dr: { brokers: kafka.bootstrap.split(',') } } },
  });
  expect(await own.json('backup')).toMatchObject({ status: 0 });
  vi.stubEnv('VARVE_KAFKA_BROKERS', '127.0.0.1:1');
  try {
    const words = ['restore', '--topic', 'instants', '--yes'];
    const named = await own.run(...words, '--to-topic', 'redirected.named', '--target', 'dr');
    expect(named.status).toBe(0);
    expect(await valuesOf('redirected.named')).toEqual([instants, instants]);
    const address = ['--target-brokers', kafka.bootstrap];
    const given = await own.run(...words, '--to-topic', 'redirected.given', ...address);
    expect(given.status).toBe(0);
    expect(await valuesOf('redirected.given')).toEqual([instants, instants]);
    // The cluster of kafka is what it does name, and nobody is there.
    expect((await own.run(...words, '--to-topic', 'redirected.own')).status).toBe(17);
  } finally {
    vi.unstubAllEnvs();
  }
});
