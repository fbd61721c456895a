import { expect, test } from 'vitest';
import { readPartition } from '../../src/local/local.ts';
import { folder, hostWith, openedSink } from './disk-trial.ts';
import type { MemoryCluster, StoredLog } from './in-memory.ts';

type Given = ReturnType<typeof hostWith>;

async function caughtUp({ host, cluster }: Given, mode: 'catch-up' | 'follow'): Promise<object> {
  await using opened = await openedSink({ host, cluster, mode, emit: () => undefined });
  return await opened.sink.catchUp();
}

/** What a reader gets of the partition: which batch of which epoch. */
async function read({ host }: Given, { topic, topicId }: MemoryCluster): Promise<string[]> {
  const found: string[] = [];
  for await (const { header } of readPartition(host.disk, folder, { topic, topicId, partition: 0 }))
    found.push(`${header.baseOffset} of epoch ${header.leaderEpoch}`);
  return found;
}

function wantedOf({ wanted }: StoredLog): string[] {
  return wanted.filter(({ isData }) => isData).map(({ from, epoch }) => `${from} of epoch ${epoch}`);
}

test.for([
  { branch: 'shorter than', lost: 6, written: 2 },
  { branch: 'as long as', lost: 3, written: 2 },
  { branch: 'longer than', lost: 3, written: 4 },
])(
  'an election lost records that are saved, and the new branch is $branch ours: a backup gets it',
  async (o) => {
    const given = hostWith();
    const { cluster, clock } = given;
    const [log] = cluster.logs;
    if (log === undefined) throw new Error('expected a partition');
    log.produce(8, clock.nowMs());
    expect(await caughtUp(given, 'catch-up')).toMatchObject({ missing: [] });
    const before = log.end;
    log.loseLast(o.lost);
    log.produce(o.written, clock.nowMs());
    expect(log.end < before ? 'shorter than' : log.end === before ? 'as long as' : 'longer than').toBe(
      o.branch,
    );

    expect(await caughtUp(given, 'catch-up')).toMatchObject({ missing: [], truncations: [{ partition: 0 }] });
    expect(await read(given, cluster)).toEqual(wantedOf(log));
  },
);

test('a daemon that is asked to catch up says so only once it has the new branch', async () => {
  const given = hostWith();
  const { cluster, clock, host } = given;
  const [log] = cluster.logs;
  if (log === undefined) throw new Error('expected a partition');
  log.produce(8, clock.nowMs());
  await using opened = await openedSink({ host, cluster, mode: 'follow', emit: () => undefined });
  await opened.sink.catchUp();
  log.loseLast(6);
  log.produce(2, clock.nowMs());

  expect(await opened.sink.catchUp()).toMatchObject({ missing: [], truncations: [{ partition: 0 }] });
  expect(await read(given, cluster)).toEqual(wantedOf(log));
});

test('the cluster lost all that is behind some offset and has nothing new: a backup says so', async () => {
  const given = hostWith();
  const { cluster, clock } = given;
  const [log] = cluster.logs;
  if (log === undefined) throw new Error('expected a partition');
  log.produce(8, clock.nowMs());
  await caughtUp(given, 'catch-up');
  log.loseLast(4);
  expect(await caughtUp(given, 'catch-up')).toMatchObject({ missing: [], truncations: [{ partition: 0 }] });
  expect(await read(given, cluster)).toEqual(wantedOf(log));
});
