import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  openManifest,
  readMarks,
  readMemory,
  snapshotFolder,
  writeMark,
} from '../../src/repository/repository.ts';
import { SnapshotSource, type CycleReport } from '../../src/snapshot/snapshot.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';
import { dayMs, keyOf, november, Store } from './given.ts';

const minuteMs = 60_000;
const orders = keyOf('orders');

/** A store whose cycles keep three days, and the clocks of the daemon and of the target. */
class Timed {
  readonly disk: FaultyDisk;
  readonly store: Store;
  /** The offset behind the last record. */
  end = 0n;

  private constructor(disk: FaultyDisk, store: Store) {
    this.disk = disk;
    this.store = store;
    store.settings = {
      ...store.settings,
      retain: { hourly: 0, daily: 3, weekly: 0, monthly: 0, minimum: 2, minAge: dayMs },
    };
  }

  static async at(nowMs: number): Promise<Timed> {
    const disk = new FaultyDisk();
    const timed = new Timed(disk, await Store.make({ disk }));
    timed.set({ here: nowMs - timed.store.nowMs, there: nowMs - disk.nowMs });
    return timed;
  }

  set({ here = 0, there = 0 }: { here?: number; there?: number }): void {
    this.store.nowMs += here;
    this.disk.nowMs += there;
  }

  async days(count: number): Promise<CycleReport[]> {
    const reports: CycleReport[] = [];
    for (let day = 0; day < count; day += 1) {
      this.set({ here: dayMs, there: dayMs });
      reports.push(await this.cycle());
    }
    return reports;
  }

  /** With ten new records, all of which the snapshot then holds, as it does those before. */
  async cycle(o: Parameters<Store['cycle']>[0] = {}): Promise<CycleReport> {
    this.end = await this.store.append(orders, 10);
    const report = await this.store.cycle(o);
    const repository = await this.store.open();
    const { manifest } = await openManifest(this.disk, repository, report.id);
    let next = 0n;
    for await (const { from, to } of new SnapshotSource(this.disk, repository, manifest).read(orders)) {
      expect(from).toBe(next);
      next = to;
    }
    expect(next).toBe(this.end);
    return report;
  }

  async ids(): Promise<string[]> {
    const names = (await this.disk.list(join(this.store.target, 'main', 'snapshots'))) ?? [];
    return names.map(({ name }) => name).toSorted();
  }
}

test.for([
  { step: 'back by a minute', byMs: -minuteMs, finding: null },
  { step: 'back by a day', byMs: -dayMs, finding: 'clock-back' },
  { step: 'back by a year', byMs: -365 * dayMs, finding: 'clock-back' },
  { step: 'forward by a day', byMs: dayMs, finding: null },
  { step: 'forward by a year', byMs: 365 * dayMs, finding: null },
])(
  'with both clocks set $step, a cycle publishes and lets go of no day that is to be kept',
  async ({ byMs, finding }) => {
    const timed = await Timed.at(november);
    const before = (await timed.days(6)).map(({ id }) => id);
    const kept = await timed.ids();
    timed.set({ here: byMs, there: byMs });

    const report = await timed.cycle();
    expect(report.finding).toBe(finding);
    // The day that the new one comes before, and no other.
    const there = await timed.ids();
    expect(there.slice(-3)).toEqual([...before.slice(-2), report.id]);
    if (finding === 'clock-back') expect(there).toEqual([...kept, report.id]);
    expect((await timed.store.verify()).findings).toEqual([]);
  },
);

test.for([
  { step: 'back by a day', byMs: -dayMs },
  { step: 'back by a year', byMs: -365 * dayMs },
])('with both clocks set $step and right again, cycles let go of what they would have', async ({ byMs }) => {
  const timed = await Timed.at(november);
  await timed.days(6);
  timed.set({ here: byMs, there: byMs });
  await timed.cycle();
  timed.set({ here: -byMs, there: -byMs });
  const reports = await timed.days(4);

  expect(reports.at(-1)).toMatchObject({ finding: null, held: [] });
  expect((await timed.ids()).length).toBeLessThanOrEqual(4);
});

test.for([
  { clock: 'here', byMs: -dayMs },
  { clock: 'here', byMs: dayMs },
  { clock: 'there', byMs: -365 * dayMs },
  { clock: 'there', byMs: 365 * dayMs },
])(
  'with the clock set $clock alone by $byMs ms, a cycle publishes and nothing expires',
  async ({ clock, byMs }) => {
    const timed = await Timed.at(november);
    await timed.days(6);
    const kept = await timed.ids();
    timed.set({ [clock]: byMs });

    const report = await timed.cycle();
    expect(report).toMatchObject({ expired: [] });
    expect(report.held.length).toBeGreaterThan(0);
    expect(await timed.ids()).toEqual([...kept, report.id]);
  },
);

test('a cycle over the end of a month, and days around a leap day, are days like any other', async () => {
  const timed = await Timed.at(Date.UTC(2028, 1, 25, 23, 59, 59));
  await timed.days(3);
  timed.set({ here: dayMs, there: dayMs });
  const overEnd = await timed.cycle({ onStep: () => timed.set({ here: 200, there: 200 }) });
  expect(overEnd.finding).toBeNull();
  expect(timed.store.nowMs).toBeGreaterThan(Date.UTC(2028, 2, 1));
  const reports = await timed.days(2);

  const days = (await timed.ids()).map((id) => id.slice(0, 8));
  expect(days).toEqual(['20280229', '20280302', '20280303']);
  expect(await timed.disk.readSymlink(join(timed.store.target, 'main', 'daily.0'))).toBe(
    `snapshots/${reports.at(-1)?.id}`,
  );
  expect((await timed.store.verify()).findings).toEqual([]);
});

const nothing = { rollback: false, cluster: false, shrink: false, clock: false };
const yearMs = 365 * dayMs;

test('after a cycle with the clock a year ahead nothing expires, until somebody says that it is right now; that snapshot stays for the year', async () => {
  const timed = await Timed.at(november);
  await timed.days(3);
  timed.set({ here: yearMs, there: yearMs });
  const { id: ahead } = await timed.cycle();
  timed.set({ here: -yearMs, there: -yearMs });
  const held = await timed.days(5);
  expect(held.map(({ finding, expired }) => ({ finding, expired }))).toEqual(
    held.map(() => ({ finding: 'clock-back', expired: [] })),
  );

  timed.set({ here: dayMs, there: dayMs });
  const accepted = await timed.cycle({ accept: { ...nothing, clock: true } });
  expect(accepted).toMatchObject({ finding: null, held: [] });
  expect(accepted.expired).toHaveLength(5); // one of the first went while the clock was ahead
  expect(accepted.warnings).toEqual([expect.stringContaining(`${ahead} is dated in the future`)]);
  const [, before, last] = await timed.days(3);
  expect(last).toMatchObject({ finding: null, held: [], warnings: [] });
  expect((await timed.ids()).slice(-2)).toEqual([before?.id, last?.id]);
  expect(await timed.ids()).toContain(ahead);
  const newest = join(timed.store.target, 'main', 'daily.0');
  expect(await timed.disk.readSymlink(newest)).toBe(`snapshots/${last?.id}`);
  expect((await timed.store.verify()).findings).toEqual([]);

  timed.set({ here: yearMs, there: yearMs });
  await timed.days(4);
  expect(await timed.ids()).not.toContain(ahead);
});

test('that the clock is right, said while it is a year behind, lets go of no day that is to be kept', async () => {
  const timed = await Timed.at(november);
  const before = (await timed.days(6)).map(({ id }) => id);
  const kept = await timed.ids();
  timed.set({ here: -yearMs, there: -yearMs });
  const wrong = await timed.cycle({ accept: { ...nothing, clock: true } });
  expect(await timed.ids()).toEqual([...kept, wrong.id]);

  timed.set({ here: yearMs, there: yearMs });
  const [right] = await timed.days(1);
  const there = await timed.ids();
  expect(there).toEqual(expect.arrayContaining([...before.slice(-2), right?.id]));
  expect((await timed.store.verify()).findings).toEqual([]);
});

test('a snapshot behind which the clock was set back by two minutes is the newest, where only the newest is kept', async () => {
  const timed = await Timed.at(november);
  const { settings } = timed.store;
  const retain = { hourly: 0, daily: 1, weekly: 0, monthly: 0, minimum: 1, minAge: 0 };
  timed.store.settings = { ...settings, retain };
  await timed.cycle();
  timed.set({ here: -2 * minuteMs, there: -2 * minuteMs });
  const second = await timed.cycle();
  expect(second.finding).toBeNull();
  expect(await timed.ids()).toContain(second.id);
  timed.set({ here: 4 * minuteMs, there: 4 * minuteMs });
  const third = await timed.cycle();
  expect(await timed.ids()).toEqual([third.id]);
});

test('with the clock a year ahead archive.keep lets go of no data, in no cycle, until somebody says that it is right', async () => {
  const timed = await Timed.at(november);
  timed.store.settings = { ...timed.store.settings, archive: { keep: { months: 2 }, topics: {} } };
  const packs = async ({ id }: CycleReport): Promise<number> =>
    (await openManifest(timed.disk, await timed.store.open(), id)).manifest.packs.length;
  await timed.days(3);
  timed.set({ here: yearMs, there: yearMs });
  const ahead = [await timed.cycle(), ...(await timed.days(2))];
  for (const report of ahead)
    expect(report.warnings).toEqual([expect.stringMatching(/365|36\d days ahead.*--accept-clock/)]);
  expect(await Promise.all(ahead.map(packs))).toEqual([4, 5, 6]);
  const noted = async (): Promise<unknown> =>
    (await readMemory(timed.store.host, timed.store.local))?.lastSuccess?.held;
  expect(await noted()).toMatchObject([{ kind: 'clock-ahead' }]);

  const right = await timed.store.cycle({ accept: { ...nothing, clock: true } });
  expect(right.warnings).toEqual([]);
  expect(await noted()).toEqual([]);
  expect(await packs(right)).toBe(3); // those of the year that was, in their own month
});

test('what was read while the clock was a year ahead counts as unread: damage since then is found, and stays found', async () => {
  const timed = await Timed.at(november);
  await timed.days(3);
  timed.set({ here: yearMs, there: yearMs });
  const ahead = await timed.cycle();
  timed.set({ here: -yearMs, there: -yearMs });
  const fresh = `${timed.store.target}/main/snapshots/${ahead.id}/2027-11`;
  const [pack] = (await timed.disk.list(fresh)) ?? [];
  const file = await timed.disk.open(`${fresh}/${pack?.name}`, 'update');
  const whole = Buffer.alloc(16);
  await file.read(whole, 700);
  await file.write([Buffer.from('x')], 700);

  const accept = { ...nothing, clock: true };
  const findings = async (o: object = {}): Promise<CycleReport['finding']> =>
    (await timed.store.cycle(o)).finding;
  expect(await findings({ accept })).toBe('damage');
  timed.set({ here: dayMs, there: dayMs });
  expect(await findings()).toBe('damage');
  await file.write([whole], 700);
  timed.set({ here: dayMs, there: dayMs });
  await findings();
  timed.set({ here: dayMs, there: dayMs });
  expect(await findings()).toBeNull();
});

test('damage stays marked where it was said, while the clock was a day behind, that it is right', async () => {
  const timed = await Timed.at(november);
  const { store } = timed;
  await timed.days(6);
  const newest = await timed.cycle();
  const repository = await store.open();
  const { manifest } = await openManifest(timed.disk, repository, newest.id);
  const packs = manifest.packs.slice(-1);
  const path = `${snapshotFolder(store.place, newest.id)}/${packs[0]?.path}`;
  const file = await timed.disk.open(path, 'update');
  await file.write([Buffer.from('x')], 700);
  const hourMs = dayMs / 24;
  timed.set({ here: hourMs, there: hourMs });
  await writeMark(store.host, repository, { snapshot: newest.id, type: 'damaged', atMs: store.nowMs, packs });

  const accept = { ...nothing, clock: true };
  timed.set({ here: -dayMs, there: -dayMs });
  for (const word of ['once', 'twice'])
    expect((await store.cycle({ accept })).finding, `said ${word}`).toBe('damage');
  timed.set({ here: dayMs, there: dayMs });
  expect(await store.cycle()).toMatchObject({ finding: 'damage', expired: [] });
  expect((await readMarks(store.host, repository)).damaged.length).toBe(1);
});

test('while the clocks disagree no local segment goes by its age, and again once they agree', async () => {
  const timed = await Timed.at(november);
  await timed.days(3);
  timed.set({ here: 40 * dayMs });
  expect(await timed.cycle()).toMatchObject({ freedSegments: 0, held: [{ kind: 'clocks-disagree' }] });
  timed.set({ there: 40 * dayMs });
  expect((await timed.cycle()).freedSegments).toBeGreaterThan(0);
});
