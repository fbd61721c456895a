import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stretchByArgon2, type Stretch } from '../../src/crypto/crypto.ts';
import {
  parseKeyFile,
  readSecret,
  removeSlot,
  Repository,
  writeSlot,
} from '../../src/repository/repository.ts';
import { Store } from '../snapshot/given.ts';

/** Argon2 in a twelfth of the time; what it costs is held by the slots of test/crypto. */
const stretch: Stretch = async (request) =>
  stretchByArgon2({ ...request, memoryKiB: request.memoryKiB / 4, passes: 1 });

async function addSlot(store: Store, slot: string, keyFile: Buffer): Promise<void> {
  const { root, identity } = await store.open();
  const secret = { keyFile };
  const { repository } = identity;
  await writeSlot(store.host, { folder: store.target, repository, slot, root, secret, stretch });
}

test('a slot that was added opens the same root key; a name is taken once, and the last slot stays', async () => {
  await using store = await Store.make();
  const { root } = await store.open();
  await addSlot(store, 'second', Buffer.alloc(32, 9));
  await expect(addSlot(store, 'second', Buffer.alloc(32, 5))).rejects.toMatchObject({ code: 'refused' });
  await writeFile(store.keyFile, Buffer.alloc(32, 9));
  const opened = await store.open();
  expect([opened.slot, opened.root.idText]).toEqual(['second', root.idText]);

  const remove = async (slot: string): Promise<void> => removeSlot(store.host, opened, { slot, known: [] });
  await expect(remove('third')).rejects.toMatchObject({ code: 'nothing-selected' });
  await remove('main');
  await expect(remove('second')).rejects.toMatchObject({ code: 'refused' });
  expect((await store.open()).slot).toBe('second');
});

test('a damaged slot is damage only where no other opens', async () => {
  await using store = await Store.make();
  await addSlot(store, 'second', Buffer.alloc(32, 9));
  const main = join(store.target, 'keys', 'main.json');
  await chmod(main, 0o640);
  const good = await readFile(main);
  await writeFile(main, good.subarray(0, 50));
  await expect(store.open()).rejects.toMatchObject({ code: 'damage' });
  await writeFile(store.keyFile, Buffer.alloc(32, 9));
  expect((await store.open()).slot).toBe('second');
  await writeFile(main, good);
  await writeFile(store.keyFile, Buffer.alloc(32, 4));
  await expect(store.open()).rejects.toMatchObject({ code: 'wrong-key' });
});

test('a passphrase opens its slot, the first line counts, and another one does not', async () => {
  await using store = await Store.make();
  const { root, identity } = await store.open();
  const path = join(store.folder, 'passphrase');
  const open = async (text: string): Promise<Repository> => {
    await writeFile(path, text);
    return await Repository.open(store.host, store.place, { passphraseFile: path }, { stretch });
  };
  await writeSlot(store.host, {
    folder: store.target,
    repository: identity.repository,
    slot: 'words',
    root,
    secret: { passphrase: 'correct horse' },
    stretch,
  });
  expect((await open('correct horse\r\na note\n')).slot).toBe('words');
  await expect(open('wrong horse\n')).rejects.toMatchObject({ code: 'wrong-key' });
  await expect(open('\n')).rejects.toMatchObject({ code: 'config' });
});

test('a key file is 32 bytes, raw or as base64 or hexadecimal text, and nothing else', async () => {
  const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index + 200));
  const written = [
    key,
    Buffer.from(`${key.toString('hex')}\n`),
    Buffer.from(`${key.toString('base64')}\n`),
    Buffer.from(key.toString('base64url')),
  ];
  for (const bytes of written) expect(parseKeyFile(bytes, 'key')).toEqual(key);
  for (const bytes of [key.subarray(1), Buffer.concat([key, key]), Buffer.alloc(0), Buffer.from('secret')])
    expect(() => parseKeyFile(bytes, 'key')).toThrow(expect.objectContaining({ code: 'config' }));
});

test('an error about a secret names the file and never what is in it', async () => {
  await using store = await Store.make();
  await writeFile(store.keyFile, 'hunter2');
  const error: unknown = await readSecret(store.host.disk, { keyFile: store.keyFile }).catch(
    (thrown: unknown) => thrown,
  );
  expect(String(error)).toContain(store.keyFile);
  expect(JSON.stringify([String(error), error])).not.toContain('hunter2');
});
