import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { systemHost, type Disk } from '../../src/host/host.ts';
import { Place } from './direct.ts';
import { MovedClock } from './opened.ts';
import { until } from './processes.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

/** Ten records in each partition. */
async function given(topic: string, partitions: number): Promise<Place> {
  const java = await kafka.java();
  await java.createTopic({ topic, partitions });
  for (let partition = 0; partition < partitions; partition += 1) {
    const records = Array.from({ length: 10 }, (_, index) => ({ value: `value ${index}`, partition }));
    await java.produce({ topic, records, batchSize: 1 });
  }
  return Place.of(kafka, topic);
}

test.for(['follow', 'catch-up'] as const)(
  'in mode %s a log that lost records after its end was frozen ends a catch-up all the same, and is named',
  async (mode) => {
    await using place = await given(`shortened-${mode}`, 1);
    const clock = new MovedClock();
    let lost = 0n;
    await using life = await place.open(`shortened-${mode}`, {
      mode,
      host: { ...systemHost, clock },
      meddle(cluster) {
        const list = cluster.listOffsets.bind(cluster);
        cluster.listOffsets = async (...asked) =>
          (await list(...asked)).map((row) => ({ ...row, offset: row.offset + lost }));
      },
    });
    lost = 5n;
    const caughtUp = life.sink.catchUp();
    await until('all is read', async () => life.sink.status.records === 10);
    await until('its ends are frozen', async () => life.sink.progress !== undefined);
    clock.move(31_000);
    expect(await caughtUp).toMatchObject({
      missing: [{ partition: 0, message: expect.stringContaining('it had them up to 15, and now up to 10') }],
    });
  },
);

test('while a truncation is being journalled nobody is asked again, so that it is one', async () => {
  await using place = await given('once', 2);
  const clock = new MovedClock();
  const held = Promise.withResolvers<void>();
  let isHeld = false;
  const open: Disk['open'] = async (path, mode) => {
    const file = await systemHost.disk.open(path, mode);
    if (!path.endsWith('/journal')) return file;
    const write = file.write.bind(file);
    file.write = async (buffers, position) => {
      if (isHeld) await held.promise;
      await write(buffers, position);
    };
    return file;
  };
  let answers = 0;
  let isDiverging = false;
  await using life = await place.open('once', {
    host: { ...systemHost, clock, disk: { ...systemHost.disk, open } },
    meddle(cluster) {
      const openFetcher = cluster.fetcher.bind(cluster);
      cluster.fetcher = async (id) => {
        const fetcher = await openFetcher(id);
        const fetch = fetcher.fetch.bind(fetcher);
        // Everything anew, so that each answer has a row to meddle with.
        fetcher.fetch = async (request, signal) => {
          const response = await fetch({ ...request, session: 'fresh' }, signal);
          answers += 1;
          if (!isDiverging) return response;
          const partitions = response.partitions.map((answer) =>
            answer.partition === 0 ? { ...answer, diverging: { epoch: 0, endOffset: 0n } } : answer,
          );
          return { ...response, partitions };
        };
        return fetcher;
      };
    },
  });
  await until('all is read', async () => life.sink.status.records === 20);
  isHeld = true;
  isDiverging = true;
  const seen = answers;
  await until('it is told', async () => answers > seen);
  clock.move(1000);
  await until('more was asked', async () => answers > seen + 4);
  isDiverging = false;
  held.resolve();
  await until('it is read again', async () => life.sink.status.records >= 30);
  expect(life.sink.status.records).toBe(30);
  expect(life.events.filter(({ type }) => type === 'truncated')).toMatchObject([
    { partition: 0, offset: 0n, epoch: 1 },
  ]);
  expect(life.sink.followed().filter(({ truncations }) => truncations > 0)).toMatchObject([
    { partition: 0, truncations: 1 },
  ]);
});
