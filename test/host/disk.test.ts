import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import { codeOf, ensureFolder, replaceFile, systemHost, type Disk } from '../../src/host/host.ts';
import { FaultyDisk } from './faulty-disk.ts';

interface Place extends AsyncDisposable {
  readonly disk: Disk;
  readonly folder: string;
}

const disks: [string, () => Promise<Place>][] = [
  [
    'the system disk',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'varve-disk-'));
      const { disk } = systemHost;
      return { disk, folder, [Symbol.asyncDispose]: async () => rm(folder, { recursive: true }) };
    },
  ],
  [
    'the faulty disk',
    async () => {
      const disk = new FaultyDisk();
      await disk.makeFolder('/folder');
      return { disk, folder: '/folder', [Symbol.asyncDispose]: async () => undefined };
    },
  ],
];

async function codeFrom(work: Promise<unknown>): Promise<string | undefined> {
  return await work.then(
    () => 'it succeeded',
    (error: unknown) => codeOf(error),
  );
}

async function write(disk: Disk, path: string, text: string): Promise<void> {
  const file = await disk.open(path, 'create');
  await file.write([Buffer.from(text)], 0);
  await file.close();
}

test.each(disks)('%s makes, changes and opens files in three ways', async (_, place) => {
  await using at = await place();
  const path = join(at.folder, 'a');

  expect(await codeFrom(at.disk.open(path, 'read'))).toBe('ENOENT');
  expect(await codeFrom(at.disk.open(path, 'update'))).toBe('ENOENT');
  const file = await at.disk.open(path, 'create');
  expect(await codeFrom(at.disk.open(path, 'create'))).toBe('EEXIST');
  await file.write([Buffer.from('ab'), Buffer.alloc(0), Buffer.from('cd')], 0);
  await file.write([Buffer.from('X')], 1);
  await file.write([Buffer.from('!')], 6);
  await file.sync();
  expect(await file.byteLength()).toBe(7);
  expect(await at.disk.readFile(path)).toEqual(Buffer.from('aXcd\0\0!'));
  await file.truncate(3);
  await file.close();

  const again = await at.disk.open(path, 'read');
  const buffer = Buffer.alloc(5);
  expect(await again.read(buffer, 1)).toBe(2);
  expect(buffer.toString()).toBe('Xc\0\0\0');
  expect(await again.read(buffer, 9)).toBe(0);
  await again.close();
});

test.each(disks)('%s writes more buffers than the kernel takes at once', async (_, place) => {
  await using at = await place();
  const path = join(at.folder, 'a');
  const pieces = Array.from({ length: 2500 }, (_piece, index) => Buffer.from(`${index},`));
  const file = await at.disk.open(path, 'create');
  await file.write(pieces, 0);
  await file.close();

  expect(await at.disk.readFile(path)).toEqual(Buffer.concat(pieces));
});

test.each(disks)('%s tells what is there, and what is not', async (_, place) => {
  await using at = await place();
  await write(at.disk, join(at.folder, 'a'), 'abc');

  expect(await at.disk.makeFolder(join(at.folder, 'b'))).toBe(true);
  expect(await at.disk.makeFolder(join(at.folder, 'b'))).toBe(false);
  expect(await codeFrom(at.disk.makeFolder(join(at.folder, 'c', 'd')))).toBe('ENOENT');
  const entries = (await at.disk.list(at.folder)) ?? [];
  expect(entries.toSorted((x, y) => (x.name < y.name ? -1 : 1))).toEqual([
    { name: 'a', kind: 'file' },
    { name: 'b', kind: 'folder' },
  ]);
  expect(await at.disk.list(join(at.folder, 'c'))).toBeUndefined();
  expect(await codeFrom(at.disk.list(join(at.folder, 'a')))).toBe('ENOTDIR');
  expect(await at.disk.stat(join(at.folder, 'a'))).toMatchObject({ kind: 'file', byteLength: 3 });
  expect(await at.disk.stat(join(at.folder, 'c'))).toBeUndefined();
  expect(await codeFrom(at.disk.stat(join(at.folder, 'a', 'x')))).toBe('ENOTDIR');
  expect(await at.disk.readFile(join(at.folder, 'c'))).toBeUndefined();
  expect(await at.disk.freeBytes(at.folder)).toBeGreaterThan(0);
});

test.each(disks)('%s renames over a file, links and removes names', async (_, place) => {
  await using at = await place();
  const a = join(at.folder, 'a');
  const b = join(at.folder, 'b');
  const c = join(at.folder, 'c');

  await write(at.disk, a, 'first');
  await write(at.disk, b, 'second');
  await at.disk.rename(a, b);
  expect(await at.disk.stat(a)).toBeUndefined();
  await at.disk.link(b, c);
  expect((await at.disk.stat(c))?.inode).toBe((await at.disk.stat(b))?.inode);
  expect(await codeFrom(at.disk.link(b, c))).toBe('EEXIST');
  await at.disk.removeFile(b);
  expect((await at.disk.readFile(c))?.toString()).toBe('first');
  expect(await codeFrom(at.disk.removeFile(b))).toBe('ENOENT');
  expect(await codeFrom(at.disk.rename(b, a))).toBe('ENOENT');
  expect(await codeFrom(at.disk.link(b, a))).toBe('ENOENT');
  await at.disk.makeFolder(b);
  await write(at.disk, join(b, 'x'), '');
  expect(await codeFrom(at.disk.removeFolder(b))).toBe('ENOTEMPTY');
  await at.disk.removeFile(join(b, 'x'));
  await at.disk.removeFolder(b);
  expect(await at.disk.list(b)).toBeUndefined();
});

test.each(disks)('%s makes symbolic links and tells where they point', async (_, place) => {
  await using at = await place();
  const [a, link] = [join(at.folder, 'a'), join(at.folder, 'link')];
  await write(at.disk, a, 'abc');
  await at.disk.makeSymlink('nowhere/at all', link);

  expect(await at.disk.readSymlink(link)).toBe('nowhere/at all');
  expect(await at.disk.readSymlink(join(at.folder, 'c'))).toBeUndefined();
  expect(await codeFrom(at.disk.readSymlink(a))).toBe('EINVAL');
  expect(await codeFrom(at.disk.makeSymlink('a', a))).toBe('EEXIST');
  expect(await at.disk.stat(link)).toMatchObject({ kind: 'symlink', links: 1 });
  expect(await at.disk.list(at.folder)).toContainEqual({ name: 'link', kind: 'symlink' });
  await at.disk.removeFile(link);
  expect(await at.disk.readSymlink(link)).toBeUndefined();
  expect(await at.disk.readFile(a)).toEqual(Buffer.from('abc'));
});

test.each(disks)('%s counts the names of a file and tells when it was changed', async (_, place) => {
  await using at = await place();
  const [a, b] = [join(at.folder, 'a'), join(at.folder, 'b')];
  await write(at.disk, a, 'abc');
  expect(await at.disk.stat(a)).toMatchObject({ links: 1 });
  await at.disk.link(a, b);
  const stats = [await at.disk.stat(a), await at.disk.stat(b)];
  expect(stats.map((stat) => stat?.links)).toEqual([2, 2]);
  expect(stats[0]).toEqual(stats[1]);
  expect(Number.isSafeInteger(stats[0]?.modifiedMs)).toBe(true);
  await at.disk.removeFile(a);
  expect(await at.disk.stat(b)).toMatchObject({ links: 1, modifiedMs: stats[0]?.modifiedMs });
  expect(await codeFrom(at.disk.setMode(a, 0o440))).toBe('ENOENT');
  await at.disk.setMode(b, 0o440);
  expect((await at.disk.readFile(b))?.toString()).toBe('abc');
});

test.each(disks)(
  '%s reads a file with one call of the kernel, past the page cache if it can',
  async (_, place) => {
    await using at = await place();
    const path = join(at.folder, 'a');
    await write(at.disk, path, 'abc');
    for (const mode of ['read', 'direct'] as const) {
      expect(await codeFrom(at.disk.open(join(at.folder, 'b'), mode))).toBe('ENOENT');
      const file = await at.disk.open(path, mode).catch((error: unknown) => {
        if (mode === 'read' || codeOf(error) !== 'EINVAL') throw error;
      });
      if (file === undefined) continue; // a file system without such reads says so at once
      const memory = Buffer.alloc(3 * 4096);
      const filled: string[] = [];
      // Where a buffer suits the device hangs on where it lies in memory.
      for (let offset = 0; offset < 4096; offset += 16) {
        const buffer = memory.subarray(offset, offset + 4096);
        const count = await file.readOnce(buffer, 0).catch(() => -1);
        if (count >= 0) filled.push(buffer.subarray(0, count).toString());
      }
      expect(new Set(filled), mode).toEqual(new Set(['abc']));
      await file.close();
    }
  },
);

test('the system disk follows no symbolic link to a file', async () => {
  const [, place] = disks[0] ?? [];
  await using at = await place?.();
  if (at === undefined) throw new Error('no disk');
  await write(at.disk, join(at.folder, 'a'), 'abc');
  await symlink('a', join(at.folder, 'b'));

  expect(await codeFrom(at.disk.open(join(at.folder, 'b'), 'update'))).toBe('ELOOP');
  expect(await at.disk.stat(join(at.folder, 'b'))).toMatchObject({ kind: 'symlink' });
});

test('the faulty disk forgets what was not synced, contents and names both', async () => {
  const disk = new FaultyDisk();
  await write(disk, '/named', 'contents');
  await disk.syncFolder('/');
  const file = await disk.open('/synced', 'create');
  await file.write([Buffer.from('kept')], 0);
  await file.sync();
  await disk.syncFolder('/');
  await file.write([Buffer.from('lost')], 4);
  await write(disk, '/nameless', '');
  disk.powerCut();

  expect((await disk.list('/'))?.map((entry) => entry.name)).toEqual(['named', 'synced']);
  expect((await disk.readFile('/named'))?.toString()).toBe('');
  expect((await disk.readFile('/synced'))?.toString()).toBe('kept');
  expect(await codeFrom(file.sync())).toBe('EIO');
});

test('on the faulty disk a sync after one that failed saves nothing of what that one lost', async () => {
  const disk = new FaultyDisk();
  const file = await disk.open('/a', 'create');
  await disk.syncFolder('/');
  await file.write([Buffer.from('lost')], 0);
  disk.fault = (call) => (call === 'file.sync' ? 'EIO' : undefined);
  expect(await codeFrom(file.sync())).toBe('EIO');
  disk.fault = () => undefined;
  await file.sync();
  expect((await disk.readFile('/a'))?.toString()).toBe('lost');
  disk.powerCut();

  expect((await disk.readFile('/a'))?.toString()).toBe('');
});

test('a file is replaced as a whole or not at all, whichever call fails; no temporary file stays', async () => {
  const { random } = systemHost;
  for (let failing = 1; failing <= 8; failing += 1) {
    const disk = new FaultyDisk();
    await replaceFile({ disk, random }, '/a', Buffer.from('old'));
    const before = disk.calls;
    disk.fault = () => (disk.calls === before + failing ? 'EIO' : undefined);
    const code = await codeFrom(replaceFile({ disk, random }, '/a', Buffer.from('new')));
    disk.fault = () => undefined;
    const names = (await disk.list('/'))?.map((entry) => entry.name);
    expect(names, `call ${failing}`).toEqual(['a']);
    disk.powerCut();
    const text = (await disk.readFile('/a'))?.toString();
    if (code === 'it succeeded') expect(text).toBe('new');
    else expect(text).toBe('old');
  }
});

test('a folder is durable with all above it, also where one stopped after making and before syncing it', async () => {
  const disk = new FaultyDisk();
  disk.fault = (call, path) => (call === 'syncFolder' && path === '/a' ? 'EIO' : undefined);
  expect(await codeFrom(ensureFolder(disk, '/a/b/c'))).toBe('EIO');
  disk.fault = () => undefined;

  await ensureFolder(disk, '/a/b/c');
  disk.powerCut();

  expect(await disk.list('/a/b/c')).toEqual([]);
});

test('the codes of our own errors are none of the operating system', () => {
  expect(codeOf(Object.assign(new Error('full'), { code: 'ENOSPC' }))).toBe('ENOSPC');
  expect(codeOf(new VarveError('damage', 'not what was written'))).toBeUndefined();
});
