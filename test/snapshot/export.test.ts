import { describe, expect, test } from 'vitest';
import { join } from 'node:path';
import { stretchByArgon2 } from '../../src/crypto/crypto.ts';
import { initRepository, openManifest, Repository, snapshotFolder } from '../../src/repository/repository.ts';
import { exportSnapshot, verifyRepository, type ExportReport } from '../../src/snapshot/snapshot.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';
import { dayMs, keyOf, Store } from './given.ts';

const to = '/usb/varve';

interface Prepared {
  readonly store: Store;
  readonly disk: FaultyDisk;
  readonly id: string;
}

async function prepared(linkCode: string | undefined): Promise<Prepared> {
  const disk = new FaultyDisk();
  disk.linkCode = linkCode;
  const store = await Store.make({ disk });
  for (let day = 0; day < 2; day += 1) {
    await store.append(keyOf('orders'), 20);
    await store.cycle();
    store.nowMs += dayMs;
    disk.nowMs = store.nowMs;
  }
  await store.append(keyOf('orders'), 20);
  const { id } = await store.cycle();
  await disk.makeFolder('/usb');
  await disk.syncFolder('/');
  disk.powerCut();
  return { store, disk, id };
}

async function exported({ store, disk, id }: Prepared, folder = to): Promise<ExportReport> {
  const repository = await store.open();
  const ports = { host: store.host, emit: () => undefined, signal: new AbortController().signal };
  return await exportSnapshot(ports, {
    repository,
    opened: await openManifest(disk, repository, id),
    folder,
    reopen: async (place) => openedAt(store, place.folder),
  });
}

async function openedAt(store: Store, folder: string): Promise<Repository> {
  const secret = { keyFile: store.keyFile };
  const place = { folder, instance: 'main' };
  return await Repository.open(store.host, place, secret, { stretch: stretchByArgon2 });
}

/** Everything of it opened, as if it were the only copy. */
async function verified(store: Store, folder = to): Promise<object> {
  const { identity } = await openedAt(store, folder);
  return await verifyRepository(
    { host: store.host, emit: () => undefined, signal: new AbortController().signal },
    {
      folder,
      repository: identity.repository,
      instance: undefined,
      memory: undefined,
      localFolder: undefined,
      level: 'deep',
      subset: undefined,
      open: async () => openedAt(store, folder),
      onRead: async () => undefined,
    },
  );
}

const kinds = [
  ['with hard links', undefined],
  ['without', 'EPERM'],
] as const;

describe.each(kinds)('of a target %s', (_name, linkCode) => {
  test('an exported snapshot is a whole repository of one snapshot, and the original is as it was', async () => {
    const at = await prepared(linkCode);
    const report = await exported(at);

    expect(report).toMatchObject({ snapshot: at.id, packs: 3, folder: to });
    at.disk.powerCut();
    for (const path of ['target', 'local']) await at.disk.rename(`/store/${path}`, `/away-${path}`);
    expect(await verified(at.store)).toMatchObject({ findings: [], snapshots: 1, packs: 3, records: 60 });
  });

  test('wherever the power goes, what is there is a whole copy or no repository; the source is unharmed', async () => {
    const from = await prepared(linkCode);
    const count = async (): Promise<number> => {
      const disk = new FaultyDisk(from.disk);
      await exported({ ...from, disk, store: from.store.on(disk) });
      return disk.calls;
    };
    const calls = await count();
    let whole = 0;
    for (let at = 2; at < calls; at += 5) {
      const disk = new FaultyDisk(from.disk);
      const copy = { ...from, disk, store: from.store.on(disk) };
      let seen = 0;
      disk.fault = () => ((seen += 1) >= at ? 'EIO' : undefined);
      await expect(exported(copy)).rejects.toThrow(/./);
      disk.fault = () => undefined;
      disk.powerCut(() => at % 2 === 0);
      if ((await disk.readFile(join(to, 'varve.json'))) !== undefined) {
        expect(await verified(copy.store), `at call ${at}`).toMatchObject({ findings: [], snapshots: 1 });
        whole += 1;
      }
      expect(await copy.store.verify('normal')).toMatchObject({ findings: [] });
    }
    expect(whole).toBeLessThan(calls / 10);
  });
});

test('what fails on its way leaves the folder as it was', async () => {
  const at = await prepared(undefined);
  at.disk.fault = (call, path) =>
    call === 'file.sync' && path.endsWith('SHA256SUMS') ? 'ENOSPC' : undefined;
  await expect(exported(at)).rejects.toMatchObject({ code: 'ENOSPC' });
  expect(await at.disk.list('/usb')).toEqual([]);
});

test('a pack that is damaged is not exported as a whole one', async () => {
  const at = await prepared(undefined);
  const { manifest } = await openManifest(at.disk, await at.store.open(), at.id);
  const file = await at.disk.open(
    join(snapshotFolder(at.store.place, at.id), manifest.packs[0]?.path ?? ''),
    'update',
  );
  await file.write([Buffer.from('x')], 600);
  await expect(exported(at)).rejects.toMatchObject({
    code: 'damage',
    message: expect.stringContaining('expected SHA-256'),
  });
  expect(await at.disk.list('/usb')).toEqual([]);
});

test('no room is noticed before anything is made', async () => {
  const at = await prepared(undefined);
  at.disk.free = 100;
  await expect(exported(at)).rejects.toMatchObject({ code: 'no-space' });
  expect(await at.disk.list('/usb')).toEqual([]);
});

test('a folder that holds anything, or lies in the repository, is refused and not touched', async () => {
  const at = await prepared(undefined);
  await at.disk.makeFolder(to);
  await at.disk.makeFolder(join(to, 'lost+found'));
  await at.disk.makeFolder(join(to, 'keys'));
  await expect(exported(at)).rejects.toMatchObject({ code: 'refused' });
  await at.disk.removeFolder(join(to, 'keys'));
  for (const folder of ['/store/target/copy', '/store/target', '/store', '/'])
    await expect(exported(at, folder)).rejects.toMatchObject({ code: 'usage' });
  await expect(exported(at, '/store/key')).rejects.toMatchObject({ code: 'refused' });
  await exported(at);
  expect(await verified(at.store)).toMatchObject({ findings: [] });
});

test('of two exports into one folder the later one has it: the other ends, and takes nothing of it back', async () => {
  const at = await prepared(undefined);
  let other: Promise<ExportReport> | undefined;
  const disk = new Proxy(at.disk, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return async (path: string, ...more: unknown[]): Promise<unknown> => {
        if (name === 'open' && path.startsWith(to) && path.endsWith('.tar')) await (other ??= exported(at));
        return Reflect.apply(method, target, [path, ...more]);
      };
    },
  });
  await expect(exported({ ...at, store: at.store.on(disk), disk })).rejects.toThrow('EEXIST');
  expect(await other).toMatchObject({ snapshot: at.id });
  expect(await verified(at.store)).toMatchObject({ findings: [], snapshots: 1 });
});

test('an export that was cut off is no repository, and init makes none of it; the next one begins it anew', async () => {
  const at = await prepared(undefined);
  const whole = await exported(at, '/whole');
  let isCut = false;
  at.disk.fault = (_call, path) => {
    isCut ||= path.startsWith(to) && path.endsWith('manifest'); // the last file of all
    return isCut ? 'EIO' : undefined;
  };
  await expect(exported(at)).rejects.toThrow('EIO');
  at.disk.fault = () => undefined;
  at.disk.powerCut();
  const names = (await at.disk.list(to))?.map(({ name }) => name) ?? [];

  const { place, keyFile, host } = at.store;
  const init = initRepository(
    host,
    { ...place, folder: to },
    { secret: { keyFile }, stretch: stretchByArgon2 },
  );
  await expect(init).rejects.toMatchObject({
    code: 'refused',
    hint: expect.stringContaining('varve export'),
  });
  await expect(openedAt(at.store, to)).rejects.toMatchObject({
    code: 'no-repository',
    message: expect.stringContaining('was cut off'),
  });
  expect((await at.disk.list(to))?.map(({ name }) => name)).toEqual(names);

  expect(await exported(at)).toEqual({ ...whole, folder: to });
  expect((await at.disk.list(to))?.map(({ name }) => name).toSorted()).toEqual([
    'keys',
    'main',
    'varve.json',
  ]);
  expect(await verified(at.store)).toMatchObject({ findings: [], snapshots: 1 });
});
