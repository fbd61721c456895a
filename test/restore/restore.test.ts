import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type Kafka } from '../../scripts/kafka/kafka.ts';
import { Wire } from '../../src/kafka/wire.ts';
import { placeFor } from './place.ts';
import { expectSame, givenRecords } from './process.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(async () => {
  await kafka.stop();
});

test('a deleted topic comes back equal, with its settings and the offsets of its groups', async () => {
  const java = await kafka.java();
  const topic = 'orders';
  await java.createTopic({
    topic,
    partitions: 3,
    configs: { 'retention.ms': '-1', 'segment.ms': '3600000' },
  });
  const records = Array.from({ length: 300 }, (_, index) => ({
    partition: index % 3,
    key: `k${index}`,
    value: `v${index}`,
    headers: [['n', String(index)] as const],
  }));
  await java.produce({ topic, records, compression: 'zstd' });
  const before = await java.consumeLines({ topic, isolation: 'read_committed' });
  const ends = (await java.listOffsets(topic)).map(({ latest }) => latest);
  await java.commitOffsets({
    group: 'shop',
    offsets: [
      { topic, partition: 0, offset: 0n, metadata: '' },
      { topic, partition: 1, offset: 17n, metadata: 'as of monday' },
      { topic, partition: 2, offset: ends[2] ?? 0n, metadata: '' },
    ],
  });
  await using place = await placeFor(kafka, { name: topic, include: [topic] });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  expect(await place.json('snapshot')).toMatchObject({ status: 0, type: 'summary' });
  expect(await place.json('doctor')).toMatchObject({ status: 0, able: true });
  expect(await place.json('groups', 'list', '--topic', topic)).toMatchObject({ groups: [{ group: 'shop' }] });
  await java.deleteTopic(topic);

  const end = await place.run('restore', '--topic', topic, '--yes');
  expect(end.stderr + end.stdout).toContain('RESTORED');
  expect(end).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  expect(await java.consumeLines({ topic, isolation: 'read_committed' })).toEqual(before);
  expect(await java.describeConfigs(topic)).toMatchObject({ 'retention.ms': '-1', 'segment.ms': '3600000' });
  expect(await java.listGroupOffsets('shop')).toEqual([
    expect.objectContaining({ topic, partition: 0, offset: 0n }),
    expect.objectContaining({ topic, partition: 1, offset: 17n, metadata: 'as of monday' }),
    expect.objectContaining({ topic, partition: 2, offset: ends[2] }),
  ]);
});

test('under a quota the broker tells it to wait, and it comes back in order and whole all the same', async () => {
  const java = await kafka.java();
  const topic = 'slow';
  const before = await givenRecords(java, { topic, partitions: 3, count: 1200 });
  await using place = await placeFor(kafka, { name: topic, include: [topic] });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  await java.deleteTopic(topic);
  // Ten seconds' worth of it are free: 700 kB are to take some seconds more.
  const quota = { clientId: 'varve', quota: 'producer_byte_rate' } as const;
  await java.setQuota({ ...quota, bytesPerSecond: 55_000 });
  const { waits, watch } = throttlesOf('Produce');
  try {
    const end = await place.run('restore', '--topic', topic, '--yes');
    expect(end, end.stderr).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  } finally {
    watch.mockRestore();
    await java.setQuota({ ...quota, bytesPerSecond: null });
  }
  expect(waits.filter((waitMs) => waitMs > 0).length).toBeGreaterThan(1);
  await expectSame(java, topic, before);
});

/** What the brokers' answers to these requests tell their sender to wait. */
function throttlesOf(name: string): { waits: number[]; watch: { mockRestore(): void } } {
  const waits: number[] = [];
  // oxlint-disable-next-line typescript/unbound-method -- it is called with the wire it was asked of
  const ask = Wire.prototype.ask;
  const watch = vi.spyOn(Wire.prototype, 'ask').mockImplementation(async function (
    this: Wire,
    message,
    request,
    options,
  ) {
    const answer = await ask.call(this, message, request, options);
    if (message.name === name) waits.push(answer.throttleMs);
    return answer;
  });
  return { waits, watch };
}
