import { expect, test } from 'vitest';
import { systemHost } from '../../src/host/host.ts';
import type { Cluster } from '../../src/kafka/kafka.ts';
import { Place } from './direct.ts';
import { Fakes, Honest, topic, topicId } from './fakes.ts';
import { MovedClock } from './opened.ts';
import { until } from './processes.ts';

type Rows = Parameters<Cluster['commitOffsets']>[1];

/** The group's coordinator, which answers when it is told to. */
class Coordinator {
  readonly asked: Rows[] = [];
  atOnceMost = 0;
  #atOnce = 0;
  #answer = Promise.withResolvers<void>();

  readonly meddle = (cluster: Cluster): void => {
    cluster.commitOffsets = async (_group, rows, { signal } = {}) => {
      this.asked.push(rows);
      this.#atOnce += 1;
      this.atOnceMost = Math.max(this.atOnceMost, this.#atOnce);
      signal?.addEventListener('abort', () => this.#answer.resolve());
      await this.#answer.promise;
      this.#atOnce -= 1;
      return rows.map((row) => ({ ...row, errorCode: 0 }));
    };
  };

  answer(): void {
    this.#answer.resolve();
  }
}

test('a coordinator that hangs holds up no fsync; then the newest position is committed, and one commit runs at a time', async () => {
  const coordinator = new Coordinator();
  const clock = new MovedClock();
  const honest = new Honest(3n);
  await using fakes = await Fakes.of([honest]);
  await using place = await Place.of(fakes, 'varve-fakes');
  await using life = await place.open(topic, { meddle: coordinator.meddle, host: { ...systemHost, clock } });
  const durable = (): bigint | undefined => life.sink.followed()[0]?.durable;
  const reached = async (offset: bigint): Promise<void> =>
    until(`${offset} is durable`, async () => {
      clock.move(1000);
      return durable() === offset;
    });
  await reached(3n);
  await until('a commit hangs', async () => coordinator.asked.length === 1);

  for (const offset of [6n, 9n, 12n]) {
    honest.grow(3n);
    await reached(offset);
  }
  expect(coordinator.asked).toHaveLength(1);
  coordinator.answer();
  await until('the rest is committed', async () => coordinator.asked.at(-1)?.[0]?.offset === 12n);

  expect(coordinator.asked).toHaveLength(2);
  expect(coordinator.atOnceMost).toBe(1);
});

test('a catch-up does not wait for a coordinator that hangs, since what it read is on disk', async () => {
  const coordinator = new Coordinator();
  const clock = new MovedClock();
  await using fakes = await Fakes.of([new Honest(3n)]);
  await using place = await Place.of(fakes, 'varve-fakes');
  await using life = await place.open(topic, {
    meddle: coordinator.meddle,
    host: { ...systemHost, clock },
  });
  await until('a commit hangs', async () => coordinator.asked.length === 1);
  let isOver = false;
  const caughtUp = life.sink.catchUp().finally(() => {
    isOver = true;
  });

  await until('it is over', async () => {
    clock.move(1000);
    return isOver;
  });

  expect(await caughtUp).toMatchObject({ missing: [] });
  expect(coordinator.asked).toHaveLength(1);
});

test('a snapshot that is published while a commit hangs is in the next one', async () => {
  const coordinator = new Coordinator();
  await using fakes = await Fakes.of([new Honest(3n)]);
  await using place = await Place.of(fakes, 'varve-fakes');
  await using life = await place.open(topic, { meddle: coordinator.meddle });
  await until('all is durable, and a commit hangs', async () => coordinator.asked.at(-1)?.[0]?.offset === 3n);

  life.sink.noteDurable(new Map([[`${topicId}/0`, 2n]]));
  coordinator.answer();

  await until(
    'it is said',
    async () => coordinator.asked.at(-1)?.[0]?.metadata.includes('"durable":"2"') === true,
  );
});
