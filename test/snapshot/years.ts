/** Years of cycles in a moment: a disk in memory, a clock that is set, and every call to the disk counted. */
import {
  listSnapshots,
  openManifest,
  readMarks,
  asHead,
  type OpenedHead,
} from '../../src/repository/repository.ts';
import { Checks } from '../../src/snapshot/snapshot.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';
import { dayMs, keyOf, november, Store } from './given.ts';

export interface Year {
  /** Of the cycle of the year that made the most of them. */
  readonly targetCalls: number;
  readonly localCalls: number;
  readonly bytesWritten: number;
  /** At the end of the year. */
  readonly links: number;
  readonly packs: number;
  readonly snapshots: number;
  readonly marks: number;
  readonly trash: number;
  readonly localFolders: number;
  readonly manifestBytes: number;
  /** How long ago that was read which was not read for the longest time. */
  readonly daysUnread: number;
}

export interface YearsOptions {
  readonly years: number;
  readonly stepDays: number;
  readonly settings?: Partial<Store['settings']>;
  readonly onCycle?: (store: Store, cycle: number) => Promise<void>;
}

interface Counted {
  targetCalls: number;
  localCalls: number;
  bytesWritten: number;
}

/** What each year came to, the first first. */
export async function yearsOf(o: YearsOptions): Promise<Year[]> {
  const disk = new CountingDisk();
  await using store = await Store.make({ disk });
  store.settings = { ...store.settings, ...o.settings };
  const years: Year[] = [];
  const perYear = Math.floor(365 / o.stepDays);
  for (let year = 0; year < o.years; year += 1) {
    const most: Counted = { targetCalls: 0, localCalls: 0, bytesWritten: 0 };
    for (let cycle = 0; cycle < perYear; cycle += 1) {
      const number = year * perYear + cycle;
      store.nowMs = november + number * o.stepDays * dayMs;
      disk.nowMs = store.nowMs;
      for (const topic of ['orders', 'payments']) await store.append(keyOf(topic), 10, { valueBytes: 20 });
      disk.counted = { targetCalls: 0, localCalls: 0, bytesWritten: 0 };
      await store.cycle();
      for (const name of ['targetCalls', 'localCalls', 'bytesWritten'] as const)
        most[name] = Math.max(most[name], disk.counted[name]);
      await o.onCycle?.(store, number);
    }
    years.push({ ...most, ...(await standing(store, disk)) });
  }
  return years;
}

/** What the last year has more of than that one, by a tenth and a little. */
export function grownSince(years: readonly Year[], { from }: { from: number }): string[] {
  const [earlier, last] = [years[from], years.at(-1)];
  if (earlier === undefined || last === undefined) throw new Error('expected more years');
  return Object.entries(last).flatMap(([name, most]) => {
    const before = Number(Reflect.get(earlier, name));
    return most <= before * 1.1 + 2 ? [] : `${name}: ${before}, then ${most}`;
  });
}

async function standing(store: Store, disk: FaultyDisk): Promise<Omit<Year, keyof Counted>> {
  const repository = await store.open();
  const { ids } = await listSnapshots(disk, store.place);
  const opened: OpenedHead[] = [];
  let links = 0;
  let packs = 0;
  for (const id of ids) {
    const found = await openManifest(disk, repository, id, {});
    opened.push(asHead(found));
    packs = found.manifest.packs.length;
    links += packs;
  }
  const namesIn = async (folder: string): Promise<number> => (await disk.list(folder))?.length ?? 0;
  const newest = `${store.target}/main/snapshots/${ids.at(-1)}/manifest`;
  const checks = new Checks(opened, await readMarks(store.host, repository));
  const readMs = opened.map(({ manifest }) => checks.verifiedMs(manifest));
  return {
    links,
    packs,
    snapshots: ids.length,
    marks: await namesIn(`${store.target}/main/marks`),
    trash: await namesIn(`${store.target}/main/trash`),
    localFolders: await foldersBelow(disk, store.local),
    manifestBytes: (await disk.stat(newest))?.byteLength ?? 0,
    daysUnread: (store.nowMs - Math.min(...readMs)) / dayMs,
  };
}

async function foldersBelow(disk: FaultyDisk, folder: string): Promise<number> {
  let count = 1;
  for (const { name, kind } of (await disk.list(folder)) ?? [])
    if (kind === 'folder') count += await foldersBelow(disk, `${folder}/${name}`);
  return count;
}

/** Counts what is asked of it, apart for the target and the local folder. */
class CountingDisk extends FaultyDisk {
  counted: Counted = { targetCalls: 0, localCalls: 0, bytesWritten: 0 };

  constructor() {
    super();
    this.fault = (_call, path) => {
      if (path.startsWith('/store/target/')) this.counted.targetCalls += 1;
      else this.counted.localCalls += 1;
      return undefined;
    };
  }

  override async open(...[path, mode]: Parameters<FaultyDisk['open']>): ReturnType<FaultyDisk['open']> {
    const file = await super.open(path, mode);
    if (mode === 'read' || mode === 'direct') return file;
    const write: typeof file.write = async (buffers, position) => {
      for (const { length } of buffers) this.counted.bytesWritten += length;
      await file.write(buffers, position);
    };
    return { ...file, write };
  }
}
