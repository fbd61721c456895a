import { lstat, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  moveToTrash,
  purgeTrash,
  rebuildViews,
  readMarks,
  snapshotFolder,
  obsoleteMarks,
  sweepMarks,
  sweepStaging,
  writeMark,
} from '../../src/repository/repository.ts';

import { dayMs, Store } from '../snapshot/given.ts';

const id = '20261101T030000Z-1a2b';
const other = '20261102T030000Z-3c4d';

async function withSnapshots(): Promise<Store> {
  const store = await Store.make();
  for (const name of [id, other]) {
    await mkdir(join(snapshotFolder(store.place, name), '2026-11'), { recursive: true });
    await writeFile(join(snapshotFolder(store.place, name), 'manifest'), name);
    await writeFile(join(snapshotFolder(store.place, name), '2026-11', 'pack'), name);
  }
  return store;
}

test('views become what they are to be, and nothing else in the folder is touched', async () => {
  await using store = await withSnapshots();
  const folder = join(store.target, 'main');
  await symlink(`snapshots/${id}`, join(folder, 'weekly.3'));
  await symlink('/elsewhere', join(folder, 'daily.0'));
  await symlink('/elsewhere', join(folder, 'mine'));
  await symlink('/elsewhere', join(folder, '.0123456789ab.view'));
  await mkdir(join(folder, 'monthly.0'));
  const views = [
    { name: 'daily.0', snapshotId: other },
    { name: 'daily.1', snapshotId: id },
    { name: 'monthly.0', snapshotId: id },
  ];
  await rebuildViews(store.host, store.place, views);

  expect((await readdir(folder)).toSorted()).toEqual(
    ['daily.0', 'daily.1', 'lock', 'marks', 'mine', 'monthly.0', 'snapshots', 'staging', 'trash'].toSorted(),
  );
  expect(await readlink(join(folder, 'daily.0'))).toBe(`snapshots/${other}`);
  expect(await readlink(join(folder, 'daily.1'))).toBe(`snapshots/${id}`);
  expect(await readlink(join(folder, 'mine'))).toBe('/elsewhere');
  expect((await lstat(join(folder, 'monthly.0'))).isDirectory()).toBe(true);
});

test('a view that is right already is left as it is', async () => {
  await using store = await withSnapshots();
  const path = join(store.target, 'main', 'daily.0');
  const views = [{ name: 'daily.0', snapshotId: id }];
  await rebuildViews(store.host, store.place, views);
  const { ino } = await lstat(path);
  await rebuildViews(store.host, store.place, views);
  expect((await lstat(path)).ino).toBe(ino);
});

test('what is in the trash can be taken back for 48 hours, and goes then', async () => {
  await using store = await withSnapshots();
  const trash = join(store.target, 'main', 'trash');
  await mkdir(join(trash, 'mine'));
  const atMs = store.nowMs;
  await moveToTrash(store.host, store.place, id);
  expect(await readdir(join(store.target, 'main', 'snapshots'))).toEqual([other]);
  const [name = ''] = (await readdir(trash)).filter((found) => found !== 'mine');
  expect(name).toBe(`${id}~${Math.floor(atMs / 1000)}`);

  expect(await purgeTrash(store.host, store.place, { nowMs: atMs + 2 * dayMs - 1 })).toEqual([]);
  expect((await readdir(trash)).toSorted()).toEqual([name, 'mine']);
  expect(await purgeTrash(store.host, store.place, { nowMs: atMs + 2 * dayMs })).toEqual([id]);
  expect(await readdir(trash)).toEqual(['mine']);
});

test('a snapshot that is in the trash already is not written over', async () => {
  await using store = await withSnapshots();
  await moveToTrash(store.host, store.place, id);
  await mkdir(snapshotFolder(store.place, id));
  await expect(moveToTrash(store.host, store.place, id)).rejects.toMatchObject({ code: 'EEXIST' });
});

test('what cycles left in staging goes, what is not theirs stays', async () => {
  await using store = await Store.make();
  const staging = join(store.target, 'main', 'staging');
  await mkdir(join(staging, id, '2026-11'), { recursive: true });
  await writeFile(join(staging, id, '2026-11', 'pack'), '');
  await mkdir(join(staging, 'mine'));
  await symlink(store.local, join(staging, other));
  await sweepStaging(store.host, store.place);

  expect((await readdir(staging)).toSorted()).toEqual([other, 'mine'].toSorted());
  expect((await readdir(store.local)).length).toBeGreaterThan(0);
});

test('the last mark about a pin counts', async () => {
  await using store = await Store.make();
  const repository = await store.open();
  const mark = async (type: 'pinned' | 'unpinned', atMs: number): Promise<void> =>
    writeMark(store.host, repository, { snapshot: id, type, atMs, reason: `at ${atMs}` });
  await mark('pinned', 3000);
  await mark('unpinned', 2000);
  await mark('pinned', 1000);
  expect([...(await readMarks(store.host, repository)).pinned]).toEqual([
    [id, { atMs: 3000, reason: 'at 3000' }],
  ]);
  await mark('unpinned', 4000);
  expect((await readMarks(store.host, repository)).pinned.size).toBe(0);
});

test('a mark under another name opens as nothing, and is told; the others count', async () => {
  await using store = await Store.make();
  const repository = await store.open();
  const folder = join(store.target, 'main', 'marks');
  await writeMark(store.host, repository, { snapshot: id, type: 'pinned', atMs: 1000 });
  const [name = ''] = await readdir(folder);
  await rename(join(folder, name), join(folder, name.replace(id, other)));
  await writeMark(store.host, repository, { snapshot: id, type: 'pinned', atMs: 2000 });
  await writeFile(join(folder, `${other}.damaged-20261101T030000000Z-0000`), 'no mark');
  await writeFile(join(folder, 'mine'), '');

  const marks = await readMarks(store.host, repository);
  expect([...marks.pinned.keys()]).toEqual([id]);
  expect(marks.damaged).toEqual([]);
  expect(marks.problems.length).toBe(2);
});

test('a mark that a cycle lets go of between its listing and its reading is none, and nothing else', async () => {
  await using store = await Store.make();
  const repository = await store.open();
  const folder = join(store.target, 'main', 'marks');
  for (const atMs of [1000, 2000])
    await writeMark(store.host, repository, { snapshot: id, type: 'pinned', atMs, reason: `at ${atMs}` });
  const { disk } = store.host;
  const list: typeof disk.list = async (path) => {
    const entries = await disk.list(path);
    if (path === folder) for (const name of await readdir(folder)) await rm(join(folder, name));
    return entries;
  };
  const marks = await readMarks({ ...store.host, disk: { ...disk, list } }, repository);
  expect(marks).toMatchObject({ files: [], problems: [] });
});

test('a mark goes once it has the last word on nothing that is kept', async () => {
  await using store = await Store.make();
  const repository = await store.open();
  const kept = { sha256: 'ab'.repeat(32) };
  const old = { sha256: 'cd'.repeat(32) };
  const gone = { sha256: 'ef'.repeat(32) };
  const mark = async (
    type: 'checked' | 'damaged',
    atMs: number,
    packs: { sha256: string }[],
  ): Promise<void> => writeMark(store.host, repository, { snapshot: id, type, atMs, packs });
  await mark('checked', 1000, [kept, gone]); // the manifest of today says 2000
  await mark('checked', 1100, [kept, old]); // the only word on what an older snapshot alone holds
  await mark('checked', 3000, [kept]);
  await mark('damaged', 900, [old]); // lifted by the reading at 1100
  await mark('damaged', 1200, [old]);
  await mark('damaged', 1300, [old, gone]);
  await mark('damaged', 1400, [gone]);
  for (const [snapshot, type, atMs] of [
    [other, 'pinned', 1000],
    [other, 'unpinned', 2000],
    [other, 'pinned', 3000],
    [id, 'pinned', 1000],
  ] as const)
    await writeMark(store.host, repository, { snapshot, type, atMs });

  const notedMs = (sha256: string): number | undefined =>
    sha256 === kept.sha256 ? 2000 : sha256 === old.sha256 ? 500 : undefined;
  const { files } = await readMarks(store.host, repository);
  const nowMs = 5000;
  const snapshots = new Set([other]);
  await sweepMarks(store.host, repository, obsoleteMarks(files, { snapshots, notedMs, nowMs }));

  const marks = await readMarks(store.host, repository);
  expect(marks.checked.map(({ atMs }) => atMs)).toEqual([1100, 3000]);
  expect(marks.damaged.map(({ atMs }) => atMs)).toEqual([1300]);
  expect(marks.files.filter(({ type }) => type.endsWith('pinned')).map(({ atMs }) => atMs)).toEqual([3000]);
  expect([...marks.pinned.keys()]).toEqual([other]);
});
