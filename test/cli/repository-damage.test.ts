import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { snapshotFolder } from '../../src/repository/repository.ts';
import { configure, json, published, run } from './published.ts';

// That their orders come through to a child and back: test/docs/schema.test.ts runs them all.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

test('a wrong key is 12, no repository 10, and neither is damage', async () => {
  await using at = await published();
  const { store } = at;
  await writeFile(join(store.folder, 'other'), Buffer.alloc(32, 1));
  await configure(store, { repository: { dir: store.target, keyFile: join(store.folder, 'other') } });
  for (const words of [['list'], ['info'], ['verify'], ['init']])
    expect(await run(store, ...words), words.join(' ')).toMatchObject({ status: 12 });
  await configure(store, { repository: { dir: join(store.folder, 'nowhere'), keyFile: store.keyFile } });
  for (const words of [['list'], ['info'], ['verify', '--fast']])
    expect(await run(store, ...words), words.join(' ')).toMatchObject({ status: 10 });
});

test('a snapshot whose pack is missing lets no other expire, and is told by list, info and check', async () => {
  await using at = await published();
  const { store, ids } = at;
  await configure(store, { retain: { daily: 1, weekly: 0, monthly: 0, minimum: 1, minAge: '0s' } });
  await rm(
    join(
      snapshotFolder(store.place, ids[1] ?? ''),
      new Date(store.nowMs).toISOString().slice(0, 7),
      '0000000002-0.tar',
    ),
  );

  expect(await json(store, 'expire', '--yes')).toMatchObject({
    status: 0,
    expired: [],
    held: ['damage is marked'],
  });
  for (const command of ['list', 'info', 'check'])
    expect(await run(store, command), command).toMatchObject({ status: 4 });
});

test('a mark that is damaged may have been a pin: nothing expires, and every command that looks tells of it', async () => {
  await using at = await published();
  const { store, ids } = at;
  await configure(store, { retain: { daily: 1, weekly: 0, monthly: 0, minimum: 1, minAge: '0s' } });
  expect(await run(store, 'pin', ids[0] ?? '')).toMatchObject({ status: 0 });
  const folder = join(store.target, 'main', 'marks');
  const name = (await readdir(folder)).find((file) => file.includes('.pinned-')) ?? '';
  await rm(join(folder, name));
  await writeFile(join(folder, name), '');

  expect(await json(store, 'expire', '--yes')).toMatchObject({ expired: [], held: ['damage is marked'] });
  for (const command of ['list', 'info', 'check', 'verify', 'verify --deep'])
    expect(await run(store, ...command.split(' ')), command).toMatchObject({
      status: 4,
      stdout: expect.stringContaining(`mark ${name} does not open`),
    });
});

test('an emptied, a rolled back and an exchanged repository are told by every command that looks', async () => {
  await using at = await published();
  const { store, ids } = at;
  const looks = ['list', 'info', 'check', 'instance list', 'verify --fast', 'verify', 'verify --deep'];
  const snapshots = join(store.target, 'main', 'snapshots');
  const tellsAll = async (state: string, word: string): Promise<void> => {
    for (const command of looks) {
      const end = await run(store, ...command.split(' '));
      expect(end, `${command}, ${state}`).toMatchObject({ status: 4 });
      if (command !== 'instance list') expect(end.stdout, `${command}, ${state}`).toContain(word);
    }
    expect(await run(store, 'expire', '--yes'), state).toMatchObject({ status: 18 });
  };
  await rm(join(snapshots, ids[1] ?? ''), { recursive: true, force: true });
  await tellsAll('rolled back', ids[1] ?? '');
  await rm(snapshots, { recursive: true, force: true });
  await tellsAll('emptied', ids[1] ?? '');

  await rm(store.target, { recursive: true, force: true });
  await mkdir(store.target);
  const empty = await run(store, 'init');
  expect(empty).toMatchObject({ status: 18, stderr: expect.stringContaining('mount its volume') });
  expect(await readdir(store.target)).toEqual([]);

  const memory = join(store.local, 'repository.json');
  const noted = await readFile(memory);
  await rm(memory);
  expect(await run(store, 'init')).toMatchObject({ status: 0 });
  await writeFile(memory, noted);
  await tellsAll('exchanged', 'another');
  expect(await run(store, 'init')).toMatchObject({ status: 18 });
});

test('init completes a repository that lost its varve.json, the clusters included', async () => {
  await using at = await published();
  const { store } = at;
  const path = join(store.target, 'varve.json');
  const before = JSON.parse(await readFile(path, 'utf8'));
  await rm(path);
  expect(await run(store, 'check')).toMatchObject({ status: 10 });
  expect((await run(store, 'init')).stdout).toContain('completed: repository');
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(before);
  expect(before.clusters).toHaveLength(1);
});

test('what is wrong with the plain side of a snapshot is damage for every command', async () => {
  await using at = await published();
  const { store, ids } = at;
  const folder = snapshotFolder(store.place, ids[0] ?? '');
  const looks = ['list', 'info', 'check', 'verify --fast', 'verify'];
  const tellsAll = async (state: string, status: number): Promise<void> => {
    for (const command of looks)
      expect(await run(store, ...command.split(' ')), `${command}, ${state}`).toMatchObject({ status });
  };
  await tellsAll('whole', 0);
  await mkdir(join(folder, 'lost+found'));
  await tellsAll('a foreign folder that is empty', 4);
  await rm(join(folder, 'lost+found'), { recursive: true });
  const sums = await readFile(join(folder, 'SHA256SUMS'));
  await rm(join(folder, 'SHA256SUMS'));
  await writeFile(join(folder, 'SHA256SUMS'), '');
  await tellsAll('empty sums', 4);
  await writeFile(join(folder, 'SHA256SUMS'), sums.subarray(0, -1));
  for (const command of ['verify --fast', 'verify', 'verify --deep'])
    expect(await run(store, ...command.split(' ')), `${command}, cut`).toMatchObject({ status: 4 });
  await writeFile(join(folder, 'SHA256SUMS'), sums);
  await tellsAll('whole again', 0);
  await rm(join(store.target, 'keys', 'keyring.1'), { force: true });
  await tellsAll('no keyring', 4);
});

test('cat of a snapshot whose pack is missing ends with 4', async () => {
  await using at = await published();
  const { store, ids } = at;
  const month = new Date(store.nowMs).toISOString().slice(0, 7);
  await rm(join(snapshotFolder(store.place, ids[1] ?? ''), month, '0000000002-0.tar'));
  const end = await run(store, 'cat', '--topic', 'orders', '--snapshot', 'latest', '--json');
  expect(end).toMatchObject({ status: 4, stdout: expect.stringContaining('0000000002-0.tar') });
});
