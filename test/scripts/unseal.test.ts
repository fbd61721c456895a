import { execFile } from 'node:child_process';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PartitionLog } from '../../src/local/local.ts';
import { snapshotFolder } from '../../src/repository/repository.ts';
import { encodeBatch, record } from '../log/encoder.ts';
import { scanBatches } from '../../src/log/log.ts';
import { dayMs, keyOf, Store, topicId } from '../snapshot/given.ts';

const script = fileURLToPath(new URL('../../scripts/unseal.mjs', import.meta.url));

async function unseal(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** Every file below the folder by its path, without the months that the local folder has. */
async function segmentsBelow(folder: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.log')) continue;
    const path = join(entry.parentPath, entry.name);
    found.set(relative(folder, path).replace(/\/\d{4}-\d{2}\//, '/'), await readFile(path));
  }
  return found;
}

async function refuse(error: unknown): Promise<void> {
  throw error;
}

/** A truncation, and one more batch on the new branch. */
async function branchOff(store: Store, key: ReturnType<typeof keyOf>, offset: bigint): Promise<void> {
  const { disk, random, clock } = store.host;
  const options = { segmentBytes: 2 ** 28, onRefusal: refuse };
  await using log = await PartitionLog.open(store.local, key, { disk, random, clock }, options);
  await log.truncate(offset, 6);
  const at = BigInt(store.nowMs);
  const records = [record({ value: Buffer.from('another history') })];
  const bytes = encodeBatch({
    baseOffset: offset,
    baseTimestamp: at,
    maxTimestamp: at,
    leaderEpoch: 6,
    records,
  });
  const { batches } = scanBatches(bytes);
  await log.append({
    bytes,
    batches,
    end: { offset: offset + 1n, epoch: 6 },
    epochStarts: [{ epoch: 6, from: offset }],
  });
}

describe('unseal.mjs', () => {
  it('extracts byte by byte what the cycle sealed: topics, incarnations, branches, months, many blocks', async () => {
    await using store = await Store.make();
    const long = keyOf('orders', 0);
    await store.append(long, 3000, { valueBytes: 1000, segmentBytes: 2 ** 21 });
    await store.append(keyOf('orders', 7), 20);
    await store.append(keyOf('Orders', 0), 20, { atMs: store.nowMs - 40 * dayMs });
    await store.append(keyOf('orders', 0, topicId('orders, created again')), 20);
    const branched = keyOf('branched');
    await store.append(branched, 30);
    await store.cycle();
    store.nowMs += dayMs;
    await branchOff(store, branched, 20n);
    await store.append(long, 2000, { valueBytes: 1000 });
    await store.cycle();
    store.nowMs += dayMs;
    const idle = await store.cycle();

    const out = join(store.folder, 'out');
    const extracted = await unseal(store.target, '--key-file', store.keyFile, 'extract', out);

    expect(extracted).toMatchObject({ status: 0, stderr: '' });
    const [sealed, local] = [await segmentsBelow(out), await segmentsBelow(join(store.local, 'topics'))];
    expect([...sealed.keys()].toSorted()).toEqual([...local.keys()].toSorted());
    expect(local.size).toBe(8);
    for (const [path, bytes] of local) expect(sealed.get(path)?.equals(bytes), path).toBe(true);

    const listed = await unseal(store.target, '--key-file', store.keyFile, 'list');
    expect(listed).toMatchObject({ status: 0, stderr: '' });
    expect(listed.stdout).toContain(`snapshot ${idle.id}  seq 3  instance main`);
    expect(listed.stdout).toContain(`topic Orders  id ${topicId('Orders')}`);
    expect(listed.stdout).toContain('sealed [0, 5000)');
    expect(listed.stdout).toContain('00000000000000000020.e6.log  next 21');
  });

  it('reads the snapshot and the instance it is asked for, and needs nothing but the snapshot, keys/ and varve.json', async () => {
    await using store = await Store.make();
    await store.append(keyOf('orders'), 20);
    const first = await store.cycle();
    store.nowMs += dayMs;
    await store.append(keyOf('orders'), 20);
    await store.cycle();
    const key = ['--key-file', store.keyFile];
    expect(await unseal(store.target, ...key, '--instance', 'other', 'list')).toMatchObject({
      status: 10,
      stdout: '',
    });
    const none = '20260101T000000Z-0000';
    expect(await unseal(store.target, ...key, '--snapshot', none, 'list')).toMatchObject({
      status: 15,
      stdout: '',
    });

    const copy = join(store.folder, 'copy');
    for (const path of ['varve.json', 'keys', join('main', 'snapshots', first.id)])
      await cp(join(store.target, path), join(copy, path), { recursive: true });
    const out = join(store.folder, 'out');
    expect(await unseal(copy, ...key, '--snapshot', first.id, 'extract', out)).toMatchObject({
      status: 0,
    });
    expect([...(await segmentsBelow(out)).keys()]).toEqual([
      `orders/${topicId('orders')}/0/00000000000000000000.log`,
    ]);
    expect(await unseal(store.target, ...key, 'extract', out)).toMatchObject({ status: 18 });
  });

  it('tells a wrong key, damage and no repository apart', async () => {
    await using store = await Store.make();
    await store.append(keyOf('orders'), 20);
    const { id } = await store.cycle();
    const wrong = join(store.folder, 'wrong key');
    await writeFile(wrong, Buffer.alloc(32, 8).toString('hex'));
    const asText = join(store.folder, 'key as text');
    await writeFile(asText, `${Buffer.alloc(32, 7).toString('base64')}\n`);
    expect(await unseal(store.target, '--key-file', asText, 'list')).toMatchObject({ status: 0 });
    expect(await unseal(store.target, '--key-file', wrong, 'list')).toMatchObject({ status: 12 });
    expect(await unseal(store.local, '--key-file', asText, 'list')).toMatchObject({ status: 10 });
    expect(await unseal(store.target, 'list')).toMatchObject({ status: 2 });

    const folder = snapshotFolder(store.place, id);
    const pack = (await readFile(join(folder, 'SHA256SUMS'), 'utf8')).split(/\s+/)[1] ?? '';
    const path = join(folder, pack);
    const bytes = await readFile(path);
    bytes.writeUInt8(bytes.readUInt8(700) ^ 1, 700);
    await store.host.disk.removeFile(path);
    await writeFile(path, bytes);
    const out = join(store.folder, 'out');
    const damaged = await unseal(store.target, '--key-file', asText, 'extract', out);
    expect(damaged).toMatchObject({ status: 4, stdout: '' });
    expect(damaged.stderr).toContain('segment 0 of orders/0');
  });
});
