import { expect, test } from 'vitest';
import { strataOf, type Layers, type Strata } from '../../src/snapshot/snapshot.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';
import { dayMs, keyOf, Store } from './given.ts';

test('a look at the repository reads the index of a pack once, and again only where a month has lost one', async () => {
  const disk = new FaultyDisk();
  await using store = await Store.make({ disk });
  let opened = 0;
  disk.fault = (call, path) => {
    if (call === 'open' && path.endsWith('.tar')) opened += 1;
    return undefined;
  };
  const look = async (known?: Layers): Promise<Strata & { opened: number }> => {
    opened = 0;
    const repository = await store.open();
    const strata = await strataOf(store.host, store.settings, { memory: undefined, repository, known });
    return { ...strata, opened };
  };
  const day = async (): Promise<void> => {
    store.nowMs += dayMs;
    disk.nowMs = store.nowMs;
    for (const topic of ['orders', 'payments']) await store.append(keyOf(topic), 10);
    await store.cycle();
  };
  for (let count = 0; count < 4; count += 1) await day();

  const first = await look();
  expect(first.opened).toBe(4);
  await day();
  const second = await look(first.layers);
  expect(second.opened).toBe(1);
  const afresh = await look();
  expect(afresh.opened).toBe(5);
  expect(second.topics).toEqual(afresh.topics);
  expect((await look(second.layers)).opened).toBe(0);

  const [[month, layer] = [0, { packs: new Set<string>(), bytes: new Map<string, number>() }]] = [
    ...second.layers,
  ];
  const withAnother = new Map([[month, { ...layer, packs: new Set([...layer.packs, 'one that is gone']) }]]);
  const rebuilt = await look(withAnother);
  expect(rebuilt.opened).toBe(5);
  expect(rebuilt.topics).toEqual(afresh.topics);
});
