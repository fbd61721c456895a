import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import { keyOf, Store } from '../snapshot/given.ts';
import { varveHere } from './here.ts';

/** A repository with one snapshot, two slots and a configuration. No broker is anywhere. */
async function given(): Promise<Store> {
  const store = await Store.make();
  store.nowMs = Date.now();
  await store.append(keyOf('orders'), 20);
  await configure(store, store.keyFile);
  await writeFile(join(store.folder, 'second'), Buffer.alloc(32, 9));
  expect(await run(store, 'key add second --key-file second')).toMatchObject({ status: 0 });
  await store.cycle();
  return store;
}

async function configure(store: Store, keyFile: string): Promise<void> {
  const config = {
    kafka: { brokers: ['127.0.0.1:1'] },
    local: { dir: store.local, minFree: '1MiB' },
    repository: { dir: store.target, keyFile },
  };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
}

async function run(store: Store, line: string): Promise<CommandEnd> {
  return await varveHere(line.split(' '), { cwd: store.folder });
}

async function json(store: Store, line: string): Promise<Record<string, unknown>> {
  const { status, stdout } = await run(store, `${line} --json`);
  const document: Record<string, unknown> = JSON.parse(stdout);
  return { ...document, status };
}

test('rotate shows what it will do, asks, adds one key, and the same answer does not add another', async () => {
  await using store = await given();
  const { keys: before } = await json(store, 'key list');

  expect(await run(store, 'key rotate')).toMatchObject({
    status: 2,
    stdout: expect.stringMatching(/^keyring\.1 stays: 1 content key, .*\nkeyring\.2 is added: /),
  });
  expect(await json(store, 'key rotate --dry-run')).toMatchObject({ status: 0, keyring: 1, added: null });
  expect(await json(store, 'key list')).toMatchObject({ status: 0, keyring: 1, keys: before });
  const rotated = await json(store, 'key rotate --yes');
  const { keys } = await json(store, 'key list');
  expect(rotated).toMatchObject({ status: 0, dryRun: false, keyring: 2, keys });
  expect(keys).toEqual([...[before].flat(), { id: rotated['added'], created: expect.any(String) }]);
  expect((await run(store, 'list')).status).toBe(0);
  expect((await run(store, 'check')).stdout).toContain('ok   keys: 2 slots, 2 content keys\n');
});

test('a slot that was lost ends check, key list and verify with 4, and each says where it lies', async () => {
  await using store = await given();
  const slot = join(store.target, 'keys', 'second.json');
  const copy = join(store.local, 'keys', 'second.json');
  await rm(slot);
  for (const line of ['check', 'key list', 'verify --fast', 'verify']) {
    const { status, stdout } = await run(store, line);
    expect(status, line).toBe(4);
    expect(stdout, line).toContain('keys/second.json: it is missing');
    expect(stdout, line).toContain(join(store.local, 'keys'));
  }
  await writeFile(slot, await readFile(copy));
  for (const line of ['check', 'key list', 'verify']) expect((await run(store, line)).status, line).toBe(0);
  await rm(slot);
  expect(await run(store, 'key remove second --yes')).toMatchObject({ status: 0 });
  expect(await run(store, 'key remove second --yes')).toMatchObject({ status: 15 });
  expect(await run(store, 'key list')).toMatchObject({ status: 0 });
});

test('rotate refuses where a keyring was lost: its number would be given twice', async () => {
  await using store = await given();
  expect(await run(store, 'key rotate --yes')).toMatchObject({ status: 0 });
  await store.cycle();
  await rm(join(store.target, 'keys', 'keyring.2'));
  const refused = await run(store, 'key rotate --yes');
  expect(refused).toMatchObject({ status: 4, stderr: expect.stringContaining(join(store.local, 'keys')) });
});
