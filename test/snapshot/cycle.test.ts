import { execFile } from 'node:child_process';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readPartition } from '../../src/local/local.ts';
import {
  openManifest,
  readMemory,
  snapshotFolder,
  type SavedAccess,
} from '../../src/repository/repository.ts';
import { SnapshotSource } from '../../src/snapshot/snapshot.ts';
import { dayMs, keyOf, Store } from './given.ts';

const run = promisify(execFile);

async function hashes(
  batches: AsyncIterable<{ bytes: Buffer; header: { position: number; byteLength: number } }>,
): Promise<string[]> {
  const found: string[] = [];
  for await (const { bytes, header } of batches)
    found.push(bytes.subarray(header.position, header.position + header.byteLength).toString('base64'));
  return found;
}

test('a snapshot holds exactly what the local files hold, and anybody can check it without a key', async () => {
  await using store = await Store.make();
  store.startsThreads = true;
  const keys = [keyOf('orders', 0), keyOf('orders', 1), keyOf('Orders', 0)];
  for (const key of keys) await store.append(key, 5000, { valueBytes: 1000 });

  const report = await store.cycle();

  expect(report).toMatchObject({
    seq: 1,
    segments: 3,
    partitions: 3,
    finding: null,
    verified: true,
    newPacks: 1,
  });
  const folder = snapshotFolder(store.place, report.id);
  await run('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: folder });
  expect(await store.verify()).toMatchObject({ findings: [], snapshots: 1, records: 15_000 });
  const repository = await store.open();
  const { manifest } = await openManifest(store.host.disk, repository, report.id);
  const source = new SnapshotSource(store.host.disk, repository, manifest);
  for (const key of keys) {
    expect(await hashes(source.read(key))).toEqual(
      await hashes(readPartition(store.host.disk, store.local, key)),
    );
  }
});

test('who may do what is kept as Kafka told it last, part by part', async () => {
  await using store = await Store.make();
  const acl = { resourceType: 'topic', resource: 'orders', patternType: 'literal', principal: 'User:a' };
  const acls = {
    readMs: 5,
    rows: [{ ...acl, host: '*', operation: 'Read', permission: 'allow' }],
  };
  const quotas = {
    readMs: 5,
    rows: [{ entity: [['user', null]], limits: [['request_percentage', 0.5]] }],
  } as const;
  const none = { acls: null, scramUsers: null, quotas: null };
  const saved = async (access: SavedAccess | null): Promise<object> => {
    store.nowMs += dayMs;
    const { id } = await store.cycle({ access });
    const { manifest } = await openManifest(store.host.disk, await store.open(), id);
    const { scramUsers, accessRefusals } = manifest;
    return { acls: manifest.acls, scramUsers, quotas: manifest.quotas, accessRefusals };
  };

  expect(await saved(null)).toEqual({ ...none, accessRefusals: [] });
  const told = { ...none, acls, quotas, accessRefusals: ['SCRAM users: no right'] };
  expect(await saved(told)).toEqual(told);
  const fewer = { readMs: 9, rows: [] };
  expect(await saved({ ...none, acls: fewer, accessRefusals: ['quotas: no right'] })).toEqual({
    ...told,
    acls: fewer,
    accessRefusals: ['quotas: no right'],
  });
  expect(await saved(null)).toMatchObject({ acls: fewer, quotas });
});

test('the next cycle seals only what is new and links the rest', async () => {
  await using store = await Store.make();
  await store.append(keyOf('orders'), 1000);
  const first = await store.cycle();
  store.nowMs += dayMs;
  const idle = await store.cycle();
  store.nowMs += dayMs;
  await store.append(keyOf('orders'), 10);
  const third = await store.cycle();

  expect(idle).toMatchObject({ seq: 2, segments: 0, newPacks: 0, linkedPacks: 1 });
  expect(third).toMatchObject({ seq: 3, segments: 1, newPacks: 1, linkedPacks: 1 });
  const { disk } = store.host;
  const [pack] = (await openManifest(disk, await store.open(), first.id)).manifest.packs;
  const links = await Promise.all(
    [first, idle, third].map(async ({ id }) =>
      disk.stat(join(snapshotFolder(store.place, id), pack?.path ?? '')),
    ),
  );
  expect(new Set(links.map((stat) => stat?.inode)).size).toBe(1);
  expect(links[0]?.links).toBe(3);
  expect(await store.verify()).toMatchObject({ findings: [], snapshots: 3 });
  expect(await disk.readSymlink(join(store.target, 'main', 'daily.0'))).toBe(`snapshots/${third.id}`);
});

test('a cycle that the target refuses is remembered by the code that it is told with', async () => {
  await using store = await Store.make();
  await store.append(keyOf('orders'), 10);
  await store.cycle();
  await rename(store.target, `${store.target}-aside`);
  await writeFile(store.target, ''); // nothing is found below a file
  await expect(store.cycle()).rejects.toMatchObject({ code: 'ENOTDIR' });
  const memory = await readMemory(store.host, store.local);
  expect(memory?.lastAttempt).toMatchObject({ outcome: 'failed', code: 'target-unusable' });
});
