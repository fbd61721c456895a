import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { snapshotFolder } from '../../src/repository/repository.ts';
import { keyOf, Store } from '../snapshot/given.ts';

const run = promisify(execFile);

async function published(): Promise<{ store: Store; id: string; outside: string } & AsyncDisposable> {
  const store = await Store.make();
  await store.append(keyOf('orders'), 20);
  const { id } = await store.cycle();
  const outside = join(store.folder, 'outside');
  await mkdir(join(outside, id), { recursive: true });
  await writeFile(join(outside, id, 'precious'), 'not ours');
  return { store, id, outside, [Symbol.asyncDispose]: async () => store[Symbol.asyncDispose]() };
}

test.each(['staging', 'trash', 'lock', 'marks', 'snapshots'])(
  'a symbolic link in the place of %s is followed by nobody',
  async (name) => {
    await using at = await published();
    const { store, id, outside } = at;
    const path = join(store.target, 'main', name);
    await rm(path, { recursive: true });
    await symlink(outside, path);

    await expect(store.cycle()).rejects.toMatchObject({
      code: 'target-unusable',
      message: expect.stringContaining('expected a folder, got a symlink'),
    });
    expect(await readdir(outside)).toEqual([id]);
    expect(await readdir(join(outside, id))).toEqual(['precious']);
  },
);

test('links among the snapshots are damage, and nothing behind them is touched', async () => {
  await using at = await published();
  const { store, id, outside } = at;
  const folder = snapshotFolder(store.place, id);
  await symlink(outside, join(store.target, 'main', 'snapshots', '20250101T000000Z-0000'));
  await rename(join(folder, '2026-11'), join(outside, '2026-11'));
  await symlink(join(outside, '2026-11'), join(folder, '2026-11'));
  const found = await store.verify();

  expect(found.findings.map(({ snapshot }) => snapshot)).toContain('20250101T000000Z-0000');
  expect(found.findings.map(({ file }) => file)).toContain('2026-11');
  expect(await store.cycle()).toMatchObject({ finding: 'damage' });
  expect((await readdir(outside)).toSorted()).toEqual(['2026-11', id]);
});

test('a pipe in the place of a file holds nothing up', async () => {
  for (const name of ['manifest', 'SHA256SUMS']) {
    await using at = await published();
    const path = join(snapshotFolder(at.store.place, at.id), name);
    await unlink(path);
    await run('mkfifo', [path]);
    expect((await at.store.verify()).findings, name).not.toEqual([]);
  }
});

test('an older manifest, packs of another snapshot, and objects of another repository are told from the right ones', async () => {
  await using at = await published();
  const { store, id } = at;
  await store.append(keyOf('orders'), 20);
  store.nowMs += 1000;
  const second = await store.cycle();
  const sound = join(store.folder, 'sound');
  await cp(store.target, sound, { recursive: true, preserveTimestamps: true });
  const older = snapshotFolder(store.place, id);
  const newer = snapshotFolder(store.place, second.id);
  const harms: [string, () => Promise<void>][] = [
    ['older manifest', async () => cp(join(older, 'manifest'), join(newer, 'manifest'), { force: true })],
    [
      'swapped packs',
      async () => {
        const month = join(newer, '2026-11');
        const [a = '', b = ''] = (await readdir(month)).toSorted();
        await rename(join(month, a), join(month, 'x'));
        await rename(join(month, b), join(month, a));
        await rename(join(month, 'x'), join(month, b));
      },
    ],
  ];
  for (const [name, harm] of harms) {
    await harm();
    for (const level of ['fast', 'normal', 'deep'] as const)
      expect((await store.verify(level)).findings, `${name}, ${level}`).not.toEqual([]);
    await rm(store.target, { recursive: true });
    await cp(sound, store.target, { recursive: true, preserveTimestamps: true });
    expect((await store.verify()).findings, `after ${name}`).toEqual([]);
  }
});
