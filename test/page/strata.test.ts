import { expect, test } from 'vitest';
import { UnsavedScan } from '../../src/daemon/unsaved.ts';
import { CycleNotes } from '../../src/daemon/cycle-notes.ts';
import { monthAt } from '../../src/schedule/schedule.ts';
import { strataOf } from '../../src/snapshot/snapshot.ts';
import { dayMs, keyOf, november, Store } from '../snapshot/given.ts';

test('the repository tells each month of a topic, how far it is saved, and why each snapshot stays', async () => {
  await using store = await Store.make();
  const orders = keyOf('orders');
  await store.append(orders, 100, { atMs: november - 40 * dayMs });
  await store.append(orders, 50);
  await store.cycle();
  store.nowMs += dayMs;
  const saved = await store.append(orders, 30);
  const { id } = await store.cycle();

  const strata = await strataOf(store.host, store.settings, {
    memory: undefined,
    repository: await store.open(),
  });

  const [topic] = strata.topics;
  expect(strata.unread).toEqual([]);
  expect(topic?.months.map(({ month }) => month)).toEqual([
    monthAt(november - 40 * dayMs),
    monthAt(november),
  ]);
  expect(topic?.months.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(topic?.rawBytes);
  expect(topic?.partitions).toEqual([{ partition: 0, from: 0n, to: saved, gaps: [] }]);
  const newest = strata.snapshots.at(-1);
  expect(newest?.id).toBe(id);
  expect(newest?.views).toContain('daily.0');
  expect(newest?.reasons).toContain('newest verified snapshot');
});

test('what lies on the local disk alone is counted month by month, and what a snapshot holds is not', async () => {
  await using store = await Store.make();
  const orders = keyOf('orders');
  const scan = new UnsavedScan(store.host.disk, store.local);
  const { signal } = new AbortController();
  const found = (): ReadonlyMap<number, number> => scan.found?.get(orders.topicId)?.months ?? new Map();
  const end = await store.append(orders, 100, { atMs: november - 40 * dayMs });
  await scan.look(signal);
  const before = found().get(monthAt(november - 40 * dayMs)) ?? 0;
  expect(before).toBeGreaterThan(1000);

  await store.append(orders, 10);
  scan.noteSaved([
    {
      topic: 'orders',
      topicId: orders.topicId,
      firstSeen: null,
      isExpected: true,
      records: 100,
      rawBytes: before,
      firstMs: null,
      lastMs: null,
      missingOffsets: 0n,
      months: [],
      partitions: [{ partition: 0, from: 0n, to: end, gaps: [] }],
    },
  ]);
  await scan.look(signal);
  expect([...found().keys()]).toEqual([monthAt(november)]);
});

test('a cycle is noted from its beginning, phase by phase, to how it ended', () => {
  let nowMs = 1000;
  const notes = new CycleNotes({ nowMs: () => nowMs, after: () => ({ cancel: () => undefined }) });
  notes.hear({ type: 'cycle-began', trigger: 'schedule' });
  notes.hear({ type: 'cycle-phase', phase: 'seal' });
  nowMs = 6000;
  notes.hear({ type: 'cycle-phase', phase: 'publish' });
  expect(notes.newestFirst).toMatchObject([
    { outcome: 'running', phase: 'publish', phasesMs: { seal: 5000 } },
  ]);
  nowMs = 7000;
  notes.hear({ type: 'cycle-failed', code: 'no-space', message: 'the target is full', hint: 'make room' });
  expect(notes.newestFirst).toMatchObject([
    {
      outcome: 'failed',
      endedMs: 7000,
      phasesMs: { seal: 5000, publish: 1000 },
      problem: 'the target is full',
    },
  ]);
  notes.hear({ type: 'cycle-began', trigger: 'order' });
  expect(notes.newestFirst.map(({ outcome }) => outcome)).toEqual(['running', 'failed']);
});
