import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openManifest } from '../../src/repository/repository.ts';
import { keyOf, Store } from './given.ts';
import { assertUnharmed, cycleKilled, exportKilled, filesIn, localFiles } from './killed.ts';

async function given(): Promise<Store> {
  const store = await Store.make();
  store.nowMs = Date.now();
  return store;
}

async function published(): Promise<Store> {
  const store = await given();
  await store.append(keyOf('orders'), 100);
  await store.cycle();
  return store;
}

test('a cycle that is killed at any of its steps leaves what was published whole, and the next one goes on', async () => {
  await using store = await published();
  const { steps } = await cycleKilled(store, {});
  expect(steps).toBeGreaterThan(10);
  for (let step = 1; step <= (steps ?? 0); step += 1) {
    await store.append(keyOf('orders'), 50);
    await store.append(keyOf(`topic-${step}`), 20);
    const local = await localFiles(store.local);
    expect(await cycleKilled(store, { atStep: step }), `step ${step}`).toMatchObject({ signal: 'SIGKILL' });
    await assertUnharmed(store, local);
  }
});

test('a cycle that is killed at random moments leaves what was published whole, and the next one goes on', async () => {
  await using store = await published();
  for (const afterMs of [1, 8, 15, 30, 45, 60, 80, 100, 130, 170]) {
    await store.append(keyOf('orders'), 5000, { valueBytes: 1000 });
    const local = await localFiles(store.local);
    await cycleKilled(store, { afterMs });
    await assertUnharmed(store, local);
  }
});

test('on a target without hard links a cycle that is killed leaves no pack behind, and none without its snapshot', async () => {
  await using store = await given();
  const packs = join(store.target, 'main', 'packs');
  await mkdir(packs); // it says that there are none
  await store.append(keyOf('orders'), 100);
  await store.cycle();
  const { steps = 0 } = await cycleKilled(store, {});
  for (let step = 2; step <= steps; step += Math.ceil(steps / 5)) {
    await store.append(keyOf('orders'), 50);
    const local = await localFiles(store.local);
    expect(await cycleKilled(store, { atStep: step }), `step ${step}`).toMatchObject({ signal: 'SIGKILL' });
    await assertUnharmed(store, local);
    const { id } = await store.cycle();
    const { manifest } = await openManifest(store.host.disk, await store.open(), id);
    expect(manifest.packs.every(({ shared }) => shared === true)).toBe(true);
    expect(await filesIn(packs)).toEqual(manifest.packs.map(({ path }) => path).toSorted());
  }
});

test('an export of a snapshot that is killed leaves nothing that the next one does not begin anew', async () => {
  await using store = await published();
  await store.append(keyOf('orders'), 100);
  const { id: snapshot } = await store.cycle();
  const whole = join(store.folder, 'whole');
  const { steps = 0 } = await exportKilled(store, { snapshot, to: whole });
  const files = await filesIn(whole);
  const to = join(store.folder, 'copy');
  const copy = store.elsewhere(to);
  for (let atStep = 2; atStep <= steps; atStep += Math.ceil(steps / 6)) {
    const end = await exportKilled(store, { snapshot, to, atStep });
    expect(end, `step ${atStep}`).toMatchObject({ signal: 'SIGKILL' });
    await expect(copy.open()).rejects.toMatchObject({ code: 'no-repository' });
  }
  expect(await exportKilled(store, { snapshot, to })).toMatchObject({ signal: null });
  expect(await filesIn(to)).toEqual(files);
  expect(await copy.verify()).toMatchObject({ findings: [], snapshots: 1, records: 200 });
  expect(await store.verify()).toMatchObject({ findings: [], snapshots: 2 });
});
