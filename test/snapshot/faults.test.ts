import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openManifest } from '../../src/repository/repository.ts';
import { SnapshotSource, type CycleReport } from '../../src/snapshot/snapshot.ts';
import { heard, tell } from '../../src/target/told.ts';
import { FaultyDisk, type DiskCall } from '../host/faulty-disk.ts';
import { dayMs, keyOf, november, Store } from './given.ts';

const keys = [keyOf('orders', 1), keyOf('payments')];

interface Prepared {
  readonly store: Store;
  readonly disk: FaultyDisk;
}

/**
 * A store in memory before a cycle that does everything: three new packs, carried ones, one snapshot to expire, one to
 * leave the trash. What earlier cycles reported as done has outlived a power cut.
 */
async function prepared(linkCode?: string): Promise<Prepared> {
  const disk = new FaultyDisk();
  disk.linkCode = linkCode;
  const store = await Store.make({ disk });
  store.settings = {
    ...store.settings,
    retain: { hourly: 0, daily: 2, weekly: 0, monthly: 0, minimum: 2, minAge: dayMs },
  };
  const to = (nowMs: number): void => {
    store.nowMs = nowMs;
    disk.nowMs = nowMs;
  };
  for (let day = 0; day < 3; day += 1) {
    to(november + day * dayMs);
    for (const key of keys) await store.append(key, 10);
    await store.cycle();
  }
  for (const month of [11, 12, 13]) {
    to(Date.UTC(2026, month, 1));
    for (const key of keys) await store.append(key, 10);
  }
  disk.powerCut();
  expect(await store.verify()).toMatchObject({ findings: [], snapshots: 2 });
  expect(await namesIn(disk, store.target, 'main', 'trash')).toHaveLength(1);
  return { store, disk };
}

async function filesBelow(disk: FaultyDisk, folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { name, kind } of (await disk.list(folder)) ?? []) {
    const path = join(folder, name);
    if (kind === 'folder') for (const [below, text] of await filesBelow(disk, path)) found.set(below, text);
    else if (name.endsWith('.log')) found.set(path, (await disk.readFile(path))?.toString('base64') ?? '');
  }
  return found;
}

async function offsets(batches: AsyncIterable<{ from: bigint; to: bigint }>): Promise<string[]> {
  const found: string[] = [];
  for await (const { from, to } of batches) found.push(`${from}..${to}`);
  return found;
}

const everything = ['0..10', '10..20', '20..30', '30..40', '40..50', '50..60'];

/** Every record that was ever appended. */
async function assertHolds(store: Store, id: string): Promise<void> {
  const { disk } = store.host;
  const repository = await store.open();
  const { manifest } = await openManifest(disk, repository, id);
  const source = new SnapshotSource(disk, repository, manifest);
  for (const key of keys) expect(await offsets(source.read(key))).toEqual(everything);
}

async function namesIn(disk: FaultyDisk, ...path: string[]): Promise<string[]> {
  return ((await disk.list(join(...path))) ?? []).map(({ name }) => name).toSorted();
}

/** Of the packs that snapshots share: what lies there, and what snapshots and the trash say. */
async function packsIn(disk: FaultyDisk, instance: string): Promise<string[]> {
  const packs = join(instance, 'packs');
  const months = await namesIn(disk, packs);
  const within = await Promise.all(
    months.map(async (month) => (await namesIn(disk, packs, month)).map((name) => `${month}/${name}`)),
  );
  return within.flat().toSorted();
}

async function packsNamed(disk: FaultyDisk, instance: string): Promise<string[]> {
  const named = new Set<string>();
  for (const folder of ['snapshots', 'trash']) {
    for (const name of await namesIn(disk, instance, folder)) {
      const sums = await disk.readFile(join(instance, folder, name, 'SHA256SUMS'));
      for (const [, path = ''] of (sums?.toString('utf8') ?? '').matchAll(/packs\/(\S+)$/gm)) named.add(path);
    }
  }
  return [...named].toSorted();
}

interface Before {
  readonly ids: readonly string[];
  readonly local: ReadonlyMap<string, string>;
}

async function lookedAt({ store, disk }: Prepared): Promise<Before> {
  const ids = await namesIn(disk, store.target, 'main', 'snapshots');
  return { ids, local: await filesBelow(disk, store.local) };
}

/** What has to be so after any trouble: all is whole, nothing of before is gone, and the next cycle succeeds. */
async function assertUnharmed({ store, disk }: Prepared, before: Before): Promise<void> {
  const instance = join(store.target, 'main');
  const ids = await namesIn(disk, instance, 'snapshots');
  const verified = await store.verify();
  expect(verified.findings).toEqual([]);
  const [newest, ...others] = ids.filter((id) => !before.ids.includes(id));
  expect(others).toEqual([]);
  const local = await filesBelow(disk, store.local);
  if (newest === undefined) expect({ ids, local }).toEqual(before);
  else await assertHolds(store, newest);
  for (const [path, text] of local) expect(before.local.get(path), path).toBe(text);

  store.nowMs += 3_600_000;
  disk.nowMs = store.nowMs;
  const report = await store.cycle();
  expect(report).toMatchObject({ finding: null, damaged: [] });
  expect(await store.verify()).toMatchObject({ findings: [] });
  await assertHolds(store, report.id);
  expect(await namesIn(disk, instance, 'snapshots')).toContain(report.id);
  for (const swept of ['staging', 'lock']) expect(await namesIn(disk, instance, swept), swept).toEqual([]);
  expect(await disk.readSymlink(join(instance, 'daily.0'))).toBe(`snapshots/${report.id}`);
  expect(await packsIn(disk, instance)).toEqual(await packsNamed(disk, instance));
  for (const folder of [store.target, join(store.target, 'keys'), instance, join(instance, 'marks')]) {
    const names = await namesIn(disk, folder);
    expect(names.filter((name) => name.startsWith('.'))).toEqual([]);
  }
}

interface Outcome {
  readonly call: string;
  readonly report: CycleReport | undefined;
  readonly error: unknown;
}

type Strike = (call: DiskCall, path: string, count: number) => string | undefined;

/** Runs a cycle in which calls fail: before they do anything, or having done it. */
async function cycleWith(
  { store, disk }: Prepared,
  o: { before?: Strike; after?: Strike },
): Promise<Outcome> {
  let struck = 'none';
  const watch = (strike: Strike | undefined): FaultyDisk['fault'] => {
    let count = 0;
    return (call, path) => {
      count += 1;
      const code = strike?.(call, path, count);
      if (code !== undefined && struck === 'none') struck = `${call} ${path} ${code}`;
      return code;
    };
  };
  disk.fault = watch(o.before);
  disk.faultAfter = watch(o.after);
  try {
    return { report: await store.cycle(), error: undefined, call: struck };
  } catch (error) {
    return { report: undefined, error, call: struck };
  } finally {
    disk.fault = () => undefined;
    disk.faultAfter = () => undefined;
  }
}

const codes = ['EIO', 'ENOSPC', 'EACCES', 'ESTALE'];
/** A target's modes are its own affair; what has gone stale is opened anew; what is left behind is swept later. */
const harmless =
  /^(setMode .*|(readFile|open|file\.(read|byteLength|close)) .* ESTALE|removeFile \S*\/\.[0-9a-f]{12}\.tmp \S+|removeFolder \S*\.placing \S+)$/;

/** Hundreds of cycles: on a machine that does much else besides, more than the usual time. */
const sweep = { timeout: 1_200_000 };

/** What a path is for, whatever its random and counted parts are. */
function shapeOf(call: DiskCall, path: string): string {
  return `${call} ${path.replaceAll(/[0-9A-Za-z_-]{22}|[0-9a-f]{12,}|\d+[^/]*/g, '*')}`;
}

/** Of all calls of one cycle, the first and the last of each kind on each kind of path. */
async function callsOf(from: Prepared): Promise<{ at: number; call: DiskCall }[]> {
  const disk = new FaultyDisk(from.disk);
  const found = new Map<string, { at: number; call: DiskCall }[]>();
  await cycleWith(
    { store: from.store.on(disk), disk },
    {
      before(call, path, at) {
        const shape = shapeOf(call, path);
        const [first] = found.get(shape) ?? [];
        found.set(shape, first === undefined ? [{ at, call }] : [first, { at, call }]);
        return undefined;
      },
    },
  );
  return [...found.values()].flat().toSorted((a, b) => a.at - b.at);
}

/** Tries what a test does on a copy of the store; whatever is wrong afterwards tells after which call. */
async function onCopy(
  from: Prepared,
  before: Before,
  run: (copy: Prepared) => Promise<Outcome>,
): Promise<Outcome> {
  const disk = new FaultyDisk(from.disk);
  const copy = { store: from.store.on(disk), disk };
  const outcome = await run(copy);
  try {
    if (outcome.error !== undefined) assertTold(outcome);
    await assertUnharmed(copy, before);
  } catch (error) {
    throw new Error(`after ${outcome.call}`, { cause: error });
  }
  return outcome;
}

/** In an operator's words: room that is missing is one thing, all else another. */
function assertTold({ call, error }: Outcome): void {
  const { code, message } = heard(tell(error), '/target');
  expect(message).not.toBe('');
  const fitting = call.endsWith('ENOSPC') ? ['no-space'] : ['target-unusable', 'config'];
  expect(fitting, message).toContain(code);
}

function failingAt(at: number, code: string): Strike {
  return (_call, _path, count) => (count === at ? code : undefined);
}

function failingFrom(at: number): Strike {
  return (_call, _path, count) => (count >= at ? 'EIO' : undefined);
}

/** The call of that kind with that number. */
function failingOnce(wanted: DiskCall, at: number): Strike {
  let count = 0;
  return (call) => {
    if (call === wanted) count += 1;
    return call === wanted && count === at ? 'EIO' : undefined;
  };
}

function isQuiet({ report }: Outcome): boolean {
  return report?.finding === null && report.warnings.length === 0;
}

/** A sequence that hangs on its seed alone. */
function coin(seed: number): () => boolean {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31 > 0.5;
  };
}

test(
  'whichever call of a cycle fails, it says so, all that was there is whole, and the next cycle succeeds',
  sweep,
  async () => {
    const from = await prepared();
    const before = await lookedAt(from);
    const calls = await callsOf(from);
    expect(calls.length).toBeGreaterThan(100);
    for (const { at } of calls) {
      const code = codes[at % codes.length] ?? 'EIO';
      const outcome = await onCopy(from, before, async (copy) =>
        cycleWith(copy, { before: failingAt(at, code) }),
      );
      expect(outcome.call).not.toBe('none');
      if (isQuiet(outcome)) expect(outcome.call).toMatch(harmless);
    }
  },
);

test.each(['link', 'rename', 'file.close'] as const)(
  'a %s that reports a failure after it has worked harms nothing',
  async (wanted) => {
    const from = await prepared();
    const before = await lookedAt(from);
    let isThere = true;
    let at = 0;
    while (isThere) {
      at += 1;
      const after = failingOnce(wanted, at);
      const outcome = await onCopy(from, before, async (copy) => cycleWith(copy, { after }));
      isThere = outcome.call !== 'none';
      if (isThere && isQuiet(outcome)) expect(outcome.call).toMatch(/^(link|rename) /);
    }
    expect(at).toBeGreaterThan(5);
  },
);

test(
  'wherever the power goes in a cycle, whatever was not synced is forgotten and nothing else',
  sweep,
  async () => {
    const from = await prepared();
    const before = await lookedAt(from);
    for (const { at } of (await callsOf(from)).filter((_call, index) => index % 4 === 0)) {
      await onCopy(from, before, async (copy) => {
        const outcome = await cycleWith(copy, { before: failingFrom(at) });
        const survives = coin(at);
        copy.disk.powerCut(() => at % 3 !== 0 && survives());
        return outcome;
      });
    }
  },
);

test(
  'the same holds where snapshots share their packs, whichever call fails and wherever the power goes',
  sweep,
  async () => {
    const from = await prepared('EPERM');
    const before = await lookedAt(from);
    for (const { at } of (await callsOf(from)).filter((_call, index) => index % 8 === 0)) {
      const code = codes[at % codes.length] ?? 'EIO';
      const outcome = await onCopy(from, before, async (copy) =>
        cycleWith(copy, { before: failingAt(at, code) }),
      );
      if (isQuiet(outcome)) expect(outcome.call).toMatch(harmless);
      if (at % 2 === 0) continue;
      await onCopy(from, before, async (copy) => {
        const cut = await cycleWith(copy, { before: failingFrom(at) });
        const survives = coin(at);
        copy.disk.powerCut(() => at % 3 !== 0 && survives());
        return cut;
      });
    }
  },
);

test('a cycle that has reported success outlives a power cut', async () => {
  const { store, disk } = await prepared();
  const { id } = await store.cycle();
  disk.powerCut();
  expect((await store.verify()).findings).toEqual([]);
  await assertHolds(store, id);
  expect(await store.cycle()).toMatchObject({ finding: null, segments: 0 });
});
