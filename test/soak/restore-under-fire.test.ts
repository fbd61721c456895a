import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { brokerOf, restoreHere, Saved, untilRestored } from '../restore/under-fire.ts';

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 3 });
  java = await kafka.java();
});
afterAll(() => kafka.stop());

test('leaders are moved and one is killed in mid-restore: it goes on by itself, nothing lost, nothing twice', async () => {
  const topic = 'moved';
  await using saved = await Saved.of(kafka, { topic });
  await saved.lose();
  const running = restoreHere(saved, { more: ['--throttle', '500kB/s'] });
  await saved.holds(300);
  for (let partition = 0; partition < 3; partition += 1)
    await java.moveLeader({ topic, partition, broker: 1 + ((partition + 1) % 3) });
  const { partitions } = await java.describeTopic(topic);
  const killed = brokerOf(kafka, partitions[0]?.leader);
  await killed.kill();
  await killed.start();
  expect(await untilRestored(async () => restoreHere(saved, {}), running)).toHaveLength(1);
  await saved.expectBack();
});

test('a leader that still has the deleted topic takes no record of the new one', async () => {
  await using saved = await Saved.of(kafka, { topic: 'lagging', count: 600 });
  const anew = async (begun?: () => Promise<void>): Promise<CommandEnd> =>
    restoreHere(saved, { more: ['--recreate'], ...(begun && { begun }) });
  for (const round of [1, 2, 3]) {
    // Frozen, it still has the topic when others hear of the new one. Where it is asked to make that, it may not lead it.
    const lagging = brokerOf(kafka, round);
    const before = await saved.idNow();
    const running = anew(async () => lagging.suspend());
    const leaders = await saved.made({ before, running });
    lagging.resume();
    expect(await untilRestored(anew, running)).toHaveLength(1);
    await saved.expectBack();
    if (leaders.includes(lagging.id)) return;
    expect(await saved.place.json('backup')).toMatchObject({ status: 0 });
  }
  expect.fail('no leader lagged');
});

test('the coordinators of groups die while their offsets are set: every group stands where it stood', async () => {
  const topic = 'coordinated';
  await using saved = await Saved.of(kafka, { topic, count: 600, groups: 30 });
  await saved.lose();
  const running = restoreHere(saved, {});
  await saved.sets(3);
  const coordinator = await saved.coordinatorOf(`${topic}.group-29`);
  await coordinator.kill();
  const ends = await untilRestored(async () => restoreHere(saved, {}), running);
  await coordinator.start();
  expect(ends).toHaveLength(1);
  await saved.expectBack();
});
