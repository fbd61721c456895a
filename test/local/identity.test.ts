import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemHost } from '../../src/host/host.ts';
import {
  acceptGaps,
  initLocalFolder,
  listGaps,
  listIncarnations,
  LocalFolder,
  readIdentity,
} from '../../src/local/local.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';
import { hostOn } from '../sink/in-memory.ts';
import { append, batch, openLog, orders, place } from './given.ts';

const options = { instance: 'main', serve: async (): Promise<void> => undefined };

test('a folder is given an installation of its own once, and keeps it', async () => {
  await using at = await place();

  const first = await initLocalFolder(systemHost, join(at.folder, 'a', 'b'), 'main');
  const again = await initLocalFolder(systemHost, join(at.folder, 'a', 'b'), 'main');
  const other = await initLocalFolder(systemHost, at.folder, 'main');

  expect(first).toMatchObject({ format: 1, instance: 'main', cluster: null, repository: null });
  expect(again).toEqual(first);
  expect(other.installation).not.toBe(first.installation);
});

test('a folder belongs to the first cluster it met, and to no other ever after', async () => {
  await using at = await place();
  {
    await using local = await LocalFolder.open(systemHost, at.folder, options);
    await local.bindCluster('cluster-A');
    await local.bindCluster('cluster-A');
  }
  await using local = await LocalFolder.open(systemHost, at.folder, options);

  expect(local.identity.cluster).toBe('cluster-A');
  await expect(local.bindCluster('cluster-B')).rejects.toMatchObject({
    code: 'wrong-cluster',
    exitStatus: 17,
    message: expect.stringContaining('expected cluster-A, got cluster-B'),
  });
  expect((await readIdentity(systemHost.disk, at.folder))?.cluster).toBe('cluster-A');
});

test.for([
  { code: 'ENOSPC', ended: { code: 'no-space', exitStatus: 14 } },
  { code: 'EDQUOT', ended: { code: 'no-space', exitStatus: 14 } },
  { code: 'EIO', ended: { code: 'target-unusable', exitStatus: 13 } },
])(
  'what the disk keeps from being noted with $code is not believed, and told with a status',
  async ({ code, ended }) => {
    const disk = new FaultyDisk();
    const host = hostOn(disk, systemHost.clock);
    const refuse = (): void => {
      disk.fault = (call) => (call === 'file.sync' ? code : undefined);
    };
    refuse();
    await expect(LocalFolder.open(host, '/data', options)).rejects.toMatchObject(ended);
    disk.fault = () => undefined;
    await using local = await LocalFolder.open(host, '/data', options);
    refuse();
    await expect(local.bindCluster('cluster-A')).rejects.toMatchObject(ended);
    await expect(local.bindRepository('some')).rejects.toMatchObject(ended);
    disk.fault = () => undefined;

    expect(local.identity).toMatchObject({ cluster: null, repository: null });
    await local.bindRepository('some');
    expect(await readIdentity(disk, '/data')).toMatchObject({ cluster: null, repository: 'some' });
  },
);

test('the folder of another instance is refused with 11', async () => {
  await using at = await place();
  await initLocalFolder(systemHost, at.folder, 'replica-1');

  await expect(LocalFolder.open(systemHost, at.folder, options)).rejects.toMatchObject({
    code: 'foreign-installation',
    exitStatus: 11,
    message: expect.stringContaining('expected instance main, got replica-1'),
  });
});

test('an identity cut at any byte, or of the wrong kind, is damage and never made anew', async () => {
  await using at = await place();
  await initLocalFolder(systemHost, at.folder, 'main');
  const path = join(at.folder, 'varve.json');
  const good = await readFile(path, 'utf8');
  const bad = ['{}', 'null', '[]', '{"format":1}', '{"format":1,"installation":7}'];
  for (let length = 0; length < good.length - 1; length += 1) bad.push(good.slice(0, length));

  for (const text of bad) {
    await writeFile(path, text);
    await expect(initLocalFolder(systemHost, at.folder, 'main'), text).rejects.toMatchObject({
      code: 'damage',
      message: expect.stringContaining(path),
    });
    expect(await readFile(path, 'utf8')).toBe(text);
  }
});

test('a folder of a newer format is refused', async () => {
  await using at = await place();
  await writeFile(join(at.folder, 'varve.json'), '{"format":2,"installation":"x"}');

  await expect(initLocalFolder(systemHost, at.folder, 'main')).rejects.toMatchObject({
    code: 'no-repository',
    exitStatus: 10,
    message: expect.stringContaining('expected format 1, got 2'),
  });
});

test('each life of a topic is listed with its partitions, the newest last; foreign names are passed by', async () => {
  await using at = await place();
  const older = '-AAAAAAAAAAAAAAAAAAAAQ';
  let nowMs = Date.UTC(2026, 10, 2);
  const clock = { nowMs: () => nowMs, after: () => ({ cancel: () => undefined }) };
  await using local = await LocalFolder.open({ ...systemHost, clock }, at.folder, options);
  await local.noteIncarnation({ topic: 'orders', topicId: orders.topicId });
  nowMs = Date.UTC(2026, 10, 1);
  await local.noteIncarnation({ topic: 'orders', topicId: older });
  await local.noteIncarnation({ topic: 'orders', topicId: orders.topicId });
  for (const name of ['10', '2', '007', 'x']) {
    await mkdir(join(at.folder, 'topics', 'orders', older, name));
  }
  await mkdir(join(at.folder, 'topics', 'orders', 'lost+found'));

  expect(await listIncarnations(systemHost.disk, at.folder)).toEqual([
    { topic: 'orders', topicId: older, firstSeen: '2026-11-01T00:00:00.000Z', partitions: [2, 10] },
    { topic: 'orders', topicId: orders.topicId, firstSeen: '2026-11-02T00:00:00.000Z', partitions: [] },
  ]);
});

test('a gap is new until it is accepted, and a further one is new again', async () => {
  await using at = await place();
  await using log = await openLog(at.folder);
  await append(log, [batch(0n)]);
  await log.skipGap(1n, 5n);
  const before = await listGaps(systemHost.disk, at.folder);
  await acceptGaps(systemHost, at.folder, before);
  await log.skipGap(5n, 9n);

  expect(before.map((gap) => gap.isAccepted)).toEqual([false]);
  expect(await listGaps(systemHost.disk, at.folder)).toMatchObject([
    { ...orders, from: 1n, to: 5n, isAccepted: true },
    { ...orders, from: 5n, to: 9n, isAccepted: false },
  ]);
});
