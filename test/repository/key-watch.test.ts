import { chmod, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Disk, DiskFile } from '../../src/host/host.ts';
import { stretchByArgon2 } from '../../src/crypto/crypto.ts';
import {
  addContentKey,
  lookAtKeys,
  openManifest,
  removeSlot,
  writeSlot,
} from '../../src/repository/repository.ts';
import { dayMs, keyOf, Store } from '../snapshot/given.ts';

/** A repository with a second slot, one snapshot, and its keys copied. */
async function copied(): Promise<Store> {
  const store = await Store.make();
  await addSlot(store, 'second');
  await store.append(keyOf('orders'), 20);
  await store.cycle();
  return store;
}

async function addSlot(store: Store, slot: string): Promise<void> {
  const { root, identity } = await store.open();
  const secret = { keyFile: Buffer.alloc(32, 9) };
  const { repository } = identity;
  const folder = store.target;
  await writeSlot(store.host, { folder, repository, slot, root, secret, stretch: stretchByArgon2 });
}

async function remove(store: Store, slot: string): Promise<void> {
  await removeSlot(store.host, await store.open(), { slot, known: [] });
}

const inTarget = (store: Store, name: string): string => join(store.target, 'keys', name);
const inCopy = (store: Store, name: string): string => join(store.local, 'keys', name);

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).toSorted();
}

/** What the next cycle and a verification say of `keys/`. */
async function told(
  store: Store,
): Promise<{ finding: string | null; damaged: string[]; verified: string[] }> {
  store.nowMs += dayMs;
  const { finding, damaged } = await store.cycle();
  const { findings } = await store.verify('normal');
  return {
    finding,
    damaged: damaged.map(({ what, problem }) => `${what}: ${problem}`),
    verified: findings.map(({ instance, file, problem }) => `${instance}/${file}: ${problem}`),
  };
}

const nothing = { finding: null, damaged: [], verified: [] };

test('a content key that was added seals what comes; what is there stays, and every snapshot opens', async () => {
  await using store = await copied();
  const before = await store.open();
  const first = await readFile(inTarget(store, 'keyring.1'));
  const ring = await addContentKey(store.host, before);
  await expect(addContentKey(store.host, before)).rejects.toMatchObject({ code: 'refused' });
  store.nowMs += dayMs;
  await store.append(keyOf('orders'), 20);
  const { id } = await store.cycle();

  const sealed = await readFile(join(store.target, 'main', 'snapshots', id, 'manifest'));
  expect(sealed.toString('hex', 16, 32)).toBe(ring.current.idText);
  expect(await readFile(inTarget(store, 'keyring.1'))).toEqual(first);
  expect(await namesIn(inCopy(store, ''))).toEqual(['keyring.1', 'keyring.2', 'main.json', 'second.json']);
  expect((await store.verify('deep')).findings).toEqual([]);
  // A repository that stayed open takes the newer keyring when it is told to look.
  await expect(openManifest(store.host.disk, before, id)).rejects.toMatchObject({ code: 'damage' });
  await before.renewKeyring(store.host.disk);
  expect((await openManifest(store.host.disk, before, id)).manifest.id).toBe(id);
});

test('a keyring that the target gives back changed never gets its name', async () => {
  await using store = await copied();
  const { disk } = store.host;
  const lying: Disk = {
    ...disk,
    async open(path, mode) {
      if (mode === 'direct') throw Object.assign(new Error('no direct reading'), { code: 'EINVAL' });
      const file = await disk.open(path, mode);
      const truth: DiskFile['read'] = file.read.bind(file);
      const read: DiskFile['read'] = async (buffer, position) => {
        const count = await truth(buffer, position);
        if (path.endsWith('.tmp') && count > 0) buffer.writeUInt8(buffer.readUInt8(0) ^ 1, 0);
        return count;
      };
      return Object.assign(file, { read });
    },
  };
  const repository = await store.open();
  await expect(addContentKey({ ...store.host, disk: lying }, repository)).rejects.toMatchObject({
    code: 'target-unusable',
  });
  expect(await namesIn(join(store.target, 'keys'))).toEqual(['keyring.1', 'main.json', 'second.json']);
});

test('a slot that was added, removed, or exchanged on purpose is nothing to speak of; its old copy is kept', async () => {
  await using store = await copied();
  const second = await readFile(inTarget(store, 'second.json'));
  await remove(store, 'second');
  await addSlot(store, 'second');
  await addSlot(store, 'third');
  expect(await told(store)).toEqual(nothing);
  await remove(store, 'third');
  expect(await told(store)).toEqual(nothing);

  const old = await namesIn(inCopy(store, 'old'));
  expect(old.map((name) => name.slice(0, -17))).toEqual(['second.json', 'third.json']);
  expect(await readFile(inCopy(store, join('old', old[0] ?? '')))).toEqual(second);
  expect(await readFile(inCopy(store, 'second.json'))).toEqual(
    await readFile(inTarget(store, 'second.json')),
  );
});

test('a slot that vanished is damage until it is put back, or is let go of; meanwhile nothing expires', async () => {
  await using store = await copied();
  store.settings = {
    ...store.settings,
    retain: { ...store.settings.retain, daily: 1, weekly: 0, monthly: 0 },
  };
  await rm(inTarget(store, 'second.json'));
  const lost = await told(store);
  store.nowMs += 2 * dayMs;
  const held = await store.cycle();

  expect(lost).toMatchObject({ finding: 'damage', damaged: ['keys/second.json: it is missing'] });
  expect(lost.verified).toEqual([
    expect.stringMatching(/^keys\/second\.json: it is missing; put the file back from /),
  ]);
  expect(held).toMatchObject({ finding: 'damage', expired: [], held: [{ kind: 'damage' }] });
  await writeFile(inTarget(store, 'second.json'), await readFile(inCopy(store, 'second.json')));
  const mended = await store.cycle();
  expect(mended).toMatchObject({ finding: null });
  expect(mended.expired.length).toBeGreaterThan(0);
});

test('a slot in place of another, or changed by a byte, is damage; the copy stays what it was', async () => {
  await using store = await copied();
  const good = await readFile(inCopy(store, 'second.json'));
  await rm(inTarget(store, 'second.json'));
  await addSlot(store, 'second'); // by somebody who knows nothing of notes
  const other = await readFile(inTarget(store, 'second.json'));
  expect(await told(store)).toMatchObject({
    damaged: ['keys/second.json: it is not the one that was copied, and nobody removed that'],
  });
  await chmod(inTarget(store, 'second.json'), 0o640);
  await writeFile(
    inTarget(store, 'second.json'),
    Buffer.concat([other.subarray(0, -3), Buffer.from('x"}\n')]),
  );
  expect(await told(store)).toMatchObject({ finding: 'damage' });
  expect(await readFile(inCopy(store, 'second.json'))).toEqual(good);

  const { disk } = store.host;
  await removeSlot(store.host, await store.open(), { slot: 'second', known: [good] });
  expect(await disk.stat(inTarget(store, 'second.json'))).toBeUndefined();
  expect(await told(store)).toEqual(nothing);
});

test('a slot that was removed and is there again is named, until it is removed again', async () => {
  await using store = await copied();
  const second = await readFile(inTarget(store, 'second.json'));
  await remove(store, 'second');
  await writeFile(inTarget(store, 'second.json'), second);
  expect(await told(store)).toMatchObject({
    damaged: ['keys/second.json: it was removed, and is there again'],
  });
  await remove(store, 'second');
  expect(await told(store)).toEqual(nothing);
});

test('a keyring that went, or is another than was copied, stops the cycle: its number must not be given twice', async () => {
  await using store = await copied();
  await addContentKey(store.host, await store.open());
  expect(await told(store)).toEqual(nothing);
  const away = join(store.folder, 'away');
  await rename(inTarget(store, 'keyring.2'), away);
  const refusal = { code: 'damage', hint: expect.stringContaining(join(store.local, 'keys')) };
  await expect(store.cycle()).rejects.toMatchObject({
    ...refusal,
    message: expect.stringMatching(/2: it is missing$/),
  });
  await addContentKey(store.host, await store.open());
  await expect(store.cycle()).rejects.toMatchObject(refusal);
  await rename(away, inTarget(store, 'keyring.2'));
  expect(await told(store)).toEqual(nothing);
  await rm(inTarget(store, 'keyring.1'));
  await expect(store.cycle()).rejects.toMatchObject(refusal);
});

test('a copy that is harmed is renewed, and says nothing against the repository', async () => {
  await using store = await copied();
  for (const name of ['keyring.1', 'second.json']) await writeFile(inCopy(store, name), 'harmed');
  expect(await told(store)).toEqual(nothing);
  for (const name of ['keyring.1', 'second.json'])
    expect(await readFile(inCopy(store, name))).toEqual(await readFile(inTarget(store, name)));
});

test('the copy of another repository is kept apart, and nothing is held against it', async () => {
  await using store = await copied();
  await rm(store.target, { recursive: true });
  await rm(join(store.local, 'repository.json'));
  await store.init();
  expect(await told(store)).toEqual(nothing);
  expect(await namesIn(inCopy(store, ''))).toEqual(['keyring.1', 'main.json', 'old']);
  expect((await namesIn(inCopy(store, 'old'))).map((name) => name.slice(0, -17))).toEqual([
    'keyring.1',
    'main.json',
    'second.json',
  ]);
});

test('without the key a slot that is gone is told from one that was removed, and a missing keyring is told', async () => {
  await using store = await copied();
  const { disk } = store.host;
  const { repository } = (await store.open()).identity;
  const files = async (): Promise<string[]> => {
    const found = await lookAtKeys(disk, { folder: store.target, repository, localFolder: store.local });
    return found.map(({ file }) => file);
  };
  await remove(store, 'second');
  expect(await files()).toEqual([]);
  for (const name of await namesIn(inTarget(store, ''))) await rm(inTarget(store, name));
  expect(await files()).toEqual(['keyring.1', 'every slot', 'main.json', 'second.json']);
});

test('a file that is called like a keyring of a far number makes no endless list of those that are missing', async () => {
  await using store = await copied();
  const { repository } = (await store.open()).identity;
  await writeFile(inTarget(store, 'keyring.20261121'), await readFile(inTarget(store, 'keyring.1')));
  const found = await lookAtKeys(store.host.disk, { folder: store.target, repository });
  expect(found.map(({ file, problem }) => `${file}: ${problem}`)).toEqual([
    'keyring.2: it is missing, and so is each up to keyring.20261120',
  ]);
});

test('the last slot that is whole stays, whatever else lies in keys/', async () => {
  await using store = await copied();
  await chmod(inTarget(store, 'second.json'), 0o640);
  await writeFile(inTarget(store, 'second.json'), 'harmed');
  await expect(remove(store, 'main')).rejects.toMatchObject({ code: 'refused' });
  await remove(store, 'second');
  expect(await namesIn(join(store.target, 'keys'))).toEqual([
    'keyring.1',
    'main.json',
    expect.stringMatching(/^removed\.[0-9a-f]{16}$/),
  ]);
});
