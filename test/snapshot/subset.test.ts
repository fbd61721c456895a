import { expect, test } from 'vitest';
import { verifyRepository, type VerifyReport } from '../../src/snapshot/snapshot.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';
import { dayMs, keyOf, Store } from './given.ts';

test('three nights of a third each read every pack once, open each of its records once, and note it', async () => {
  await using store = await Store.make({ disk: new FaultyDisk() });
  for (let day = 0; day < 8; day += 1) {
    store.nowMs += dayMs;
    await store.append(keyOf('orders'), 10);
    await store.cycle();
  }
  const repository = await store.open();
  const marked = new Set<string>();
  const night = async (part: number): Promise<VerifyReport> =>
    verifyRepository(
      { host: store.host, emit: () => undefined, signal: new AbortController().signal },
      {
        folder: store.target,
        repository: repository.identity.repository,
        instance: 'main',
        memory: undefined,
        localFolder: store.local,
        level: 'deep',
        subset: { part, of: 3 },
        open: async () => repository,
        onRead: async (_, { clean }) => clean.forEach((sha256) => marked.add(sha256)),
      },
    );
  const nights = [await night(1), await night(2), await night(3)];
  const sum = (valueOf: (report: VerifyReport) => number): number =>
    nights.reduce((all, report) => all + valueOf(report), 0);
  expect(sum(({ packs }) => packs)).toBe(8);
  expect(sum(({ records }) => records)).toBe(80);
  expect(nights.flatMap(({ findings }) => findings)).toEqual([]);
  expect(marked.size).toBe(8 + 8); // the packs and the manifests

  const { packs, records } = await night(2);
  store.nowMs += dayMs;
  await store.append(keyOf('orders'), 10);
  await store.cycle();
  const later = await night(2);
  // What was in this part before is in it still.
  expect(later.packs).toBeGreaterThanOrEqual(packs);
  expect(later.packs).toBeLessThanOrEqual(packs + 1);
  expect(later.records).toBeGreaterThanOrEqual(records);
});
