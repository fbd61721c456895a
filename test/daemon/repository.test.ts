import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from '../restore/place.ts';
import { Daemon, until } from '../sink/processes.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(async () => {
  await kafka.stop();
});

async function installed(topic: string, more: object = {}): Promise<Place> {
  return await placeFor(kafka, { name: topic, include: [topic], more });
}

/** Of the newest snapshot. */
async function linesOf(place: Place, topic: string): Promise<string[]> {
  const { stdout } = await place.run('cat', '--topic', topic, '--json', '--snapshot', 'latest');
  return stdout.split('\n').filter((line) => line !== '');
}

test('a snapshot holds what a committed reader sees, with groups and configurations, and none of our own', async () => {
  const java = await kafka.java();
  const topic = 'published';
  await java.createTopic({ topic, partitions: 3, configs: { 'retention.ms': '-1' } });
  await java.produceLoad({ topic, records: 5000, size: 100 });
  await java.commitOffsets({
    group: 'shop',
    offsets: [{ topic, partition: 1, offset: 17n, metadata: 'as of monday' }],
  });
  await java.setQuota({ clientId: 'loader', quota: 'consumer_byte_rate', bytesPerSecond: 1e9 });
  await using place = await installed(topic);
  expect(await place.json('backup')).toMatchObject({ status: 0, snapshot: { seq: 1, finding: null } });

  const expected = await java.consumeLines({ topic, isolation: 'read_committed' });
  expect(await linesOf(place, topic)).toEqual(expected);
  const content = await place.json('list', 'latest');
  expect(content['topics']).toMatchObject([{ topic, partitions: 3, records: 5000, present: true }]);
  const groups = content['groups'];
  expect(groups).toContainEqual({
    group: 'shop',
    protocolType: expect.any(String),
    offsets: [expect.objectContaining({ topic, partition: 1, offset: '17', metadata: 'as of monday' })],
  });
  expect(JSON.stringify(groups)).not.toContain('varve-');
  // This cluster has no authorizer, which is no failure of the cycle; the rest of who may do what is there.
  const quota = { entity: [['client-id', 'loader']], limits: [['consumer_byte_rate', 1_000_000_000]] };
  expect(content['access']).toMatchObject({
    acls: null,
    scramUsers: { rows: [] },
    quotas: { rows: [quota] },
    refusals: [expect.stringContaining('no authorizer')],
  });
  const [access] = Object(await place.json('info'))['access'];
  expect(access).toMatchObject({ instance: 'main', acls: null, scramUsers: 0, quotas: 1 });
});

test('a lost local disk goes on where the newest snapshot ends, and nothing is read twice', async () => {
  const java = await kafka.java();
  const topic = 'lost-disk';
  await java.createTopic({ topic, partitions: 2 });
  await java.produceLoad({ topic, records: 3000, size: 100 });
  await using place = await installed(topic);
  expect(await place.json('backup')).toMatchObject({ status: 0, records: 3000 });
  await rm(join(place.folder, 'local'), { recursive: true });
  await java.produceLoad({ topic, records: 500, size: 100 });

  expect(await place.json('backup')).toMatchObject({
    status: 0,
    records: 500,
    snapshot: { seq: 2, warnings: [expect.stringContaining('trusted on first use')] },
  });
  const expected = await java.consumeLines({ topic, isolation: 'read_committed' });
  expect(await linesOf(place, topic)).toEqual(expected);
  expect(await place.json('verify', '--deep')).toMatchObject({ ok: true });
});

test('a daemon publishes by its schedule and on demand; killed, it goes on with one cycle for what it missed', async () => {
  const java = await kafka.java();
  const topic = 'scheduled';
  const timestamp = Date.now() - 70 * 86_400_000; // of a month that is past
  await java.createTopic({ topic, partitions: 2, configs: { 'retention.ms': '-1' } });
  await java.produceLoad({ topic, records: 1000, size: 100, timestamp });
  await using place = await installed(topic, { cycle: { schedule: '*/3 * * * * *' } });
  {
    await using daemon = await Daemon.following(place);
    const ended = await daemon.logged('cycle-ended');
    expect(ended['report']).toMatchObject({ finding: null });
    await java.produceLoad({ topic, records: 500, size: 100, timestamp });
    expect(await place.json('backup')).toMatchObject({ status: 0, snapshot: { finding: null } });
    const expected = await java.consumeLines({ topic, isolation: 'read_committed' });
    expect(await linesOf(place, topic)).toEqual(expected);
    expect(expected.length).toBe(1500);
    const repacked = await place.json('repack', '--yes');
    expect(repacked).toMatchObject({ status: 0, packsAfter: 1, snapshot: expect.any(String) });
    await daemon.logged('repacked', {
      where: ({ report }) => Object(report)['snapshot'] === repacked['snapshot'],
    });
    expect(await linesOf(place, topic)).toEqual(expected);
    const port = Number(daemon.lines.find(({ event }) => event === 'listening')?.['port']);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/^varve_cycle_last_attempt_success 1$/m);
    expect(metrics).toMatch(new RegExp(`^varve_lag_records\\{topic="${topic}"\\} 0$`, 'm'));
    const told = async (name: string): Promise<string> =>
      (await fetch(`http://127.0.0.1:${port}/api/v1/${name}`)).text();
    await until('the page tells that nothing would be lost', async () => {
      const { healthy, unsavedRecords }: { healthy: boolean; unsavedRecords: number } = JSON.parse(
        await told('status'),
      );
      return healthy && unsavedRecords === 0;
    });
    const drawn: { topics: readonly unknown[] } = JSON.parse(await told('topics'));
    expect(drawn.topics).toMatchObject([
      { topic, isLive: true, records: 1500, unsavedBytes: 0, months: [{ unsavedBytes: 0 }] },
    ]);
    daemon.signal('SIGKILL');
    await daemon.ended();
  }
  await using again = await Daemon.following(place);
  const began = await again.logged('cycle-began');
  expect(began).toMatchObject({ trigger: 'schedule', missedMs: expect.any(Number) });
  await until('it has published', async () => again.lines.some(({ event }) => event === 'cycle-ended'));
  again.signal('SIGTERM');
  expect(await again.ended()).toMatchObject({ status: 0 });
  expect(await place.json('verify', '--deep')).toMatchObject({ ok: true });
});
