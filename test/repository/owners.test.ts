import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Disk } from '../../src/host/host.ts';
import { addContentKey, withOwners, writeMark } from '../../src/repository/repository.ts';
import { stretchByArgon2 } from '../../src/crypto/crypto.ts';
import { serve } from '../../src/target/serving.ts';
import { keyOf, Store } from '../snapshot/given.ts';

const own = process.geteuid?.() ?? 0;

/** Lets a path, and what is below it, belong to somebody else. */
function ownedBy(uid: () => number, isMeant: (path: string) => boolean) {
  return (disk: Disk): Disk => ({
    ...disk,
    async stat(path) {
      const stat = await disk.stat(path);
      return stat && isMeant(path) ? { ...stat, owner: uid() } : stat;
    },
  });
}

test('a cycle in a repository of another user ends with both uids before anything is made there', async () => {
  let uid = own;
  const over = ownedBy(
    () => uid,
    (path) => path.endsWith('/snapshots'),
  );
  await using store = await Store.make({ over });
  await store.append(keyOf('orders'), 10);
  uid = 4711;
  await expect(store.cycle()).rejects.toMatchObject({
    code: 'target-unusable',
    message: expect.stringMatching(new RegExp(`uid 4711, .* uid ${own}$`)),
    hint: expect.stringContaining('runAsUser'),
  });
  expect(await store.host.disk.list(join(store.target, 'main', 'staging'))).toEqual([]);
  uid = own;
  expect(await store.cycle()).toMatchObject({ finding: null });
});

test('a pack of another user that the kernel lets nobody else link ends the cycle with both uids, and is not copied', async () => {
  let uid = own;
  const over = (disk: Disk): Disk => ({
    ...ownedBy(
      () => uid,
      (path) => path.endsWith('.tar'),
    )(disk),
    async link(existing, fresh) {
      if (uid !== own && existing.endsWith('.tar'))
        throw Object.assign(new Error(`EPERM: link ${existing}`), { code: 'EPERM' });
      await disk.link(existing, fresh);
    },
  });
  await using store = await Store.make({ over });
  await store.append(keyOf('orders'), 10);
  await store.cycle();
  uid = 4711;
  await expect(store.cycle()).rejects.toMatchObject({
    code: 'target-unusable',
    message: expect.stringContaining(`belongs to uid 4711, and this process runs as uid ${own}`),
  });
  expect(await store.host.disk.list(join(store.target, 'main', 'packs'))).toBeUndefined();
});

test('another user makes no key and no mark, which the one that it belongs to could not read', async () => {
  let uid = own;
  const over = ownedBy(
    () => uid,
    (path) => path.endsWith('/keys') || path.endsWith('/marks'),
  );
  await using store = await Store.make({ over });
  await store.append(keyOf('orders'), 10);
  const { id } = await store.cycle();
  const repository = await store.open();
  const folders = ['keys', 'main/marks'].map((name) => join(store.target, name));
  const files = async (): Promise<unknown> => Promise.all(folders.map((folder) => readdir(folder)));
  const before = await files();
  uid = 4711;
  const refused = { code: 'EACCES', message: expect.stringMatching(new RegExp(`uid 4711, .* uid ${own}$`)) };
  const pin = { snapshot: id, type: 'pinned', atMs: store.nowMs } as const;
  await expect(addContentKey(store.host, repository)).rejects.toMatchObject(refused);
  await expect(writeMark(store.host, repository, pin)).rejects.toMatchObject(refused);
  expect(await files()).toEqual(before);
});

test('what the operating system refuses is told with the owner of what is nearest to it', async () => {
  const refused = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES', path: '/a/b/c' });
  const stat = async (path: string): ReturnType<Disk['stat']> => {
    if (path === '/a/b/c') throw refused;
    const known = { kind: 'folder', byteLength: 0, inode: 1n, device: 1n, links: 1, modifiedMs: 0 } as const;
    return path === '/a' ? { ...known, owner: 4711 } : undefined;
  };
  const told = await withOwners(refused, { stat });
  expect(String(told)).toContain(`/a belongs to uid 4711, and this process runs as uid ${own}`);
  expect(told).toMatchObject({ code: 'EACCES' });
  const second = new SuppressedError(new Error('while closing'), refused);
  expect(String(await withOwners(second, { stat }))).toContain('/a belongs to uid 4711');
});

test('a session of readings tells whose the repository is, as other orders do', async () => {
  await using store = await Store.make({
    over: ownedBy(
      () => 4711,
      (path) => path.endsWith('varve.json'),
    ),
  });
  const disk: Disk = {
    ...store.host.disk,
    async open(path, mode) {
      if (path.endsWith('varve.json')) throw Object.assign(new Error('EACCES'), { code: 'EACCES', path });
      return store.host.disk.open(path, mode);
    },
  };
  const given: unknown[] = [];
  const { promise: looked, resolve } = Promise.withResolvers<void>();
  const listening = Promise.withResolvers<(told: unknown) => void>();
  const done = serve(
    {
      host: { ...store.host, disk },
      settings: store.settings,
      emit: () => undefined,
      give: async (item) => {
        given.push(item);
        resolve();
      },
      pour: async () => undefined,
      listen: listening.resolve,
      signal: new AbortController().signal,
      stretch: stretchByArgon2,
    },
    undefined,
  );
  const tell = await listening.promise;
  tell({ kind: 'look', asked: { instance: undefined, memory: undefined } });
  await looked;
  tell({ kind: 'end' });
  await done;
  expect(given).toMatchObject([
    {
      error: { message: expect.stringContaining(`belongs to uid 4711, and this process runs as uid ${own}`) },
    },
  ]);
});

const isRoot = own === 0;

test.runIf(isRoot)('another user than the one that made it is told who they both are, really', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-owners-'));
  try {
    await using store = await Store.make();
    await store.append(keyOf('orders'), 10);
    await store.cycle();
    await cp(store.target, join(folder, 'target'), { recursive: true });
    await cp(store.keyFile, join(folder, 'key'));
    for (const name of ['', 'key']) await chmod(join(folder, name), 0o755);
    await chmod(join(folder, 'target'), 0o700);
    const program = `
      const { systemHost } = await import('${new URL('../../src/host/host.ts', import.meta.url).href}');
      const { initRepository, withOwners } = await import('${new URL('../../src/repository/repository.ts', import.meta.url).href}');
      process.seteuid(4711);
      const place = { folder: '${folder}/target', instance: 'main' };
      await initRepository(systemHost, place, { secret: { keyFile: '${folder}/key' }, stretch: undefined })
        .catch(async (error) => console.log((await withOwners(error, systemHost.disk)).message));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    expect(stdout).toContain('target belongs to uid 0, and this process runs as uid 4711');
  } finally {
    await rm(folder, { recursive: true });
  }
});
