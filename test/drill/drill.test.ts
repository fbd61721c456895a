import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from '../restore/place.ts';
import { givenRecords, Running } from '../restore/process.ts';

let kafka: Kafka;
let java: JavaClient;
let place: Place;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
  await givenRecords(java, {
    topic: 'orders',
    partitions: 3,
    count: 3000,
    configs: { 'retention.ms': '1000000' },
  });
  await givenRecords(java, { topic: 'users', partitions: 1, count: 90 });
  place = await placeFor(kafka, { name: 'drill', include: ['*'] });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
});
afterAll(async () => {
  await place[Symbol.asyncDispose]();
  await kafka.stop();
});

/** As the broker's own disk has them: a folder for each partition. */
async function scratchTopics(): Promise<string[]> {
  const names = await readdir(kafka.brokers[0]?.logDir ?? '');
  const live = names.filter((name) => name.startsWith('__varve-drill-') && !name.endsWith('-delete'));
  return [...new Set(live.map((name) => name.replace(/-\d+$/, '')))];
}

async function leftJournals(): Promise<string[]> {
  return readdir(join(place.local, 'drills', 'restores'));
}

test('a drill restores, compares, cleans up and notes that it passed', async () => {
  const end = await place.json('drill');
  expect(end).toMatchObject({
    status: 0,
    passed: true,
    kind: 'restore',
    isWhole: true,
    isNoted: true,
    records: 3090,
    left: [],
    topics: [
      { topic: 'orders', target: expect.stringMatching(/^__varve-drill-\S+-0-orders$/), records: 3000 },
      { topic: 'users', records: 90 },
    ],
  });
  expect(await scratchTopics()).toEqual([]);
  expect(await leftJournals()).toEqual([]);
  expect(await place.json('restores', 'list')).toMatchObject({ restores: [] });
});

test('a drill that is killed leaves topics, the next one deletes them and nothing else, and two never run at once', async () => {
  await java.createTopic({ topic: '__varve-drill-of-somebody-else', partitions: 1 });
  await using running = Running.start(place, 'drill');
  await expect
    .poll(async () => (await scratchTopics()).length, { timeout: 30_000, interval: 20 })
    .toBeGreaterThan(1);
  running.signal('SIGSTOP');
  const second = await place.json('drill');
  expect(second).toMatchObject({ status: 11, error: { code: 'locked' } });
  await running.kill();
  expect((await scratchTopics()).length).toBeGreaterThan(1);

  expect(await place.json('drill', '--topics', 'users')).toMatchObject({
    status: 0,
    passed: true,
    isWhole: false,
  });
  expect(await scratchTopics()).toEqual(['__varve-drill-of-somebody-else']);
  expect(await leftJournals()).toEqual([]);
  await java.deleteTopic('__varve-drill-of-somebody-else');
});
