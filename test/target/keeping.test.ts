import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dropSlot, keys, recoverSlot, rotateKey, sheet } from '../../src/target/keeping.ts';
import { keyOf, Store } from '../snapshot/given.ts';
import { addSlot, contextOf } from './orders.ts';

/** Two content keys, a snapshot under each, two slots, all of it copied; and its recovery sheet. */
async function given(): Promise<{ store: Store; lines: readonly string[] } & AsyncDisposable> {
  const store = await Store.make();
  await addSlot(store, 'second', Buffer.alloc(32, 9));
  await store.append(keyOf('orders'), 20);
  await store.cycle();
  await rotateKey(contextOf(store), { keyring: 1 });
  await store.append(keyOf('orders'), 20);
  await store.cycle();
  const { lines } = await sheet(contextOf(store), undefined);
  await writeFile(store.keyFile, Buffer.alloc(32, 3));
  return { store, lines, [Symbol.asyncDispose]: async () => store[Symbol.asyncDispose]() };
}

async function recover(store: Store, lines: readonly string[]): Promise<readonly number[]> {
  const secret = { keyFile: store.keyFile };
  const { made } = await recoverSlot(contextOf(store), { slot: 'found', secret, sheet: lines.join('\n') });
  return made;
}

const keysOf = (store: Store): string => join(store.target, 'keys');

test('a sheet opens a repository whose slots are all lost; the slots are let go of, and it is whole', async () => {
  await using at = await given();
  const { store, lines } = at;
  for (const name of ['main.json', 'second.json']) await rm(join(keysOf(store), name));
  await expect(store.open()).rejects.toMatchObject({ code: 'damage' });
  expect(await recover(store, lines.slice(0, 3))).toEqual([]);
  await expect(recover(store, lines)).rejects.toMatchObject({ code: 'refused' });
  const localFolder = store.local;
  const missing = (await keys(contextOf(store), { localFolder })).problems.map(({ file }) => file);
  expect(missing).toEqual(['main.json', 'second.json']);
  for (const slot of ['main', 'second']) await dropSlot(contextOf(store), { slot, localFolder });
  expect(await store.verify('deep')).toMatchObject({ findings: [], records: 40 });
  expect(await store.cycle()).toMatchObject({ finding: null });
});

test('a sheet opens a repository whose keys/ is gone, by itself or by the copy of a keyring', async () => {
  await using at = await given();
  const { store, lines } = at;
  const copies = join(store.local, 'keys');
  await rm(keysOf(store), { recursive: true });
  await expect(recover(store, lines.slice(0, 3))).rejects.toMatchObject({ code: 'damage' });
  expect(await recover(store, lines)).toEqual([1, 2]);
  expect((await store.verify('deep')).findings.map(({ file }) => file)).toEqual(['main.json', 'second.json']);

  await rm(keysOf(store), { recursive: true });
  await mkdir(keysOf(store));
  await cp(join(copies, 'keyring.2'), join(keysOf(store), 'keyring.2'));
  expect(await recover(store, lines.slice(0, 3))).toEqual([]);
  expect((await store.open()).keyring.keys).toHaveLength(2);

  await rm(keysOf(store), { recursive: true });
  await cp(copies, keysOf(store), { recursive: true });
  expect(await recover(store, lines)).toEqual([]);
  expect((await store.verify('deep')).findings).toEqual([]);
});

test('a sheet that was mistyped, is of another repository or is none changes nothing and tells no letter', async () => {
  await using at = await given();
  await using other = await Store.make();
  const { store, lines } = at;
  const before = await readdir(keysOf(store));
  const [id = '', first = '', second = '', ...rest] = lines;
  const typed = second.slice(0, -1) + (second.endsWith('A') ? 'C' : 'A');
  const error: unknown = await recover(store, [id, first, typed, ...rest]).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'config',
    message: expect.stringContaining('line root-2 is mistyped'),
  });
  for (const word of typed.split(/ +/).slice(1)) expect(String(error)).not.toContain(word);
  await expect(recover(store, ['nothing'])).rejects.toMatchObject({ code: 'config' });
  await writeFile(other.keyFile, Buffer.alloc(32, 3));
  await expect(recover(other, lines)).rejects.toMatchObject({ code: 'wrong-key' });
  await rm(join(store.target, 'varve.json'));
  await expect(recover(store, lines)).rejects.toMatchObject({ code: 'no-repository' });
  expect(await readdir(keysOf(store))).toEqual(before);
});

test('a key is added to the keyring that was shown, and to no other', async () => {
  await using store = await Store.make();
  await rotateKey(contextOf(store), { keyring: 1 });
  await expect(rotateKey(contextOf(store), { keyring: 1 })).rejects.toMatchObject({ code: 'refused' });
  await store.cycle();
  await rm(join(keysOf(store), 'keyring.2'));
  const { problems } = await keys(contextOf(store), { localFolder: store.local });
  expect(problems).toMatchObject([{ file: 'keyring.2', isKeyring: true }]);
  const lost = await readFile(join(store.local, 'keys', 'keyring.2'));
  await writeFile(join(keysOf(store), 'keyring.2'), lost);
  expect((await keys(contextOf(store), { localFolder: store.local })).problems).toEqual([]);
});
