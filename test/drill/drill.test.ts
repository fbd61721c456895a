import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from '../restore/place.ts';
import { givenRecords, Running, runsUntil } from '../restore/process.ts';

// The drills of checks.test.ts have a child each.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

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

/** As the broker's own disk has them, a moment after the cluster has: a folder for each partition. */
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
  await expect.poll(scratchTopics).toEqual([]);
  expect(await leftJournals()).toEqual([]);
  expect(await place.json('restores', 'list')).toMatchObject({ restores: [] });
});

test('a drill that is killed leaves topics, the next one deletes them and nothing else, and two never run at once', async () => {
  await java.createTopic({ topic: '__varve-drill-of-somebody-else', partitions: 1 });
  await using running = Running.start(place, 'drill');
  await runsUntil('its topics are made', running, async () => (await scratchTopics()).length > 1);
  const second = await place.json('drill');
  expect(second).toMatchObject({ status: 11, error: { code: 'locked' } });
  await running.kill();
  expect((await scratchTopics()).length).toBeGreaterThan(1);

  expect(await place.json('drill', '--topics', 'users')).toMatchObject({
    status: 0,
    passed: true,
    isWhole: false,
  });
  await expect.poll(scratchTopics).toEqual(['__varve-drill-of-somebody-else']);
  expect(await leftJournals()).toEqual([]);
  await java.deleteTopic('__varve-drill-of-somebody-else');
});

test('the daemon drills by its schedule beside the sink, which never follows a scratch topic', async () => {
  await place.configure({ drill: { schedule: '*/5 * * * * *', maxBytes: '100KiB' } });
  await using daemon = Running.start(place, 'run');
  const logged = (event: string): boolean => daemon.stderr.includes(`"event":"${event}"`);
  await expect.poll(() => logged('drill-ended')).toBe(true);
  daemon.signal('SIGTERM');
  expect(await daemon.ended()).toMatchObject({ status: 0 });
  const ended = daemon.stderr.split('\n').find((line) => line.includes('"event":"drill-ended"')) ?? '';
  expect(JSON.parse(ended)).toMatchObject({ passed: true, topics: 2, level: 'info' });
  expect((await readdir(join(place.local, 'topics'))).toSorted()).toEqual(['orders', 'users']);
  await expect.poll(scratchTopics).toEqual([]);
  await place.configure({});
});

test('a damaged pack fails the drill with 4; info and check tell of it until one passes', async () => {
  const folder = join(place.repository, 'main', 'snapshots');
  const names = await readdir(folder, { recursive: true });
  const path = join(folder, names.find((name) => name.endsWith('.tar')) ?? '');
  const whole = await readFile(path);
  const bytes = Buffer.from(whole);
  const at = Math.floor(bytes.length / 3);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  await chmod(path, 0o640);
  await writeFile(path, bytes);
  expect(await place.json('drill')).toMatchObject({
    status: 4,
    passed: false,
    problem: { code: 'damage' },
    left: [],
  });
  await expect.poll(scratchTopics).toEqual([]);
  expect(await place.json('info')).toMatchObject({
    lastDrill: { passed: false, code: 'damage', kind: 'restore' },
  });
  const told = await place.run('check');
  expect(told.stdout).toMatch(/^warn drill: the last drill, .* FAILED: topic orders: /m);

  await writeFile(path, whole);
  expect(await place.json('drill', '--topics', 'users')).toMatchObject({ status: 0 });
  expect((await place.run('check')).stdout).toMatch(/^ok {3}drill: the last drill, .* passed: a sample /m);
});
