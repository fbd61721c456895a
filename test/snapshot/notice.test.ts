import {
  cp,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PartitionLog, readPartition, type CoveredBatch } from '../../src/local/local.ts';
import { openManifest, readMarks, snapshotFolder, writeMark } from '../../src/repository/repository.ts';
import { SnapshotSource, verifyRepository } from '../../src/snapshot/snapshot.ts';
import { cluster, dayMs, keyOf, Store, topicId } from './given.ts';

async function offsets(batches: AsyncIterable<CoveredBatch>): Promise<string[]> {
  const found: string[] = [];
  for await (const { from, to } of batches) found.push(`${from}..${to}`);
  return found;
}

async function snapshotsOf(store: Store): Promise<string[]> {
  return (await readdir(join(store.target, 'main', 'snapshots'))).toSorted();
}

async function read(store: Store, id: string, key = keyOf('orders')): Promise<string[]> {
  const { manifest } = await openManifest(store.host.disk, await store.open(), id);
  return await offsets(new SnapshotSource(store.host.disk, await store.open(), manifest).read(key));
}

async function refuse(error: unknown): Promise<void> {
  throw error;
}

/** Cycles on so many days, each with ten new records. */
async function days(store: Store, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let day = 0; day < count; day += 1) {
    await store.append(keyOf('orders'), 10);
    ids.push((await store.cycle()).id);
    store.nowMs += dayMs;
  }
  return ids;
}

test('a repository that was rolled back is refused by name; accepted, every local segment is carried again', async () => {
  await using store = await Store.make();
  const [first = '', second = ''] = await days(store, 2);
  await rm(snapshotFolder(store.place, second), { recursive: true });

  await expect(store.cycle()).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringContaining(`expected snapshot ${second}`),
  });
  expect(await snapshotsOf(store)).toEqual([first]);
  const report = await store.cycle({
    accept: { rollback: true, cluster: false, shrink: false, clock: false },
  });
  expect(report).toMatchObject({ seq: 2, segments: 1 });
  expect(await store.verify()).toMatchObject({ findings: [] });
  expect(await read(store, report.id)).toEqual(['0..10', '10..20']);
  expect((await store.cycle()).seq).toBe(3);
});

test('another repository under the old name is refused', async () => {
  await using store = await Store.make();
  await days(store, 1);
  await rename(store.target, `${store.target}-old`);
  await store.init();

  await expect(store.cycle()).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringContaining('the repository is another one'),
  });
  expect(await snapshotsOf(store)).toEqual([]);
  expect(
    await store.cycle({ accept: { rollback: true, cluster: false, shrink: false, clock: false } }),
  ).toMatchObject({
    seq: 1,
    segments: 1,
  });
});

test('a snapshot folder that was renamed is named as damage, and nothing expires beside it', async () => {
  await using store = await Store.make();
  store.settings = {
    ...store.settings,
    retain: { ...store.settings.retain, daily: 1, weekly: 0, monthly: 0 },
  };
  const [first = ''] = await days(store, 2);
  const renamed = '20250101T000000Z-0000';
  await rename(snapshotFolder(store.place, first), snapshotFolder(store.place, renamed));
  const before = await snapshotsOf(store);

  await store.append(keyOf('orders'), 10);
  const report = await store.cycle();
  expect(report).toMatchObject({ finding: 'damage', segments: 1, expired: [] });
  expect(report.damaged.map(({ what }) => what)).toContain(`snapshot ${renamed}`);
  expect(await snapshotsOf(store)).toEqual([...before, report.id].toSorted());
  expect((await store.verify()).findings.map(({ snapshot }) => snapshot)).toContain(renamed);
});

test('keys that vanished are damage, and a copy beside the local files brings them back', async () => {
  await using store = await Store.make();
  await days(store, 1);
  await rm(join(store.target, 'keys'), { recursive: true });

  await expect(store.cycle()).rejects.toMatchObject({
    code: 'damage',
    message: expect.stringContaining('the keys have vanished'),
  });
  await cp(join(store.local, 'keys'), join(store.target, 'keys'), { recursive: true });
  expect(await store.cycle()).toMatchObject({ seq: 2, finding: null });
});

test('another Kafka cluster is refused until it is accepted', async () => {
  await using store = await Store.make();
  await days(store, 1);
  const other = 'another-cluster-000000';

  await expect(store.cycle({ cluster: other })).rejects.toMatchObject({
    code: 'wrong-cluster',
    message: expect.stringContaining(cluster),
  });
  await store.cycle({
    cluster: other,
    accept: { rollback: false, cluster: true, shrink: false, clock: false },
  });
  expect(await store.cycle({ cluster: other })).toMatchObject({ finding: null });
});

test('a topic that vanished at the source is named in every cycle until that is accepted, and nothing expires', async () => {
  await using store = await Store.make();
  store.settings = {
    ...store.settings,
    retain: { ...store.settings.retain, daily: 1, weekly: 0, monthly: 0, minimum: 1 },
  };
  await store.append(keyOf('payments'), 10);
  await days(store, 2);
  const ids = await snapshotsOf(store);
  store.topics.delete('payments');
  for (let cycle = 0; cycle < 2; cycle += 1) {
    const report = await store.cycle();
    expect(report).toMatchObject({ finding: 'incomplete', vanishedTopics: ['payments'], expired: [] });
    ids.push(report.id);
    store.nowMs += dayMs;
  }
  expect(await snapshotsOf(store)).toEqual(ids);

  const accepted = await store.cycle({
    accept: { rollback: false, cluster: false, shrink: true, clock: false },
  });
  expect(accepted).toMatchObject({ finding: null, vanishedTopics: [] });
  expect(accepted.expired.length).toBeGreaterThan(0);
  store.nowMs += dayMs;
  const after = await store.cycle();
  expect(after).toMatchObject({ finding: null, vanishedTopics: [] });
  expect(await read(store, after.id, keyOf('payments'))).toEqual(['0..10']);
});

test('a topic that was deleted and created again has not vanished: both lives are kept apart', async () => {
  await using store = await Store.make();
  await days(store, 1);
  const again = topicId('orders again');
  store.see('orders', 1, again);
  await store.append(keyOf('orders', 0, again), 20);

  const report = await store.cycle();
  expect(report).toMatchObject({ finding: null, vanishedTopics: [], partitions: 2 });
  expect(await read(store, report.id)).toEqual(['0..10']);
  expect(await read(store, report.id, keyOf('orders', 0, again))).toEqual(['0..10', '10..20']);
});

test('with fewer than half of the partitions nothing expires', async () => {
  await using store = await Store.make();
  for (const partition of [0, 1, 2, 3, 4]) await store.append(keyOf('orders', partition), 10);
  await store.cycle();
  store.nowMs += 3 * dayMs;
  store.see('orders', 2);

  expect((await store.cycle()).held.map(({ kind }) => kind)).toContain('shrunk');
});

test('a clock that went back is a finding, and nothing expires', async () => {
  await using store = await Store.make();
  store.settings = {
    ...store.settings,
    retain: { ...store.settings.retain, daily: 1, weekly: 0, monthly: 0, minimum: 1 },
  };
  const ids = await days(store, 3);
  const before = (await snapshotsOf(store)).length;
  store.nowMs -= 30 * dayMs;

  const report = await store.cycle();
  expect(report).toMatchObject({ finding: 'clock-back', expired: [] });
  expect(report.id > (ids.at(-1) ?? '')).toBe(true);
  expect((await snapshotsOf(store)).length).toBe(before + 1);
});

test('after a truncation a snapshot gives the branch that the cluster took', async () => {
  await using store = await Store.make();
  const key = keyOf('orders');
  await store.append(key, 30);
  await store.cycle();
  const { disk, random, clock } = store.host;
  const options = { segmentBytes: 2 ** 20, onRefusal: refuse };
  {
    await using log = await PartitionLog.open(store.local, key, { disk, random, clock }, options);
    await log.truncate(20n, 5);
  }
  await store.append(key, 20);

  const report = await store.cycle();
  expect(report).toMatchObject({ finding: null, segments: 1 });
  expect(await read(store, report.id)).toEqual(await offsets(readPartition(disk, store.local, key)));
  expect(await read(store, report.id)).toEqual(['0..10', '10..20', '20..30', '30..40']);
  expect(await store.verify()).toMatchObject({ findings: [] });
});

test('a lost local disk that begins behind the last snapshot leaves a gap that is told', async () => {
  await using store = await Store.make();
  await days(store, 1);
  await lose(store, { from: 50n });

  const report = await store.cycle();
  const { manifest } = await openManifest(store.host.disk, await store.open(), report.id);
  expect(manifest.incarnations[0]?.partitions[0]?.coverage.gaps).toMatchObject([{ from: 10n, to: 50n }]);
  expect(await read(store, report.id)).toEqual(['0..10', '50..60']);
  expect(await store.verify()).toMatchObject({ findings: [] });
});

test('a lost local disk that begins inside the last snapshot gives no record twice', async () => {
  await using store = await Store.make();
  await store.append(keyOf('orders'), 50);
  await store.cycle();
  store.nowMs += dayMs;
  await lose(store, { from: 30n, records: 40 });

  const report = await store.cycle();
  expect(await read(store, report.id)).toEqual([
    '0..10',
    '10..20',
    '20..30',
    '30..40',
    '40..50',
    '50..60',
    '60..70',
  ]);
  expect(await store.verify()).toMatchObject({ findings: [] });
});

/** The local topics are gone; the journal begins anew at an offset. */
async function lose(store: Store, o: { from: bigint; records?: number }): Promise<void> {
  const key = keyOf('orders');
  await rm(join(store.local, 'topics'), { recursive: true });
  const { disk, random, clock } = store.host;
  const options = { segmentBytes: 2 ** 20, onRefusal: refuse };
  {
    await using log = await PartitionLog.open(store.local, key, { disk, random, clock }, options);
    await log.begin(o.from);
  }
  await store.append(key, o.records ?? 10);
}

async function localSegments(store: Store): Promise<string[]> {
  const folder = join(store.local, 'topics', 'orders', topicId('orders'), '0');
  const months = (await readdir(folder)).filter((name) => name !== 'journal');
  const files = await Promise.all(
    months.map(async (month) =>
      (await readdir(join(folder, month))).map((name) => join(folder, month, name)),
    ),
  );
  return files.flat().toSorted();
}

test('a damaged local segment is told, holds up nothing else, and is tried again', async () => {
  await using store = await Store.make();
  await store.append(keyOf('orders'), 10);
  await store.append(keyOf('orders'), 10);
  await store.append(keyOf('payments'), 10);
  const [damaged = ''] = await localSegments(store);
  const good = await readFile(damaged);
  await flip(damaged, 100);

  const report = await store.cycle();
  expect(report).toMatchObject({ finding: 'damage', segments: 2 });
  expect(report.damaged).toMatchObject([{ what: damaged }]);
  expect(await read(store, report.id)).toEqual(['10..20']);
  expect(await store.verify()).toMatchObject({ findings: [] });
  await writeFile(damaged, good);
  const next = await store.cycle();
  expect(next).toMatchObject({ finding: null, segments: 1 });
  expect(await read(store, next.id)).toEqual(['0..10', '10..20']);
});

async function flip(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, position);
  await file.close();
}

async function packOf(store: Store, id: string): Promise<string> {
  const { manifest } = await openManifest(store.host.disk, await store.open(), id);
  return join(snapshotFolder(store.place, id), manifest.packs[0]?.path ?? '');
}

const harms: [string, (path: string) => Promise<void>][] = [
  ['flipped', async (path) => flip(path, 700)],
  [
    'missing',
    async (path) => {
      await unlink(path);
    },
  ],
  ['short', async (path) => truncate(path, 1000)],
];

test.each(harms)(
  'a carried pack that is %s: what is new is published, nothing expires, the finding is damage',
  async (_, harm) => {
    await using store = await Store.make();
    store.settings = {
      ...store.settings,
      retain: { ...store.settings.retain, daily: 1, weekly: 0, monthly: 0, minimum: 1 },
    };
    const ids = await days(store, 2);
    await harm(await packOf(store, ids.at(-1) ?? ''));
    await store.append(keyOf('orders'), 10);
    const before = await snapshotsOf(store);

    const report = await store.cycle();
    expect(report).toMatchObject({ finding: 'damage', expired: [] });
    expect(report.damaged.length).toBeGreaterThan(0);
    expect(await snapshotsOf(store)).toEqual([...before, report.id].toSorted());
    expect(report.newPacks).toBeGreaterThan(0);
    store.nowMs += dayMs;
    const next = await store.cycle();
    expect(next.expired).toEqual([]);
  },
);

test('a clean read lifts a mark of damage', async () => {
  await using store = await Store.make();
  const [id = ''] = await days(store, 1);
  const pack = await packOf(store, id);
  await flip(pack, 700);
  expect(await store.cycle()).toMatchObject({ finding: 'damage' });
  await flip(pack, 700);
  store.nowMs += 1000;
  expect((await store.cycle()).held.map(({ kind }) => kind)).not.toContain('damage');
  const { damaged } = await readMarks(store.host, await store.open());
  expect(damaged.length).toBe(1);
});

test('verify names what is flipped, short, empty, missing or foreign, and a folder without a manifest', async () => {
  await using store = await Store.make();
  const [id = ''] = await days(store, 1);
  const folder = snapshotFolder(store.place, id);
  const sound = join(store.folder, 'sound');
  await cp(folder, sound, { recursive: true });
  const pack = (await readdir(join(folder, '2026-11')))[0] ?? '';
  const cases: [string, () => Promise<void>][] = [
    ['flipped', async () => flip(join(folder, '2026-11', pack), 600)],
    ['short', async () => truncate(join(folder, '2026-11', pack), 600)],
    ['empty', async () => truncate(join(folder, 'manifest'), 0)],
    ['missing', async () => unlink(join(folder, '2026-11', pack))],
    ['foreign', async () => writeFile(join(folder, '2026-11', 'notes.txt'), 'hello')],
    ['without manifest', async () => unlink(join(folder, 'manifest'))],
    ['without sums', async () => unlink(join(folder, 'SHA256SUMS'))],
    ['foreign folder', async () => mkdir(join(store.target, 'main', 'snapshots', 'lost+found'))],
  ];
  for (const [name, harm] of cases) {
    await harm();
    for (const level of ['fast', 'normal', 'deep'] as const)
      expect((await store.verify(level)).findings, `${name}, ${level}`).not.toEqual([]);
    await rm(join(store.target, 'main', 'snapshots'), { recursive: true });
    await mkdir(join(store.target, 'main', 'snapshots'));
    await cp(sound, folder, { recursive: true });
    expect((await store.verify()).findings, `after ${name}`).toEqual([]);
  }
});

test('long names, names that differ in case only, and names in the clear are never mixed', async () => {
  for (const plainNames of [false, true]) {
    await using store = await Store.make();
    store.settings = { ...store.settings, repository: { ...store.settings.repository, plainNames } };
    const keys = ['a'.repeat(200), 'a'.repeat(249), 'Orders', 'orders', 'orders.'].map((topic) =>
      keyOf(topic),
    );
    for (const [index, key] of keys.entries()) await store.append(key, 10 * (index + 1));
    const report = await store.cycle();
    expect(await store.verify()).toMatchObject({ findings: [] });
    for (const [index, key] of keys.entries())
      expect((await read(store, report.id, key)).length).toBe(index + 1);
  }
});

test('nothing on the target tells a topic, a key or a value', async () => {
  await using store = await Store.make();
  await store.append(keyOf('very-secret-topic'), 100);
  await store.cycle();
  const words = ['very-secret-topic', topicId('very-secret-topic'), 'key-1', 'varve varve', 'shop'];
  const walk = async (folder: string): Promise<void> => {
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if ((await stat(path)).isDirectory()) {
        await walk(path);
        continue;
      }
      const bytes = await readFile(path);
      for (const word of words)
        expect(bytes.includes(word) || path.includes(word), `${word} in ${path}`).toBe(false);
    }
  };
  await walk(store.target);
});

test('two instances share a repository, each in its own folder with its own lock', async () => {
  await using store = await Store.make();
  await store.append(keyOf('orders'), 10);
  await store.cycle();
  store.settings = { ...store.settings, instance: 'second' };
  const other = join(store.folder, 'local-second');
  await cp(store.local, other, { recursive: true });
  await rm(join(other, 'repository.json'));
  const report = await store.cycle({
    localFolder: other,
    installation: '00000000-0000-4000-8000-000000000002',
  });

  expect(report).toMatchObject({ seq: 1, finding: null });
  expect(await store.verify()).toMatchObject({ findings: [], instances: 2, snapshots: 2 });
});

test('local segments are freed only by a cycle after the one that sealed them', async () => {
  await using store = await Store.make();
  await store.append(keyOf('orders'), 10);
  await store.append(keyOf('orders'), 10);
  store.nowMs = Date.now() + dayMs; // the files carry the machine's own time
  expect(await store.cycle({ localKeepMs: 1000 })).toMatchObject({ freedSegments: 0 });
  expect((await localSegments(store)).length).toBe(2);
  store.nowMs += dayMs;
  expect(await store.cycle({ localKeepMs: 1000 })).toMatchObject({ freedSegments: 1 });
  expect((await localSegments(store)).length).toBe(1);
  expect(await store.append(keyOf('orders'), 10)).toBe(30n);
  store.nowMs += dayMs;
  const report = await store.cycle({ localKeepMs: 1000 });
  expect(await read(store, report.id)).toEqual(['0..10', '10..20', '20..30']);
});

test('a pin keeps a snapshot, and expired ones wait in the trash', async () => {
  await using store = await Store.make();
  store.settings = {
    ...store.settings,
    retain: { ...store.settings.retain, daily: 1, weekly: 0, monthly: 0, minimum: 1 },
  };
  const ids = await days(store, 1);
  const pinned = ids[0] ?? '';
  await writeMark(store.host, await store.open(), { snapshot: pinned, type: 'pinned', atMs: store.nowMs });
  ids.push(...(await days(store, 3)));

  expect(await snapshotsOf(store)).toContain(pinned);
  expect((await snapshotsOf(store)).length).toBeLessThan(ids.length);
  expect((await readdir(join(store.target, 'main', 'trash'))).length).toBe(
    ids.length - (await snapshotsOf(store)).length,
  );
  expect(await store.verify()).toMatchObject({ findings: [] });
});

test('a wrong key is told apart from everything else', async () => {
  await using store = await Store.make();
  await days(store, 1);
  const { repository } = (await store.open()).identity;
  await writeFile(store.keyFile, Buffer.alloc(32, 9));
  await expect(store.cycle()).rejects.toMatchObject({ code: 'wrong-key' });
  const fast = await verifyRepository(
    { host: store.host, emit: () => undefined, signal: new AbortController().signal },
    {
      folder: store.target,
      repository,
      instance: undefined,
      memory: undefined,
      localFolder: undefined,
      level: 'fast',
      subset: undefined,
      open: async () => store.open(),
      onRead: async () => undefined,
    },
  );
  expect(fast).toMatchObject({ findings: [], snapshots: 1 });
});

test('data past its keep goes by whole months, is not sealed again from local files, and verify stays clean', async () => {
  await using store = await Store.make();
  store.settings = {
    ...store.settings,
    archive: { keep: 'forever', topics: { orders: { keep: { months: 1 } } } },
  };
  store.nowMs = Date.UTC(2026, 9, 15);
  await store.append(keyOf('orders'), 10);
  await store.append(keyOf('payments'), 10);
  expect(await store.cycle({ localKeepMs: 400 * dayMs })).toMatchObject({ newPacks: 2 });
  store.nowMs = Date.UTC(2026, 10, 15);
  await store.append(keyOf('orders'), 10);
  const november = await store.cycle({ localKeepMs: 400 * dayMs });
  expect(await read(store, november.id)).toEqual(['0..10', '10..20']);
  store.nowMs = Date.UTC(2026, 11, 2);
  await store.append(keyOf('orders'), 10);

  for (let cycle = 0; cycle < 2; cycle += 1) {
    const december = await store.cycle({ localKeepMs: 400 * dayMs });
    expect(december).toMatchObject({ finding: null, segments: cycle === 0 ? 1 : 0 });
    expect(await read(store, december.id)).toEqual(['10..20', '20..30']);
    expect(await read(store, december.id, keyOf('payments'))).toEqual(['0..10']);
    // Also of what went in a cycle before this one the snapshot says so.
    const { manifest } = await openManifest(store.host.disk, await store.open(), december.id);
    expect(manifest.expired).toMatchObject([{ topic: 'orders', partition: 0, branch: 0, from: 0n, to: 10n }]);
    store.nowMs += dayMs;
  }
  expect(await store.verify()).toMatchObject({ findings: [] });
  store.topics.delete('payments');
  const held = await store.cycle({ localKeepMs: 400 * dayMs });
  expect(held).toMatchObject({ vanishedTopics: ['payments'], segments: 0 }); // a doubt brings nothing back
  store.settings = { ...store.settings, archive: { keep: 'forever', topics: {} } };
  const forever = await store.cycle({ localKeepMs: 400 * dayMs });
  expect(await read(store, forever.id)).toEqual(['0..10', '10..20', '20..30']);
  const { manifest } = await openManifest(store.host.disk, await store.open(), forever.id);
  expect(manifest.expired).toEqual([]);
  expect(await store.verify()).toMatchObject({ findings: [] });
});
