import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { batchOf, here, orders, save, type Here } from '../cli/on-disk.ts';

const three = [batchOf(0n, ['a', 'b']), batchOf(2n, ['c', 'd']), batchOf(4n, ['e'])];

async function segmentOf(place: Here): Promise<string> {
  const files = await readdir(place.folder, { recursive: true });
  const [name] = files.filter((file) => file.endsWith('.log'));
  if (name === undefined) throw new Error('no segment');
  return join(place.folder, name);
}

test('any flipped byte of the newest file that was durable ends cat with 4, or changes nothing it prints', async () => {
  await using place = await here();
  await save(place.folder, orders, three);
  const words = ['cat', '--topic', 'orders', '--json'];
  const whole = (await place.run(words)).stdout;
  const path = await segmentOf(place);
  const good = await readFile(path);
  const unseen: number[] = [];
  const lastHead = good.length - (three[2]?.length ?? 0);
  for (let at = 0; at < good.length; at += 1) {
    // Nothing follows the last batch that would contradict its base offset; the digest of a snapshot will.
    if (at >= lastHead && at < lastHead + 8) continue;
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x04;
    await writeFile(path, bad);
    const { status, stdout } = await place.run(words);
    if (status !== 4) {
      expect({ at, stdout }).toEqual({ at, stdout: whole });
      unseen.push(at);
    }
  }
  // The leader epoch of each batch is the only field that neither a checksum nor the order of offsets covers.
  const heads = [0, three[0]?.length ?? 0, (three[0]?.length ?? 0) + (three[1]?.length ?? 0)];
  expect(unseen).toEqual(heads.flatMap((head) => [head + 12, head + 13, head + 14, head + 15]));
});

test('the last batch with a base offset beyond the next file is damage', async () => {
  await using place = await here();
  await save(place.folder, orders, three, { segmentBytes: 100 });
  const path = await segmentOf(place);
  const bad = await readFile(path);
  bad.writeBigInt64BE(1n, 0);
  await writeFile(path, bad);
  const { status, stderr } = await place.run(['cat', '--topic', 'orders', '--json']);
  expect(status).toBe(4);
  expect(stderr).toBe('');
});

test('a newest file that lost what the journal calls durable is damage, also when it lost all', async () => {
  await using place = await here();
  await save(place.folder, orders, three);
  const path = await segmentOf(place);
  const length = (await readFile(path)).length;
  for (const left of [length - 1, 61, 7, 0]) {
    await truncate(path, left);
    expect((await place.run(['cat', '--topic', 'orders', '--json'])).status).toBe(4);
  }
});
