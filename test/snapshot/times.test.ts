import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BlockPool } from '../../src/crypto/crypto.ts';
import { decodeRecords } from '../../src/log/log.ts';
import { openManifest } from '../../src/repository/repository.ts';
import { SnapshotSource } from '../../src/snapshot/snapshot.ts';
import { dayMs, keyOf, november, Store, topicId } from './given.ts';

const hourMs = 3_600_000;
const monthBefore = (count: number): number => Date.UTC(2026, 10 - count, 14, 12);
/** Of the six hours of each month the third, half a year ago. */
const fromMs = monthBefore(6) + 2 * hourMs;
const toMs = fromMs + hourMs;
const inHour = { fromMs: BigInt(fromMs), toMs: BigInt(toMs) };
const ofHour = 250;

/** By codec; of the bytes of all months at most so many are opened for the hour. */
const topics = [
  { topic: 'orders', codec: 0, months: 12, shareMax: 0.12 },
  { topic: 'views', codec: 1, months: 7, shareMax: 0.25 },
  { topic: 'clicks', codec: 4, months: 7, shareMax: 0.25 },
];

let store: Store;
let snapshot: string;

/** Months of six hours, and in the last one a record that comes half a year late. */
beforeAll(async () => {
  store = await Store.make();
  store.nowMs = november;
  for (const { topic, codec, months } of topics) {
    const load = { valueBytes: 2000, batchRecords: 50, codec, stepMs: hourMs / 5 };
    for (let month = months; month > 0; month -= 1)
      await store.append(keyOf(topic), 6 * ofHour, { ...load, atMs: monthBefore(month) });
    const atMs = november - dayMs;
    await store.append(keyOf(topic), 2 * ofHour, { ...load, atMs });
    await store.append(keyOf(topic), 50, { ...load, atMs, lateMs: fromMs + 99 });
    await store.append(keyOf(topic), 2 * ofHour, { ...load, atMs });
  }
  ({ id: snapshot } = await store.cycle());
});
afterAll(async () => store[Symbol.asyncDispose]());

/** The offsets of the records of these times, and the bytes that were opened for them. */
async function offsetsOf(
  topic: string,
  o: { reading?: { fromMs?: bigint; toMs?: bigint }; pool?: BlockPool } = {},
): Promise<{ offsets: bigint[]; openedBytes: number }> {
  const repository = await store.open();
  const { manifest } = await openManifest(store.host.disk, repository, snapshot);
  const source = new SnapshotSource(store.host.disk, repository, manifest, o.pool);
  const offsets: bigint[] = [];
  const batches = source.read({ topicId: topicId(topic), partition: 0 }, o.reading);
  for await (const { bytes, header } of batches) {
    for (const { offset, timestamp } of decodeRecords(bytes, header))
      if (timestamp >= BigInt(fromMs) && timestamp < BigInt(toMs)) offsets.push(offset);
  }
  return { offsets, openedBytes: source.openedBytes };
}

describe('one hour out of a year', () => {
  test.each(topics)('opens little more than the hour of $topic, with what came late', async (each) => {
    const all = await offsetsOf(each.topic);
    expect(all.offsets).toHaveLength(ofHour + 1);

    const one = await offsetsOf(each.topic, { reading: inHour });

    expect(one.offsets).toEqual(all.offsets);
    expect(one.openedBytes).toBeGreaterThan(0);
    expect(one.openedBytes / all.openedBytes).toBeLessThan(each.shareMax);
  });

  test('is the same where blocks are opened ahead in threads', async () => {
    await using pool = new BlockPool({ threads: 2, level: 3 });
    const { offsets } = await offsetsOf('orders', { reading: inHour, pool });
    expect(offsets).toEqual((await offsetsOf('orders')).offsets);
  });

  test('opens nothing where there is nothing', async () => {
    for (const reading of [{ toMs: 1n }, { fromMs: BigInt(november) }])
      expect(await offsetsOf('orders', { reading })).toEqual({ offsets: [], openedBytes: 0 });
  });
});
