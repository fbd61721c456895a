import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { systemHost } from '../../src/host/host.ts';
import { listSegments, partitionFolder, readCoverage } from '../../src/local/local.ts';
import { durableKey } from '../../src/sink/sink.ts';
import { Place } from './direct.ts';
import { RefusingDisk } from './opened.ts';
import { until } from './processes.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

const { disk } = systemHost;

async function fill(topic: string, o: { count: number; partition?: number }): Promise<void> {
  const { count, partition = 0 } = o;
  const records = Array.from({ length: count }, (_, index) => ({ value: `value ${index}`, partition }));
  await (await kafka.java()).produce({ topic, records, batchSize: 500 });
}

async function given(topic: string, o: { partitions: number; count: number }): Promise<Place> {
  await (await kafka.java()).createTopic({ topic, partitions: o.partitions });
  for (let partition = 0; partition < o.partitions; partition += 1)
    await fill(topic, { count: o.count, partition });
  return Place.of(kafka, `varve-${topic}`);
}

async function noteOf(place: Place, partition = 0): Promise<unknown> {
  const rows = await (await kafka.java()).listGroupOffsets(place.group);
  return JSON.parse(rows.find((row) => row.partition === partition)?.metadata ?? 'null');
}

test('a cut tells what each partition covers, as its journal and its closed files do, and writing goes on behind it', async () => {
  await using place = await given('cut', { partitions: 3, count: 100 });
  await using life = await place.open('cut');
  await life.sink.catchUp();

  const { partitions, busy } = await life.sink.cut();

  expect(busy).toEqual([]);
  expect(new Set(partitions.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]));
  for (const { coverage, ...key } of partitions) {
    expect(coverage.ranges).toEqual([{ from: 0n, to: 100n }]);
    expect(await readCoverage(disk, place.folder, key)).toEqual(coverage);
    const segments = await listSegments(disk, partitionFolder(place.folder, key));
    expect(segments).toHaveLength(1);
  }
  await fill('cut', { count: 10 });
  await life.sink.catchUp();
  const key = partitions.find(({ partition }) => partition === 0);
  if (key === undefined) throw new Error('no partition 0');
  expect(await listSegments(disk, partitionFolder(place.folder, key))).toHaveLength(2);
});

test('a partition whose sync fails is left out of the cut and named, and the others are in it', async () => {
  const refusing = new RefusingDisk();
  await using place = await given('cut-refused', { partitions: 2, count: 100 });
  await using life = await place.open('cut-refused', { host: { ...systemHost, disk: refusing.disk } });
  await life.sink.catchUp();
  refusing.refuse = (call, path) => (call === 'sync' && path.includes('/1/') ? 'EIO' : undefined);
  for (const partition of [0, 1]) await fill('cut-refused', { count: 50, partition });
  await until('the disk has refused', async () => life.sink.status.waiting > 0);

  const { partitions, busy } = await life.sink.cut();

  expect(busy).toMatchObject([{ topic: 'cut-refused', partition: 1 }]);
  expect(partitions).toMatchObject([{ partition: 0, coverage: { ranges: [{ from: 0n }] } }]);
  expect(life.events).toContainEqual(expect.objectContaining({ type: 'cut-missed', partition: 1 }));
  refusing.refuse = () => undefined;
  await life.sink.catchUp();
  expect((await life.sink.cut()).partitions).toHaveLength(2);
});

test('commits say how far a snapshot holds each partition from the moment the sink is told', async () => {
  await using place = await given('noted', { partitions: 2, count: 100 });
  await using life = await place.open('noted', { repository: 'repository-1' });
  await life.sink.catchUp();
  expect(await noteOf(place)).toMatchObject({ durable: null, repository: 'repository-1' });
  const topicId = life.sink.topics.get('noted')?.topicId ?? '';

  life.sink.noteDurable(new Map([[durableKey({ topicId, partition: 0 }), 60n]]));
  await life.sink.catchUp();

  expect(await noteOf(place)).toMatchObject({ durable: '60', topicId, repository: 'repository-1' });
  expect(await noteOf(place, 1)).toMatchObject({ durable: null });
});

test('a lost disk begins where the group says a snapshot of the same repository ends, and only there', async () => {
  await using place = await given('lost', { partitions: 1, count: 100 });
  const started = async (repository?: string): Promise<unknown> => {
    place.loseDisk();
    await using life = await place.open('lost', repository === undefined ? {} : { repository });
    await life.sink.catchUp();
    const topicId = life.sink.topics.get('lost')?.topicId ?? '';
    life.sink.noteDurable(new Map([[durableKey({ topicId, partition: 0 }), 60n]]));
    return life.events.find(({ type }) => type === 'started');
  };

  expect(await started('repository-1')).toMatchObject({ from: 'earliest', offset: 0n });
  expect(await started('repository-1')).toMatchObject({ from: 'group', offset: 60n });
  expect(await started('repository-2')).toMatchObject({ from: 'earliest', offset: 0n });
  expect(await started()).toMatchObject({ from: 'earliest', offset: 0n });
});

test('what the newest snapshot holds goes before what the group says, and local files before both', async () => {
  await using place = await given('known', { partitions: 1, count: 100 });
  const { topicId } = await (await kafka.java()).describeTopic('known');
  const key = durableKey({ topicId, partition: 0 });
  const startedWith = async (saved: bigint): Promise<unknown> => {
    await using life = await place.open('known', { repository: 'r', saved: new Map([[key, saved]]) });
    await life.sink.catchUp();
    return life.events.find(({ type }) => type === 'started');
  };

  expect(await startedWith(40n)).toMatchObject({ from: 'snapshot', offset: 40n });
  expect(await startedWith(20n)).toMatchObject({ from: 'local files', offset: 100n });
  place.loseDisk(); // the group's note says 20 now
  expect(await startedWith(50n)).toMatchObject({ from: 'snapshot', offset: 50n });
});

test('a topic created again begins at its earliest record, whatever the group says of the one before', async () => {
  const java = await kafka.java();
  await using place = await given('again', { partitions: 1, count: 100 });
  {
    await using life = await place.open('again', { repository: 'r' });
    const topicId = life.sink.topics.get('again')?.topicId ?? '';
    life.sink.noteDurable(new Map([[durableKey({ topicId, partition: 0 }), 60n]]));
    await life.sink.catchUp();
  }
  const metadata = JSON.stringify(await noteOf(place));
  await java.deleteTopic('again');
  await java.createTopic({ topic: 'again', partitions: 1 });
  // The broker drops a deleted topic's offsets; a commit that was under way can still come after that.
  await java.commitOffsets({
    group: place.group,
    offsets: [{ topic: 'again', partition: 0, offset: 60n, metadata }],
  });
  place.loseDisk();

  await using life = await place.open('again', { repository: 'r' });

  expect(life.events.find(({ type }) => type === 'started')).toMatchObject({ from: 'earliest', offset: 0n });
});

test('a start below what the cluster still has is a gap, journalled', async () => {
  await using place = await given('gone', { partitions: 1, count: 100 });
  const java = await kafka.java();
  const { topicId } = await java.describeTopic('gone');
  await java.deleteRecords({ topic: 'gone', partition: 0, before: 70n });
  await using life = await place.open('gone', {
    saved: new Map([[durableKey({ topicId, partition: 0 }), 40n]]),
  });

  const report = await life.sink.catchUp();

  expect(report.gaps).toMatchObject([{ partition: 0, from: 40n, to: 70n }]);
  const coverage = await readCoverage(disk, place.folder, { topic: 'gone', topicId, partition: 0 });
  expect(coverage?.gaps).toMatchObject([{ from: 40n, to: 70n }]);
  expect(coverage?.ranges.at(-1)).toEqual({ from: 70n, to: 100n });
});

test('the topics that match are told with their ids, partitions and replication factors', async () => {
  await using place = await given('told', { partitions: 3, count: 1 });
  const { topicId } = await (await kafka.java()).describeTopic('told');
  await using life = await place.open('told');

  expect([...life.sink.topics.values()]).toEqual([
    { topic: 'told', topicId, partitions: 3, replicationFactor: 1 },
  ]);
});

test('metrics tell the lag per topic, what a transaction holds back, gaps, and whether all is on disk', async () => {
  const refusing = new RefusingDisk();
  await using place = await given('measured', { partitions: 2, count: 100 });
  const java = await kafka.java();
  await java.beginTransaction({ transactionalId: 'measured-1' });
  await java.produce({
    topic: 'measured',
    transactionalId: 'measured-1',
    records: [{ value: 'open', partition: 1 }],
  });
  await using life = await place.open('measured', { host: { ...systemHost, disk: refusing.disk } });
  await life.sink.catchUp();
  await until('the end was told', async () => life.sink.metrics().topics[0]?.heldBackRecords === 1);

  expect(life.sink.metrics()).toMatchObject({
    topics: [{ topic: 'measured', partitions: 2, lagRecords: 0, heldBackRecords: 1, stopped: 0 }],
    states: { fetching: 2, waiting: 0, stopped: 0, gone: 0 },
    gaps: 0,
    truncations: 0,
    records: 200,
  });
  await until('all is on disk', async () => life.sink.metrics().unsyncedSinceMs === undefined);
  const { lastSyncMs } = life.sink.metrics();
  expect(lastSyncMs).toBeTypeOf('number');

  refusing.refuse = (call) => (call === 'sync' ? 'EIO' : undefined);
  await fill('measured', { count: 30 });
  await until('the lag is seen', async () => life.sink.metrics().topics[0]?.lagRecords === 30);
  await until('a sync has failed', async () => life.sink.metrics().unsyncedSinceMs !== undefined);
  refusing.refuse = () => undefined;
  await until('all is on disk', async () => life.sink.metrics().topics[0]?.lagRecords === 0);
  await java.abortTransaction('measured-1');
});
