import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from '../restore/place.ts';

let kafka: Kafka;
let java: JavaClient;
let place: Place;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
  place = await placeFor(kafka, { name: 'sink', include: ['nothing'] });
});
afterAll(async () => {
  await place[Symbol.asyncDispose]();
  await kafka.stop();
});

function textOf(base64: string | null): string | null {
  return base64 === null ? null : Buffer.from(base64, 'base64').toString();
}

async function consumed(topic: string): Promise<(readonly [number, string | null, bigint])[]> {
  const rows = await java.consume({ topic });
  return rows
    .toSorted((a, b) => a.partition - b.partition || Number(a.offset - b.offset))
    .map(({ partition, value, timestamp }) => [partition, textOf(value), timestamp] as const);
}

const at = (day: number): string =>
  JSON.stringify({ id: day, utcTime: `2026-10-${String(day).padStart(2, '0')}T00:00:00` });
const ms = (day: number): bigint => BigInt(Date.UTC(2026, 9, day));

test('files of a sink become a topic, from a time on, compared; again, nothing comes twice', async () => {
  await writeFile(join(place.folder, 'connect.sink.1.gz'), gzipSync(`${at(1)}\n${at(10)}\n`));
  await writeFile(join(place.folder, 'connect.sink.2'), `${at(11)}\nno time here\n`);
  const words = ['import-sink', '--topic', 'orders', '--files', 'connect*.sink*', '--time-field', 'utcTime'];
  const from = ['--from-time', '2026-10-10T00:00Z'];
  const dry = await place.run(...words, ...from, '--dry-run');
  expect(dry).toMatchObject({ status: 0 });
  expect(dry.stdout).toContain('3 lines selected, 1 before the range, 0 behind it');
  expect(dry.stdout).toContain('1 line without a time');

  const end = await place.run(...words, ...from, '--yes');
  expect(end).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  const expected = [
    [0, at(10), ms(10)],
    [0, at(11), ms(11)],
    [0, 'no time here', -1n],
  ];
  expect(await consumed('orders')).toEqual(expected);

  expect(await place.run(...words, ...from, '--yes')).toMatchObject({ status: 0 });
  expect(await consumed('orders')).toEqual(expected);
  // Everything is another selection, and the topic holds something.
  expect(await place.run(...words, '--yes')).toMatchObject({ status: 18 });
  expect(await place.run(...words, '--append', '--yes')).toMatchObject({ status: 0 });
  expect((await consumed('orders')).length).toBe(7);
});

test('a value that is larger than the cluster takes by default comes back; partitions are those that are asked for', async () => {
  const large = 'x'.repeat(2_000_000);
  await writeFile(join(place.folder, 'large.sink'), `a\n${large}\nb\n`);
  const words = ['import-sink', '--topic', 'large', '--files', 'large.sink', '--yes'];
  const summary = await place.json(...words, '--partitions', '2');
  expect(summary).toMatchObject({ status: 0, restored: true });
  const found = await consumed('large');
  expect(found.map(([partition, value, time]) => [partition, value?.length, time])).toEqual([
    [0, 1, -1n],
    [0, 1, -1n],
    [1, large.length, -1n],
  ]);
  expect(found[2]?.[1] === large).toBe(true); // not printed where it fails
});

test('bad words are refused with 2, no files with 15, and no topic is made', async () => {
  const words = ['import-sink', '--topic', 'none', '--files'];
  expect(await place.run(...words, 'connect*', '--from-time', '2026-10-10T00:00Z')).toMatchObject({
    status: 2,
  });
  expect(await place.run(...words, 'connect*', '--partitions', '0')).toMatchObject({ status: 2 });
  expect(await place.run(...words, 'missing*', '--yes')).toMatchObject({ status: 15 });
  await expect(java.describeTopic('none')).rejects.toThrow();
});
