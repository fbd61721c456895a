import { mkdir, symlink, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keyOf, Store } from '../snapshot/given.ts';
import { varveHere } from './here.ts';

test('a snapshot is exported by its view, and every command reads the copy; what cannot be is refused by name', async () => {
  await using store = await Store.make();
  store.nowMs = Date.now();
  await store.append(keyOf('orders'), 20);
  const { id } = await store.cycle();
  const config = { repository: { dir: store.target, keyFile: store.keyFile } };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
  const varve = async (...words: string[]) => varveHere(words, { cwd: store.folder });

  const first = await varve('export', 'daily.0', 'copy', '--json');
  expect(first.status).toBe(0);
  expect(JSON.parse(first.stdout)).toMatchObject({
    snapshot: id,
    folder: join(store.folder, 'copy'),
    packs: 1,
  });
  const there = `repository.dir=${join(store.folder, 'copy')}`;
  expect(await varve('verify', '--deep', '--set', there)).toMatchObject({ status: 0 });
  const printed = await varve('cat', '--topic', 'orders', '--snapshot', 'latest', '--json', '--set', there);
  expect(printed.stdout.trimEnd().split('\n')).toHaveLength(20);

  const again = await varve('export', 'latest', 'copy');
  expect(again).toMatchObject({ status: 18, stderr: expect.stringContaining('keys') });
  await mkdir(join(store.folder, 'other'));
  expect(await varve('export', 'daily.7', 'other')).toMatchObject({ status: 15 });
  expect(await varve('export', 'latest', join(store.target, 'copy'))).toMatchObject({ status: 2 });
  await symlink(store.target, join(store.folder, 'link'));
  expect(await varve('export', 'latest', 'link/copy')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('lie in one another'),
  });
  expect(await varve('export', 'latest')).toMatchObject({ status: 2 });
  expect(await varve('export', 'latest', 'other', '--topic=orders')).toMatchObject({ status: 2 });
  expect(await varve('export', '--topic', 'orders', 'orders.tar')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('varve export --topic T --out FILE'),
  });
  expect(await readdir(join(store.folder, 'other'))).toEqual([]);
});

test('an instance that nobody knows is refused by name, and not looked past', async () => {
  await using store = await Store.make();
  await store.append(keyOf('orders'), 20);
  await store.cycle();
  const config = {
    local: { dir: store.local },
    repository: { dir: store.target, keyFile: store.keyFile },
  };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
  const varve = async (...words: string[]) => varveHere(words, { cwd: store.folder });
  const topic = ['export', '--topic', 'orders', '--out', 'orders.tar'];

  for (const words of [topic, ['export', 'latest', 'copy'], ['verify']]) {
    expect(await varve(...words, '--instance', 'mian')).toMatchObject({
      status: 15,
      stderr: expect.stringContaining('there is no instance mian; there are main'),
    });
  }
  expect(await varve(...topic, '--instance', 'main', '--local-only')).toMatchObject({ status: 2 });
  expect(await varve(...topic, '--instance', 'main', '--set', 'repository.dir=')).toMatchObject({
    status: 2,
  });
  expect(await varve(...topic, '--instance', 'main')).toMatchObject({ status: 0 });
});
