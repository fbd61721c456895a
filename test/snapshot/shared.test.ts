import { execFile } from 'node:child_process';
import { cp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { Disk } from '../../src/host/host.ts';
import { openManifest, snapshotFolder, type Pack } from '../../src/repository/repository.ts';
import { SnapshotSource } from '../../src/snapshot/snapshot.ts';
import { dayMs, keyOf, Store } from './given.ts';

const run = promisify(execFile);
const orders = keyOf('orders');

interface Links {
  /** With what every link is answered, or those of some files. */
  code: string | undefined;
  isMeant: (existing: string) => boolean;
}

/** A store on the real disk, on which links can be taken away and given back. */
async function storeWith(code: string | undefined): Promise<{ store: Store; links: Links }> {
  const links: Links = { code, isMeant: () => true };
  const over = (disk: Disk): Disk => ({
    ...disk,
    async link(existing, fresh) {
      if (links.code !== undefined && existing.includes('/target/') && links.isMeant(existing))
        throw Object.assign(new Error(`${links.code}: link ${existing}`), { code: links.code });
      await disk.link(existing, fresh);
    },
  });
  const store = await Store.make({ over });
  store.settings = {
    ...store.settings,
    retain: { hourly: 0, daily: 2, weekly: 0, monthly: 0, minimum: 2, minAge: dayMs },
  };
  return { store, links };
}

async function packsOf(store: Store, id: string): Promise<readonly Pack[]> {
  return (await openManifest(store.host.disk, await store.open(), id)).manifest.packs;
}

/** Packs in the common folder, by the paths of the manifests. */
async function sharedPacks(store: Store): Promise<string[]> {
  const names = await readdir(join(store.target, 'main', 'packs'), { recursive: true });
  return names.filter((name) => name.endsWith('.tar')).toSorted();
}

async function recordsIn(store: Store, id: string): Promise<number> {
  const { disk } = store.host;
  const repository = await store.open();
  const { manifest } = await openManifest(disk, repository, id);
  let records = 0;
  for await (const { from, to } of new SnapshotSource(disk, repository, manifest).read(orders))
    records += Number(to - from);
  return records;
}

async function day(store: Store, records = 10): Promise<{ id: string }> {
  store.nowMs += dayMs;
  await store.append(orders, records);
  return await store.cycle();
}

test('on a target without hard links snapshots share packs, and each is read, verified and checked by its sums as ever', async () => {
  const { store } = await storeWith('EPERM');
  await using _ = store;
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1) ids.push((await day(store)).id);
  const [first = '', second = '', third = ''] = ids;

  expect(await readdir(join(store.target, 'main', 'snapshots'))).toEqual([second, third].toSorted());
  for (const id of [second, third])
    expect((await readdir(snapshotFolder(store.place, id))).toSorted()).toEqual(['SHA256SUMS', 'manifest']);
  expect(await sharedPacks(store)).toHaveLength(3);
  for (const name of await sharedPacks(store))
    expect((await stat(join(store.target, 'main', 'packs', name))).nlink).toBe(1);
  expect(await store.verify()).toMatchObject({ findings: [], snapshots: 2, packs: 3, records: 30 });
  expect(await recordsIn(store, second)).toBe(20);
  const [trashed = ''] = await readdir(join(store.target, 'main', 'trash'));
  expect(trashed).toContain(first);
  for (const folder of [`snapshots/${third}`, `trash/${trashed}`])
    await run('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: join(store.target, 'main', folder) });
  const idle = await store.cycle();
  expect(idle).toMatchObject({ linkedPacks: 3, copiedPacks: 0, newPacks: 0, warnings: [], finding: null });
});

test('a pack goes once no snapshot has it, neither one in the trash, and stays on any doubt', async () => {
  const { store } = await storeWith('EOPNOTSUPP');
  await using _ = store;
  await day(store);
  const [oldest = ''] = await sharedPacks(store);
  store.settings = { ...store.settings, archive: { keep: { months: 1 }, topics: {} } };
  store.nowMs = Date.UTC(2027, 0, 2);
  const last = [(await day(store)).id, (await day(store)).id, (await day(store)).id];
  const instance = join(store.target, 'main');
  const trashed = await readdir(join(instance, 'trash'));
  expect(trashed.length).toBeGreaterThan(0);
  expect(await sharedPacks(store)).toContain(oldest);

  store.nowMs += 49 * 3_600_000; // the trash goes now
  const away = join(store.folder, 'away');
  await rename(snapshotFolder(store.place, last[2] ?? ''), away);
  await expect(store.cycle()).rejects.toMatchObject({ code: 'refused' });
  await rename(away, snapshotFolder(store.place, last[2] ?? ''));
  expect(await sharedPacks(store)).toContain(oldest);

  await cp(snapshotFolder(store.place, last[2] ?? ''), join(instance, 'trash', 'kept-by-hand'), {
    recursive: true,
  });
  await store.cycle();
  expect(await sharedPacks(store)).toContain(oldest);
  await rm(join(instance, 'trash', 'kept-by-hand'), { recursive: true });

  await store.cycle();
  expect(await sharedPacks(store)).not.toContain(oldest);
  expect(await store.verify()).toMatchObject({ findings: [] });
});

test('a repository that comes to a target without hard links copies its packs once, says so, and goes on', async () => {
  const { store, links } = await storeWith(undefined);
  await using _ = store;
  await day(store);
  const before = await day(store);
  links.code = 'EPERM';
  const moved = await day(store);
  expect((await packsOf(store, before.id)).every(({ shared }) => shared === undefined)).toBe(true);

  expect(moved).toMatchObject({ linkedPacks: 2, copiedPacks: 2, newPacks: 1, finding: null });
  expect(moved).toMatchObject({ warnings: [expect.stringContaining('no hard links')] });
  const next = await day(store);
  expect(next).toMatchObject({ linkedPacks: 3, copiedPacks: 0, warnings: [] });
  expect(await store.verify()).toMatchObject({ findings: [] });
  expect(await recordsIn(store, next.id)).toBe(40);

  links.code = undefined; // and back to one that has them
  const back = await day(store);
  expect(back).toMatchObject({ linkedPacks: 4, copiedPacks: 0, warnings: [] });
  expect(await store.verify()).toMatchObject({ findings: [] });
});

test('a pack that has as many names as there may be is copied, counted and said, and linked from there on', async () => {
  const { store, links } = await storeWith(undefined);
  await using _ = store;
  const first = await day(store);
  const [pack] = await packsOf(store, first.id);
  Object.assign(links, { code: 'EMLINK', isMeant: (existing: string) => existing.endsWith('.tar') });
  const copied = await day(store);
  expect(copied).toMatchObject({ linkedPacks: 1, copiedPacks: 1, copiedBytes: pack?.bytes });
  expect(copied).toMatchObject({ warnings: [expect.stringContaining('as many names')] });
  links.code = undefined;
  const next = await day(store);
  expect(next).toMatchObject({ linkedPacks: 2, copiedPacks: 0, warnings: [] });
  const inodes = await Promise.all(
    [first, copied, next].map(async ({ id }) =>
      store.host.disk.stat(join(snapshotFolder(store.place, id), pack?.path ?? '')),
    ),
  );
  expect(inodes[1]?.inode).toBe(inodes[2]?.inode);
  expect(await store.verify()).toMatchObject({ findings: [] });
});

test('what a lost snapshot left in the common folder is neither overwritten nor taken for another', async () => {
  const { store } = await storeWith('ENOSYS');
  await using _ = store;
  await day(store);
  const lost = await day(store);
  await rm(snapshotFolder(store.place, lost.id), { recursive: true });
  const again = await store.cycle({
    accept: { rollback: true, cluster: false, shrink: false, clock: false },
  });

  expect(again).toMatchObject({ seq: 2, newPacks: 1 });
  expect((await packsOf(store, again.id)).map(({ path }) => path.slice(8))).toEqual([
    '0000000001-0.tar',
    '0000000002-1.tar',
  ]);
  expect(await recordsIn(store, again.id)).toBe(20);
  expect(await store.verify()).toMatchObject({ findings: [] });
});
