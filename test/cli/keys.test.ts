import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import type { Surroundings } from '../../src/cli/cli.ts';
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

async function run(store: Store, line: string, changes: Partial<Surroundings> = {}): Promise<CommandEnd> {
  return await varveHere(line.split(' '), { cwd: store.folder, changes });
}

async function json(store: Store, line: string): Promise<Record<string, unknown>> {
  const { status, stdout } = await run(store, `${line} --json`);
  const document: Record<string, unknown> = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
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

test('a recovery sheet opens the repository again without a slot, and without any of keys/', async () => {
  await using store = await given();
  await run(store, 'key rotate --yes');
  await store.append(keyOf('orders'), 20);
  await store.cycle();
  const { stdout: sheet } = await run(store, 'key export');
  await writeFile(join(store.folder, 'sheet'), sheet);
  await run(store, 'key generate new');
  await configure(store, join(store.folder, 'new'));
  const recover = 'key add recovered --from-sheet sheet --key-file new';
  const keys = join(store.target, 'keys');

  for (const name of ['main.json', 'second.json']) await rm(join(keys, name));
  expect(await run(store, 'list')).toMatchObject({ status: 4 });
  expect(await run(store, recover)).toMatchObject({ status: 0, stdout: expect.not.stringContaining('made') });
  expect(await run(store, recover)).toMatchObject({ status: 18 });
  expect(
    (await run(store, 'cat --topic orders --snapshot latest --json')).stdout.trim().split('\n'),
  ).toHaveLength(40);
  for (const name of ['main', 'second'])
    expect(await run(store, `key remove ${name} --yes`)).toMatchObject({ status: 0 });
  expect(await run(store, 'verify --deep')).toMatchObject({ status: 0 });

  await rm(keys, { recursive: true });
  const short = sheet.split('\n').filter((line) => !/^(key|since)/.test(line));
  await writeFile(join(store.folder, 'short'), short.join('\n'));
  expect(await run(store, recover.replace('sheet sheet', 'sheet short'))).toMatchObject({ status: 4 });
  expect(await run(store, recover)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^made keyring\.1 again from the sheet\nmade keyring\.2 again/),
  });
  expect(await run(store, 'list')).toMatchObject({ status: 0 });

  // A keyring of the copy serves as well, with the root key alone; what was made again is no other than it.
  await rm(keys, { recursive: true });
  await mkdir(keys);
  const copies = join(store.local, 'keys');
  for (const name of await readdir(copies)) {
    if (name.endsWith('.json') || name === 'keyring.2')
      await writeFile(join(keys, name), await readFile(join(copies, name)));
  }
  expect(await run(store, recover)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^made keyring\.1 again[^\n]*\nadded/),
  });
  expect(await run(store, 'verify --second-opener')).toMatchObject({ status: 2 });
  // Two manifests, indexes, segments and keyrings, one block each, and what is in marks and notes.
  const twice = await json(store, 'verify --deep --second-opener');
  expect(twice).toMatchObject({ status: 0, openedTwice: expect.any(Number) });
  expect(Number(twice['openedTwice'])).toBeGreaterThanOrEqual(8);
});

test('a sheet that was mistyped, is of another repository or is none ends with what is wrong, and tells no letter', async () => {
  await using store = await given();
  await using other = await Store.make();
  const sheet = (await run(store, 'key export')).stdout;
  const line = sheet.split('\n').find((text) => text.startsWith('root-2')) ?? '';
  const typed = `${line.slice(0, 20)}${line.charAt(20) === 'A' ? 'B' : 'A'}${line.slice(21)}`;
  const path = join(store.folder, 'sheet');
  const recover = async (text: string, more = ''): Promise<CommandEnd> => {
    await writeFile(path, text);
    return await run(store, `key add recovered --from-sheet sheet --key-file second${more}`);
  };

  const mistyped = await recover(sheet.replace(line, typed));
  expect(mistyped).toMatchObject({ status: 2, stderr: expect.stringContaining('line root-2 is mistyped') });
  for (const word of typed.split(/ +/).slice(1)) expect(mistyped.stderr).not.toContain(word);
  expect(await recover('nothing')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('no line repository'),
  });
  expect(await recover(sheet, ` --set repository.dir=${other.target}`)).toMatchObject({ status: 12 });
  expect(await recover(sheet, ` --set repository.dir=${store.folder}`)).toMatchObject({ status: 10 });
  await rm(path);
  expect(await run(store, 'key add r --from-sheet sheet --key-file second')).toMatchObject({ status: 2 });
  expect(await readdir(join(store.target, 'keys'))).toHaveLength(3);
  expect((await readdir(store.folder, { recursive: true })).filter((name) => /sheet/.test(name))).toEqual([]);
});

function onTerminal(answer: string, stdin = true): Partial<Surroundings> {
  return {
    terminal: { stdin, stdout: true, stderr: true, columns: 80 },
    readLine: async () => answer,
  };
}

test('a sheet comes on a terminal only after a question; elsewhere at once', async () => {
  await using store = await given();
  expect(await run(store, 'key export', onTerminal('n'))).toMatchObject({ status: 18, stdout: '' });
  expect(await run(store, 'key export --json', onTerminal('', false))).toMatchObject({ status: 2 });
  const shown = await run(store, 'key export', onTerminal('y'));
  expect(shown).toMatchObject({ status: 0, stdout: expect.stringContaining('\nroot-1 ') });
  expect(await run(store, 'key export --yes', onTerminal('', false))).toMatchObject({ status: 0 });
  expect(shown.stdout.split('\n').filter(({ length }) => length > 80)).toEqual([]);
  const { sheet } = await json(store, 'key export');
  expect(String(sheet).split('\n').slice(13)).toEqual(shown.stdout.split('\n').slice(13));
});
