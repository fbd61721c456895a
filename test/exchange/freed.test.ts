import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { systemHost, type Disk } from '../../src/host/host.ts';
import { listSegments, partitionFolder } from '../../src/local/local.ts';
import { planStretches } from '../../src/restore/restore.ts';
import { here, type Here } from '../cli/on-disk.ts';
import { keyOf, Store } from '../snapshot/given.ts';
import { linesIn, openExport, outFolder } from './exports.ts';

const key = keyOf('orders');
let store: Store;
let at: Here;
let paths: string[];
beforeEach(async () => {
  await store?.[Symbol.asyncDispose]();
  store = await Store.make();
  at ??= await here();
  store.nowMs = Date.now();
  await store.append(key, 40, { segmentBytes: 500 });
  await store.cycle();
  const config = {
    kafka: { brokers: ['127.0.0.1:1'] },
    local: { dir: store.local, minFree: '1MiB' },
    repository: { dir: store.target, keyFile: store.keyFile },
  };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
  const segments = await listSegments(systemHost.disk, partitionFolder(store.local, key));
  paths = segments.map(({ path }) => path);
  expect(paths.length).toBeGreaterThan(3);
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await at[Symbol.asyncDispose]();
});

async function run(words: readonly string[], disk: Disk = systemHost.disk): ReturnType<Here['run']> {
  return await at.run(words, { cwd: store.folder, env: {}, host: { ...systemHost, disk } });
}

/** Frees the first two segments once the first was opened so many times: by then its reader holds it open. */
function freeing(times: number): Disk {
  let left = times;
  return {
    ...systemHost.disk,
    async open(path, mode) {
      const file = await systemHost.disk.open(path, mode);
      if (path === paths[0]) left -= 1;
      if (path === paths[0] && left === 0)
        for (const freed of paths.slice(0, 2)) await systemHost.disk.removeFile(freed);
      return file;
    },
  };
}

test.each([1, 2])(
  'what is freed while it is read comes from the repository: at opening %i',
  async (times) => {
    const words = ['export', '--topic', 'orders', '--format', 'jsonl'];
    const before = await run(['cat', '--topic', 'orders', '--json']);
    expect(before.stdout.split('\n').length).toBe(41);
    expect(await run(words, freeing(times))).toMatchObject({ status: 0, stdout: before.stdout });
  },
);

test('where nothing else has it, that is said; what was freed before is refused unless it is accepted as missing', async () => {
  await using out = await outFolder();
  const path = join(out.path, 'orders.tar');
  const words = ['export', '--topic', 'orders', '--local-only', '--out', path];
  const end = await run(words, freeing(2));
  expect(end).toMatchObject({ status: 4, stderr: expect.stringContaining('was freed while it was read') });
  expect(await run(words)).toMatchObject({
    status: 18,
    stderr: expect.stringContaining('partition 0: 0 to'),
  });
  const rest = await run([...words, '--accept-missing', '--json']);
  expect(rest).toMatchObject({ status: 3 });
  expect(JSON.parse(rest.stdout)).toMatchObject({
    incomplete: [expect.stringContaining('partition 0: 0 to')],
  });
  const [life] = await (await openExport(path)).lives('orders');
  expect(planStretches(life?.partitions[0]?.copies ?? []).missing).toMatchObject([{ from: 0n }]);
  expect((await linesIn(path)).split('\n').length).toBeLessThan(41);
});
