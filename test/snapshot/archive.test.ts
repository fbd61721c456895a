import { expect, test } from 'vitest';
import { openManifest, snapshotFolder, type Pack } from '../../src/repository/repository.ts';
import type { CycleReport } from '../../src/snapshot/snapshot.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';
import { dayMs, keyOf, november, Store } from './given.ts';

const days = 6;

/** Six days of November, of a topic that is kept for two months and one that is kept for ever, together in their packs. */
async function prepared(): Promise<{ store: Store; disk: FaultyDisk }> {
  const disk = new FaultyDisk();
  const store = await Store.make({ disk });
  for (let day = 0; day < days; day += 1) {
    for (const topic of ['orders', 'payments']) await store.append(keyOf(topic), 10);
    await cycleAt(store, disk, november + day * dayMs);
  }
  store.settings = {
    ...store.settings,
    archive: { keep: 'forever', topics: { orders: { keep: { months: 2 } } } },
  };
  return { store, disk };
}

async function cycleAt(store: Store, disk: FaultyDisk, nowMs: number): Promise<CycleReport> {
  store.nowMs = nowMs;
  disk.nowMs = nowMs;
  return await store.cycle();
}

async function packsOf(store: Store, { id }: CycleReport): Promise<readonly Pack[]> {
  return (await openManifest(store.host.disk, await store.open(), id)).manifest.packs;
}

test('an old pack that stays is opened once to see whose it is, and again under another policy', async () => {
  const { store, disk } = await prepared();
  let opened = 0;
  disk.fault = (call, path) => {
    if (call === 'open' && path.endsWith('.tar')) opened += 1;
    return undefined;
  };
  const openedAt = async (nowMs: number): Promise<number> => {
    opened = 0;
    expect((await packsOf(store, await cycleAt(store, disk, nowMs))).length).toBe(days);
    return opened;
  };
  const february = Date.UTC(2027, 1, 2);
  await openedAt(february - 2 * dayMs); // what was not read for long is read again, and each pack is opened for that
  const first = await openedAt(february);
  expect(first).toBeGreaterThanOrEqual(days);
  const later = await openedAt(february + dayMs);
  expect(later).toBeLessThanOrEqual(first - days);

  store.settings = { ...store.settings, archive: { keep: { months: 1 }, topics: {} } };
  expect((await packsOf(store, await cycleAt(store, disk, february + 2 * dayMs))).length).toBe(0);
  expect(await store.verify()).toMatchObject({ findings: [] });
});

test('an old pack that is damaged keeps nothing from being published: it is told, and stays', async () => {
  const { store, disk } = await prepared();
  const [pack] = await packsOf(store, await cycleAt(store, disk, november + days * dayMs));
  const names = ((await disk.list(`${store.target}/main/snapshots`)) ?? []).map(({ name }) => name);
  const newest = names.toSorted().at(-1) ?? '';
  const file = await disk.open(`${snapshotFolder(store.place, newest)}/${pack?.path}`, 'update');
  await file.write([Buffer.alloc(64, 1)], (pack?.index.position ?? 0) + 200);
  await file.close();
  await store.append(keyOf('payments'), 10);

  const report = await cycleAt(store, disk, Date.UTC(2027, 1, 2));
  expect(report).toMatchObject({ finding: 'damage', expired: [], newPacks: 1 });
  expect((await packsOf(store, report)).map(({ path }) => path)).toContain(pack?.path);
});
