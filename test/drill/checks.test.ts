import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { varveHere } from '../cli/here.ts';
import { keyOf, Store } from '../snapshot/given.ts';

/** A repository without a broker, and the command line on it. */
async function given(): Promise<{ store: Store; drill: (...words: string[]) => Promise<Ended> }> {
  const store = await Store.make();
  store.nowMs = Date.now();
  const config = {
    kafka: { brokers: ['127.0.0.1:1'] },
    local: { dir: store.local, minFree: '1MiB' },
    repository: { dir: store.target, keyFile: store.keyFile },
  };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
  const run = async (...words: string[]): Promise<Ended> => {
    const { status, stdout } = await varveHere([...words, '--json'], { cwd: store.folder });
    return { status, document: JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') };
  };
  return { store, drill: async (...words) => run('drill', '--no-kafka', ...words) };
}

interface Ended {
  readonly status: number | null;
  readonly document: Readonly<Record<string, unknown>>;
}

test('without a broker every record of the newest snapshot is read and counted, and the result noted', async () => {
  const { store, drill } = await given();
  await using _ = store;
  await store.append(keyOf('orders'), 300);
  await store.append(keyOf('orders', 1), 50);
  await store.append(keyOf('users'), 20);
  const { id } = await store.cycle();

  const whole = await drill();
  expect(whole).toMatchObject({
    status: 0,
    document: { passed: true, kind: 'checks', snapshot: id, isWhole: true, isNoted: true, records: 370 },
  });
  const sample = await drill('--topics', 'orders', '--max-bytes', '20KiB');
  expect(sample).toMatchObject({ status: 0, document: { passed: true, isWhole: false } });
  expect(sample.document['topics']).toMatchObject([
    {
      topic: 'orders',
      partitions: [
        { partition: 0, isWhole: false },
        { partition: 1, isWhole: true, records: 50 },
      ],
    },
  ]);
  expect(Number(sample.document['records'])).toBeLessThan(300);
  expect(await drill('--topics', 'orders', '--max-bytes', 'lots')).toMatchObject({ status: 2 });
  expect(await drill('--topics', 'nothing')).toMatchObject({ status: 15 });
  const marks = await readdir(join(store.target, 'main', 'marks'));
  expect(marks.filter((name) => name.startsWith(`${id}.drill-`))).toHaveLength(2);
});

test('a damaged pack fails it with 4, and the failure is noted', async () => {
  const { store, drill } = await given();
  await using _ = store;
  await store.append(keyOf('orders'), 300);
  await store.append(keyOf('users'), 20);
  const { id } = await store.cycle();
  const folder = join(store.target, 'main', 'snapshots', id);
  const names = await readdir(folder, { recursive: true });
  const path = join(folder, names.find((name) => name.endsWith('.tar')) ?? '');
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length / 3);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  await writeFile(path, bytes);
  expect(await drill()).toMatchObject({
    status: 4,
    document: { passed: false, isNoted: true, problem: { code: 'damage' } },
  });
  const marks = await readdir(join(store.target, 'main', 'marks'));
  expect(marks.filter((name) => name.includes('.drill-'))).toHaveLength(1);
});
