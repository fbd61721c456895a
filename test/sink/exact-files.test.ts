import { open } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup, brokerLog, concatenated, createTopic } from './backup.ts';
import { dump, expectDumped, invalid } from './dumped.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

const sizes = ['1KiB', '64KiB', '1MiB', '256MiB'] as const;

test.each(sizes)("segments of %s, one behind the other, are the broker's own log", async (segmentBytes) => {
  const java = await kafka.java();
  const topic = `files-${segmentBytes}`;
  // The broker rolls its own files too, at other places than ours.
  const configs = { 'retention.ms': '-1', 'segment.bytes': '1048576' };
  await createTopic(java, { topic, partitions: 2, configs });
  await using backup = await Backup.of(kafka, { include: [topic], segmentBytes });
  // Each record is a millisecond later than the one before: the second load reaches into January.
  const months = ['2025-11-29T00:00:00Z', '2025-12-31T23:59:59.500Z', '2026-02-01T00:00:00Z'];
  for (const [index, day] of months.entries()) {
    for (const compression of ['none', 'lz4', 'zstd'] as const) {
      const load = { topic, records: 2000, size: 400, partitions: 2, batchSize: 20_000 };
      await java.produceLoad({ ...load, compression, seed: index, timestamp: Date.parse(day), keyed: true });
    }
    expect(await backup.catchUp()).toMatchObject({ status: 0, records: 6000 });
  }
  const all: string[] = [];
  for (const partition of [0, 1]) {
    const segments = await backup.segments(topic, partition);
    expect(segments.length).toBeGreaterThanOrEqual(months.length);
    const found = new Set(segments.map(({ name }) => name.slice(0, 7)));
    expect([...found]).toEqual(['2025-11', '2025-12', '2026-01', '2026-02']);
    const ours = await concatenated(segments);
    expect(ours.equals(await brokerLog(kafka, topic, partition))).toBe(true);
    all.push(...segments.map(({ path }) => path));
  }
  await expectDumped(kafka, all);
  expect(await backup.expectExact(topic)).toBe(18_000);
});

test("Kafka's own reader of log files sees a byte that changed", async () => {
  const java = await kafka.java();
  await createTopic(java, { topic: 'flipped' });
  await java.produceLoad({ topic: 'flipped', records: 100, size: 100 });
  await using backup = await Backup.of(kafka, { include: ['flipped'] });
  await backup.catchUp();
  const [segment] = await backup.segments('flipped');
  if (segment === undefined) throw new Error('no segment');
  await flipByte(segment.path, 1000);
  expect((await dump(kafka, [segment.path])).stdout).toMatch(invalid);
});

async function flipByte(path: string, at: number): Promise<void> {
  await using file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8(0) ^ 1, 0);
  await file.write(byte, 0, 1, at);
}
