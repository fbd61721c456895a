import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import type { Surroundings } from '../../src/cli/cli.ts';
import { keyOf, Store } from '../snapshot/given.ts';
import { addSlot } from '../target/orders.ts';
import { varveHere } from './here.ts';

/** A repository with one snapshot, two slots and a configuration. No broker is anywhere. */
async function given(): Promise<Store> {
  const store = await Store.make();
  store.nowMs = Date.now();
  await store.append(keyOf('orders'), 20);
  await configure(store, store.keyFile);
  await writeFile(join(store.folder, 'second'), Buffer.alloc(32, 9));
  await addSlot(store, 'second', Buffer.alloc(32, 9));
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

test('rotate shows what it will do, asks, and adds one key', async () => {
  await using store = await given();
  expect(await run(store, 'key rotate')).toMatchObject({
    status: 2,
    stdout: expect.stringMatching(/^keyring\.1 stays: 1 content key, .*\nkeyring\.2 is added: /),
  });
  expect(await json(store, 'key rotate --dry-run')).toMatchObject({ status: 0, keyring: 1, added: null });
  const rotated = await json(store, 'key rotate --yes');
  expect(rotated).toMatchObject({ status: 0, dryRun: false, keyring: 2 });
  expect([rotated['keys']].flat()).toMatchObject([{}, { id: rotated['added'] }]);
  expect((await run(store, 'check')).stdout).toContain('ok   keys: 2 slots, 2 content keys\n');
  const again = await json(store, 'verify --deep --second-opener');
  // A manifest, an index, a segment and two keyrings, a block each, and marks.
  expect(again).toMatchObject({ status: 0, openedTwice: expect.any(Number) });
  expect(Number(again['openedTwice'])).toBeGreaterThanOrEqual(5);
  expect(await run(store, 'verify --second-opener')).toMatchObject({ status: 2 });
});

test('a slot that was lost ends check, info, key list and verify with 4, and each says where it lies', async () => {
  await using store = await given();
  await rm(join(store.target, 'keys', 'second.json'));
  for (const line of ['check', 'info', 'key list', 'verify --fast']) {
    const { status, stdout } = await run(store, line);
    expect(status, line).toBe(4);
    expect(stdout, line).toContain('keys/second.json: it is missing');
    expect(stdout, line).toContain(join(store.local, 'keys'));
  }
  expect(await run(store, 'list')).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/^damaged: keys\/second\.json: it is missing \(put the file back from /),
  });
  expect(await json(store, 'list')).toMatchObject({
    keyProblems: [{ file: 'second.json', problem: 'it is missing' }],
  });
  expect(await run(store, 'key remove second --yes')).toMatchObject({ status: 0 });
  expect(await run(store, 'key remove second --yes')).toMatchObject({ status: 15 });
  expect(await run(store, 'key list')).toMatchObject({ status: 0 });
});

test('the slot that opens it all here goes only by its name, or with a warning', async () => {
  await using store = await given();
  const line = 'key remove main';
  expect(await run(store, line, onTerminal('y'))).toMatchObject({ status: 18 });
  const asked: string[] = [];
  const readLine = async (text: string): Promise<string> => {
    asked.push(text);
    return '';
  };
  await run(store, line, { ...onTerminal(''), readLine });
  expect(asked).toEqual([expect.stringContaining('this configuration opens the repository with slot main')]);
  expect(await run(store, line)).toMatchObject({ status: 2, stderr: expect.stringContaining('slot main') });
  expect(await run(store, 'list')).toMatchObject({ status: 0 });

  expect(await run(store, 'key remove second', onTerminal('n'))).toMatchObject({ status: 18 });
  expect(await run(store, `${line} --yes`)).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/^warning: this configuration opens the repository with slot main/),
  });
  expect(await run(store, 'list')).toMatchObject({ status: 12 });
});

function onTerminal(answer: string, stdin = true): Partial<Surroundings> {
  return {
    terminal: { stdin, stdout: true, stderr: true, columns: 80 },
    readLine: async () => answer,
  };
}

test('a sheet comes on a terminal only after a question, is written nowhere, and opens what no slot does', async () => {
  await using store = await given();
  expect(await run(store, 'key export', onTerminal('n'))).toMatchObject({ status: 18, stdout: '' });
  expect(await run(store, 'key export --json', onTerminal('', false))).toMatchObject({ status: 2 });
  const { stdout: shown, status } = await run(store, 'key export', onTerminal('y'));
  expect([status, shown]).toEqual([0, expect.stringContaining('\nroot-1 ')]);
  expect(shown.split('\n').filter(({ length }) => length > 80)).toEqual([]);
  const { sheet } = await json(store, 'key export');
  expect(String(sheet).split('\n').slice(13)).toEqual(shown.split('\n').slice(13));
  for (const name of await readdir(store.folder, { recursive: true })) {
    const root = /^root-1 +(.*)$/m.exec(shown)?.[1] ?? 'root-1';
    const bytes = await readFile(join(store.folder, name)).catch(() => Buffer.alloc(0));
    expect(bytes.includes(root), name).toBe(false);
  }

  const keys = join(store.target, 'keys');
  for (const name of ['main.json', 'second.json']) await rm(join(keys, name));
  await configure(store, join(store.folder, 'second'));
  const recover = 'key add recovered --from-sheet sheet --key-file second';
  expect(await run(store, recover)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('no such file'),
  });
  await writeFile(join(store.folder, 'sheet'), shown);
  expect(await run(store, recover)).toMatchObject({ status: 0 });
  expect(await run(store, 'list')).toMatchObject({ status: 0 });
});
