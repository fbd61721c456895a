import { expect, test } from 'vitest';
import { stretchByArgon2 } from '../../src/crypto/crypto.ts';
import {
  openManifest,
  readMarks,
  readMemory,
  snapshotFolder,
  type Manifest,
} from '../../src/repository/repository.ts';
import { repackSnapshot, SnapshotSource, type RepackReport } from '../../src/snapshot/snapshot.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';
import { dayMs, keyOf, november, Store } from './given.ts';

const days = 5;
const keys = [keyOf('orders'), keyOf('payments')];
const december = november + 31 * dayMs;

/** A daily cycle on five days of November, and one in December; orders have an archive rule of their own. */
async function prepared(
  o: { fault?: FaultyDisk['fault'] } = {},
): Promise<{ store: Store; disk: FaultyDisk }> {
  const disk = new FaultyDisk();
  disk.fault = o.fault ?? disk.fault;
  const store = await Store.make({ disk });
  store.settings = {
    ...store.settings,
    archive: { keep: 'forever', topics: { orders: { keep: { months: 1 } } } },
  };
  for (let day = 0; day < days; day += 1) await cycleAt(store, november + day * dayMs);
  await cycleAt(store, december);
  disk.powerCut();
  return { store, disk };
}

async function cycleAt(store: Store, nowMs: number): Promise<string> {
  moveTo(store, nowMs);
  for (const key of keys) await store.append(key, 10);
  return (await store.cycle()).id;
}

function moveTo(store: Store, nowMs: number): void {
  store.nowMs = nowMs;
  if (store.host.disk instanceof FaultyDisk) store.host.disk.nowMs = nowMs;
}

async function repack(store: Store, o: { apply?: boolean } = {}): Promise<RepackReport> {
  const { local: localFolder, installation } = store;
  return await repackSnapshot(
    store.settings,
    { localFolder, installation, tool: 'varve test', apply: o.apply ?? true },
    {
      host: store.host,
      emit: () => undefined,
      signal: new AbortController().signal,
      stretch: stretchByArgon2,
    },
  );
}

async function manifestOf(store: Store, id: string | null): Promise<Manifest> {
  return (await openManifest(store.host.disk, await store.open(), id ?? '')).manifest;
}

async function records(store: Store, id: string | null): Promise<string[]> {
  const source = new SnapshotSource(store.host.disk, await store.open(), await manifestOf(store, id));
  const found: string[] = [];
  for (const key of keys) {
    for await (const { bytes, header } of source.read(key))
      found.push(bytes.subarray(header.position, header.position + header.byteLength).toString('base64'));
  }
  return found;
}

test('a month of small packs becomes one, byte for byte, in a snapshot of its own; those before keep theirs', async () => {
  const { store, disk } = await prepared();
  const plan = await repack(store, { apply: false });
  const before = await manifestOf(store, plan.base);
  const held = await records(store, plan.base);
  expect(plan).toMatchObject({
    months: [{ month: '2026-11', packsBefore: 2 * days, packsAfter: 2 }],
    packsBefore: 2 * days + 2,
    packsAfter: 4,
    olderSnapshots: 6,
    snapshot: null,
  });

  moveTo(store, december + 3_600_000);
  const { snapshot } = await repack(store);
  const after = await manifestOf(store, snapshot);
  expect(after.packs.length).toBe(4);
  expect(after).toMatchObject({ seq: before.seq + 1, takenMs: before.takenMs, groups: before.groups });
  expect(after.incarnations).toEqual(before.incarnations);
  expect(await records(store, snapshot)).toEqual(held);
  expect(await records(store, before.id)).toEqual(held);
  expect(await store.verify()).toMatchObject({ findings: [], snapshots: 7 });
  expect(await disk.readSymlink(`${store.target}/main/daily.0`)).toBe(`snapshots/${snapshot}`);
  expect((await readMemory(store.host, store.local))?.newest?.id).toBe(snapshot);
  expect(await repack(store)).toMatchObject({ months: [], snapshot: null });

  await cycleAt(store, december + dayMs);
  moveTo(store, Date.UTC(2027, 0, 2));
  const expiring = await manifestOf(store, (await store.cycle()).id);
  expect(expiring.packs.filter(({ path }) => path.startsWith('2026-11')).length).toBe(1); // orders' went by policy
  expect(expiring.packs.length).toBe(before.packs.length - 2 * days + 1 + 2);
  expect(await store.verify()).toMatchObject({ findings: [] });
});

test('a repack that is cut off at any call leaves everything as it was, or the new snapshot whole', async () => {
  const { store: original, disk: whole } = await prepared();
  const held = await records(original, (await repack(original, { apply: false })).base);
  const calls = async (store: Store, disk: FaultyDisk, dieAt: number): Promise<number> => {
    const first = disk.calls;
    disk.fault = () => (disk.calls - first >= dieAt ? 'EIO' : undefined);
    await repack(store).catch(() => undefined);
    disk.fault = () => undefined;
    return disk.calls - first;
  };
  const rehearsal = new FaultyDisk(whole);
  const total = await calls(original.on(rehearsal), rehearsal, Infinity);
  expect(total).toBeGreaterThan(100);
  // The last ones publish: every other of them; of those before, every ninth.
  for (let dieAt = 1; dieAt <= total + 1; dieAt += dieAt < total - 60 ? 9 : 2) {
    const disk = new FaultyDisk(whole);
    const store = original.on(disk);
    await calls(store, disk, dieAt);
    disk.powerCut();
    const verified = await store.verify('normal');
    expect(verified.findings, `cut off at call ${dieAt}`).toEqual([]);
    expect([6, 7]).toContain(verified.snapshots);
    moveTo(store, store.nowMs + 1000);
    const again = await repack(store);
    expect(again.packsAfter).toBe(4);
    expect(await records(store, again.snapshot ?? again.base)).toEqual(held);
  }
});

test('a cycle that publishes while a repack is planned is not taken for a repository that was rolled back', async () => {
  const { store, disk } = await prepared();
  const readFile = disk.readFile.bind(disk);
  let published: string | undefined;
  let isAsked = false;
  disk.readFile = async (path) => {
    if (path.startsWith(store.local) && !isAsked) {
      isAsked = true;
      published = await cycleAt(store, december + dayMs);
    }
    return await readFile(path);
  };
  const plan = await repack(store, { apply: false });
  expect(plan.base).toBe(published);
});

test('a pack that is not what its manifest says is copied nowhere: named, marked, nothing published', async () => {
  const { store, disk } = await prepared();
  const { base } = await repack(store, { apply: false });
  const manifest = await manifestOf(store, base);
  const pack = manifest.packs[0];
  const file = await disk.open(`${snapshotFolder(store.place, manifest.id)}/${pack?.path}`, 'update');
  await file.write([Buffer.from([1, 2, 3])], 700);
  await file.close();

  await expect(repack(store)).rejects.toMatchObject({ code: 'damage' });
  expect((await store.verify('normal')).snapshots).toBe(6);
  const marks = await readMarks(store.host, await store.open());
  expect(marks.damaged.at(-1)?.packs).toEqual([{ sha256: pack?.sha256 }]);
  await expect(repack(store)).rejects.toMatchObject({ code: 'damage' });
});

test('on a target without hard links the new packs lie with the others that snapshots share', async () => {
  const { store, disk } = await prepared({
    fault: (call, path) => (call === 'link' && path.includes('/target/') ? 'EPERM' : undefined),
  });
  const before = await repack(store, { apply: false });
  const held = await records(store, before.base);
  const { snapshot } = await repack(store);
  const after = await manifestOf(store, snapshot);
  expect(after.packs.map(({ shared }) => shared)).toEqual([true, true, true, true]);
  expect((await disk.list(`${store.target}/main/packs/2026-11`))?.length).toBe(2 * days + 2);
  expect(await records(store, snapshot)).toEqual(held);
  expect(await records(store, before.base)).toEqual(held);
  expect(await store.verify()).toMatchObject({ findings: [] });
  expect((await cycleAt(store, december + dayMs)).length).toBeGreaterThan(0);
  expect(await store.verify()).toMatchObject({ findings: [] });
});

test('without room on the target nothing is written', async () => {
  const { store, disk } = await prepared();
  disk.free = 1000;
  await expect(repack(store)).rejects.toMatchObject({ code: 'no-space' });
  expect(await disk.list(`${store.target}/main/staging`)).toEqual([]);
});
