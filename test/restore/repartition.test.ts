import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { partitionOfKey } from '../../src/restore/partitioner.ts';
import { placeFor } from './place.ts';
import { Running, runsUntil, writtenTo } from './process.ts';

// What a restore does; what its child process is for, the restores that are killed and held up show.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(() => kafka.stop());

interface Line {
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly timestamp: string;
}

/** The lines of a topic as a consumer gets them, with the place of each apart from what it says. */
async function consumed(topic: string): Promise<{ place: Line; said: string }[]> {
  const lines = await java.consumeLines({ topic, isolation: 'read_committed' });
  return lines.map((text) => {
    // Exact numbers stay text.
    const line: Line & Record<string, unknown> = JSON.parse(
      text.replaceAll(/"(offset|timestamp)":(-?\d+)/g, '"$1":"$2"'),
    );
    const { topic: _topic, partition: _partition, offset: _offset, ...rest } = line;
    return { place: line, said: JSON.stringify(rest) };
  });
}

/** What was said under each key, in order; of those without a key as a set. */
function byKey(lines: readonly { place: Line; said: string }[]): Map<string | null, string[]> {
  const found = new Map<string | null, string[]>();
  for (const { place, said } of lines) found.set(place.key, [...(found.get(place.key) ?? []), said]);
  found.set(null, (found.get(null) ?? []).toSorted());
  return found;
}

function keyOf({ key }: Line): Buffer | undefined {
  return key === null ? undefined : Buffer.from(key, 'base64');
}

const records = Array.from({ length: 900 }, (_, index) => ({
  partition: null,
  ...(index % 10 === 0 ? {} : { key: Buffer.from(`customer ${index % 47} ü`) }),
  value: index % 13 === 0 ? null : `v${index}`,
  timestamp: 1_760_000_000_000 + index * 1000,
  headers: [['n', String(index)] as const, ['n', null] as const],
}));

async function givenTopic(topic: string): Promise<void> {
  await java.createTopic({ topic, partitions: 3, configs: { 'retention.ms': '-1' } });
  await java.produce({ topic, records: records.slice(0, 300), compression: 'lz4' });
  await java.produce({ topic, records: records.slice(300, 600), compression: 'zstd' });
  await java.produce({ topic, records: records.slice(600) });
}

test('a key belongs where the Java client puts it, whatever its length and its bytes', async () => {
  const topic = 'placed';
  const partitions = 7;
  await java.createTopic({ topic, partitions });
  const keys = Array.from({ length: 200 }, (_, index) =>
    Buffer.from(
      Array.from({ length: index % 65 }, (_byte, at) => (index * 31 + at * 157 + (at * index) ** 2) & 0xff),
    ),
  );
  const placed = await java.produce({
    topic,
    records: keys.map((key) => ({ partition: null, key, value: 'v' })),
  });
  expect(keys.map((key) => partitionOfKey(key, partitions))).toEqual(
    placed.map(({ partition }) => partition),
  );
  expect(new Set(placed.map(({ partition }) => partition)).size).toBe(partitions);
});

test('into another number of partitions: every record once, where its key belongs, in the order of its key', async () => {
  const topic = 'spread';
  await givenTopic(topic);
  await java.commitOffsets({ group: 'shop', offsets: [{ topic, partition: 1, offset: 5n, metadata: '' }] });
  const before = await consumed(topic);
  await using place = await placeFor(kafka, { name: topic, include: [topic] });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  await java.deleteTopic(topic);

  const end = await place.run('restore', '--topic', topic, '--repartition', '5', '--yes');
  expect(end).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  expect(end.stdout).toContain('from 3 partitions into 5');
  expect(end.stdout).toContain('none is set on spread; --groups-to earliest or latest');
  expect(end.stdout).toContain('start the consumers: no group was set');
  const after = await consumed(topic);
  expect(byKey(after)).toEqual(byKey(before));
  expect(after).toHaveLength(records.length);
  const wrong = after.filter(({ place: row }) => {
    const key = keyOf(row);
    return key !== undefined && partitionOfKey(key, 5) !== row.partition;
  });
  expect(wrong).toEqual([]);
  const keyless = [0, 1, 2, 3, 4].map(
    (partition) => after.filter(({ place: row }) => row.key === null && row.partition === partition).length,
  );
  expect(keyless).toEqual([18, 18, 18, 18, 18]);
  // Older before newer in each partition, although they come from three others.
  for (const partition of [0, 1, 2, 3, 4]) {
    const times = after.flatMap(({ place: row }) =>
      row.partition === partition ? Number(row.timestamp) : [],
    );
    const jumps = times.filter((time, index) => time < (times[index - 1] ?? 0) - 300_000);
    expect(jumps).toEqual([]);
  }
  expect(await java.listGroupOffsets('shop')).toEqual([]);

  // The same command, and nothing happens; then with the groups at the end of what came, in two partitions.
  const again = await place.run('restore', '--topic', topic, '--repartition', '5', '--yes');
  expect(again).toMatchObject({ status: 0, stdout: expect.stringContaining('RESTORED') });
  expect(await consumed(topic)).toHaveLength(records.length);
  const two = ['--recreate', '--repartition', '2', '--groups-to', 'latest', '--discard-unsaved', '--yes'];
  expect(await place.run('restore', '--topic', topic, ...two)).toMatchObject({ status: 0 });
  const ends = (await java.listOffsets(topic)).map(({ partition, latest }) => ({
    partition,
    offset: latest,
  }));
  expect(ends).toHaveLength(2);
  expect(await java.listGroupOffsets('shop')).toEqual(ends.map((row) => expect.objectContaining(row)));
  expect(byKey(await consumed(topic))).toEqual(byKey(before));
});

test('into as many partitions as the topic has that is there, of a time, and what cannot be meant is refused', async () => {
  const topic = 'into-there';
  await givenTopic(topic);
  await java.createTopic({ topic: 'four', partitions: 4 });
  await using place = await placeFor(kafka, { name: topic, include: [topic] });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  const restore = ['restore', '--topic', topic, '--to-topic', 'four', '--yes'];

  const refused = await place.run(...restore);
  expect(refused).toMatchObject({ status: 18, stderr: expect.stringContaining('--repartition spreads') });
  expect(await place.run(...restore, '--repartition', '3')).toMatchObject({ status: 18 });
  for (const words of [
    ['--repartition', '0'],
    ['--repartition=x'],
    ['--repartition', '4', '--partition', '1'],
    ['--repartition', '4', '--all-groups'],
    ['--repartition', '--to-topic', 'nowhere'],
  ]) {
    const end = await place.run('restore', '--topic', topic, '--yes', ...words);
    expect({ words, end }).toMatchObject({ end: { status: 2 } });
  }

  const from = new Date(1_760_000_000_000 + 450_000).toISOString();
  const end = await place.run(...restore, '--from-time', from, '--repartition', '--no-groups');
  expect(end).toMatchObject({ status: 0, stdout: expect.stringContaining('into 4') });
  expect(end.stdout).toContain('NOT restored: 450 records before');
  expect(await consumed('four')).toHaveLength(450);
});

test('killed in the middle, the same command goes on, and no record comes twice', async () => {
  const topic = 'spread-killed';
  await givenTopic(topic);
  const before = await consumed(topic);
  await using place = await placeFor(kafka, { name: topic, include: [topic] });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  await java.deleteTopic(topic);
  const words = ['restore', '--topic', topic, '--repartition', '4', '--yes'];
  {
    await using running = Running.start(place, ...words, '--throttle', '20kB/s');
    await running.planned();
    await runsUntil('some of it is written', running, async () => (await writtenTo(java, topic)) >= 100n);
    await running.kill();
  }
  const written = await writtenTo(java, topic);
  expect(written).toBeLessThan(BigInt(records.length));
  const end = await place.run(...words);
  expect(end).toMatchObject({ status: 0, stdout: expect.stringContaining('goes on with restore') });
  expect(byKey(await consumed(topic))).toEqual(byKey(before));
});
