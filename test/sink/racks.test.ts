import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { Source } from '../../src/sink/source.ts';
import { Place } from './direct.ts';
import { until } from './processes.ts';

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka({
    brokers: 3,
    racks: ['east', 'west', 'south'],
    properties: { 'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector' },
  });
  java = await kafka.java();
});
afterAll(() => kafka.stop());

/** How much came from each broker by fetching, beyond the heads of empty answers. */
function fetchedBy(life: { fetched: ReadonlyMap<number, number> }): number[] {
  return [1, 2, 3].map((id) => life.fetched.get(id) ?? 0);
}

test('with kafka.rack a replica of that rack is read instead of the leader; where it goes away, the leader again', async () => {
  const topic = 'racked';
  await java.createTopic({ topic, partitions: 1, replicationFactor: 3 });
  await java.moveLeader({ topic, partition: 0, broker: 1 });
  const produce = async (): Promise<void> => {
    await java.produceLoad({ topic, records: 200, size: 1000, partitions: 1, compression: 'none' });
  };
  await produce();
  // A leader names no replica that has fallen behind, as one may on a busy machine.
  await until('all replicas are in sync', async () => {
    return (await java.describeTopic(topic)).partitions[0]?.inSync.length === 3;
  });
  await using place = await Place.of(kafka, 'racked');
  await using life = await place.open(topic, { rack: 'west' });
  const kept = async (records: number): Promise<void> =>
    until(`${records} records are kept`, async () => life.sink.status.records >= records);
  await kept(200);
  const [leader = 0, replica = 0] = fetchedBy(life);
  expect(replica).toBeGreaterThan(200_000);
  expect(leader).toBeLessThan(10_000);

  await kafka.brokers.find(({ id }) => id === 2)?.kill();
  await produce();
  await kept(400);
  expect(fetchedBy(life)[0]).toBeGreaterThan(200_000);
});

test('a replica that failed is left alone for a while; a leader that names one is asked again in the end', () => {
  const source = new Source();
  source.prefer(2, 0);
  expect(source.at(299_999)).toBe(2);
  expect(source.at(300_000)).toBeUndefined();

  source.prefer(2, 300_000);
  expect(source.leave(300_001)).toBe(true);
  expect(source.leave(300_001)).toBe(false);
  source.prefer(2, 300_002);
  expect(source.at(300_003)).toBeUndefined();
  expect(source.mayLeaveLeader(300_003)).toBe(false);
  source.prefer(3, 360_001);
  expect(source.at(360_002)).toBe(3);
  source.forget();
  expect(source.at(360_003)).toBeUndefined();
});
