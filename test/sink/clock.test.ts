import { expect, test } from 'vitest';
import { listSegments, partitionFolder } from '../../src/local/local.ts';
import type { SinkEvent } from '../../src/sink/sink.ts';
import { folder, hostWith, openedSink } from './disk-trial.ts';
import { StoredLog } from './in-memory.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;
const steps = [
  { step: 'back by a minute', byMs: -minuteMs },
  { step: 'back by a day', byMs: -dayMs },
  { step: 'back by a year', byMs: -365 * dayMs },
  { step: 'forward by a day', byMs: dayMs },
  { step: 'forward by a year', byMs: 365 * dayMs },
];
const leaderNotAvailable = 5;

test.for(steps)(
  'with the clock set $step, what waits is tried again as soon as ever, and a new partition is found within a minute',
  async ({ byMs }) => {
    const { clock, cluster, host } = hostWith();
    const [first] = cluster.logs;
    await using opened = await openedSink({ host, cluster, mode: 'follow', emit: () => undefined });
    for (const log of cluster.logs) log.produce(3, clock.nowMs());
    await opened.sink.catchUp();
    if (first !== undefined) first.errorCode = leaderNotAvailable;
    for (const log of cluster.logs) log.produce(3, clock.nowMs());
    await passed(clock, 20_000);
    expect(opened.sink.followed()).toContainEqual(
      expect.objectContaining({ partition: 0, state: 'waiting' }),
    );

    clock.set(byMs);
    if (first !== undefined) first.errorCode = 0;
    const fresh = new StoredLog();
    fresh.produce(1, clock.nowMs());
    cluster.logs.push(fresh);
    await passed(clock, minuteMs);

    const durable = new Map(opened.sink.followed().map((row) => [row.partition, row.durable]));
    expect(durable).toEqual(new Map(cluster.logs.map(({ end }, partition) => [partition, end])));
    expect(cluster.committed).toEqual(durable);
    for (const partition of cluster.logs.keys()) {
      const key = { topic: cluster.topic, topicId: cluster.topicId, partition };
      const months = (await listSegments(host.disk, partitionFolder(folder, key))).map(({ month }) => month);
      expect(months).toEqual(months.toSorted((a, b) => a - b));
    }
  },
);

test.for(steps)('with the clock set $step, a backup has the patience it has', async ({ byMs }) => {
  const { clock, cluster, host } = hostWith();
  const events: SinkEvent[] = [];
  const emit = (event: SinkEvent): unknown => events.push(event);
  for (const log of cluster.logs) log.produce(3, clock.nowMs());
  const [first] = cluster.logs;
  if (first !== undefined) first.errorCode = leaderNotAvailable;
  await using opened = await openedSink({ host, cluster, mode: 'catch-up', emit });
  const backup = opened.sink.catchUp();
  await passed(clock, 10_000);
  clock.set(byMs);
  const beganMs = clock.steadyMs();
  await passed(clock, 10_000);
  expect(opened.sink.progress, 'it has not given up').toBeDefined();

  expect(await backup).toMatchObject({ missing: [{ partition: 0 }] });
  expect(clock.steadyMs() - beganMs).toBeLessThan(minuteMs);
});

async function passed(clock: ReturnType<typeof hostWith>['clock'], ms: number): Promise<void> {
  await new Promise<void>((resolve) => clock.after(ms, resolve));
}
