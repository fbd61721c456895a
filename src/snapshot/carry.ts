/** Which packs of the last snapshot go on into the next, and reading a part of them again. */
import { join } from 'node:path';
import type { Host } from '../host/host.ts';
import {
  readIndex,
  readPastCache,
  snapshotFolder,
  type IndexedSegment,
  type OpenedManifest,
  type Pack,
  type Repository,
} from '../repository/repository.ts';
import { monthAt, parseMonth, planArchive, type Hold, type Month } from '../schedule/schedule.ts';
import type { SnapshotSettings } from './request.ts';

export interface Carried {
  readonly packs: readonly Pack[];
  /** What the packs held that policy lets go of now. */
  readonly expired: readonly IndexedSegment[];
}

/** Only packs that could be past their keep are opened to see whose they are. */
export async function carryPacks(
  base: OpenedManifest | undefined,
  archive: SnapshotSettings['archive'],
  o: { host: Host; repository: Repository; nowMs: number; targetNowMs: number; holds: readonly Hold[] },
): Promise<Carried> {
  if (base === undefined) return { packs: [], expired: [] };
  const { packs, id } = base.manifest;
  const snapshot = snapshotFolder(o.repository.place, id);
  const keeps = [archive.keep, ...Object.values(archive.topics).map(({ keep }) => keep)];
  const months = keeps.flatMap((keep) => (keep === 'forever' ? [] : keep.months));
  if (months.length === 0 || o.holds.length > 0) return { packs, expired: [] };
  const now = monthAt(Math.min(o.nowMs, o.targetNowMs));
  const isOld = (pack: Pack): boolean => now - monthOf(pack) > Math.min(...months);
  const segments = new Map<string, readonly IndexedSegment[]>();
  for (const pack of packs.filter(isOld)) {
    segments.set(pack.path, (await readIndex(o.host.disk, o.repository, { snapshot, pack })).segments);
  }
  const kept = [...segments].map(([path, held]) => ({
    path,
    month: monthOf({ path }),
    topics: [...new Set(held.map(({ topic }) => topic))],
  }));
  const plan = planArchive(kept, archive, o);
  const gone = new Set(plan.expire.map(({ path }) => path));
  return {
    packs: packs.filter(({ path }) => !gone.has(path)),
    expired: [...gone].flatMap((path) => segments.get(path) ?? []),
  };
}

function monthOf({ path }: Pick<Pack, 'path'>): Month {
  return parseMonth(path.slice(0, 7)) ?? 0;
}

/** Of the bytes of all packs, so much is read again in each cycle. */
const checkedShare = 30;

export interface CheckedPacks {
  readonly checked: readonly Pack[];
  readonly damaged: readonly { readonly pack: Pack; readonly problem: string }[];
}

/** Reads again what was not read for the longest time: in thirty cycles everything. */
export async function recheckPacks(
  packs: readonly Pack[],
  o: { host: Host; snapshot: string; signal: AbortSignal; checkedMs: (pack: Pack) => number },
): Promise<CheckedPacks> {
  const total = packs.reduce((sum, { bytes }) => sum + bytes, 0);
  const checked: Pack[] = [];
  const damaged: { pack: Pack; problem: string }[] = [];
  let readBytes = 0;
  for (const pack of packs.toSorted((a, b) => o.checkedMs(a) - o.checkedMs(b))) {
    if (readBytes * checkedShare >= total) break;
    o.signal.throwIfAborted();
    readBytes += pack.bytes;
    const problem = await problemWith(pack, o);
    if (problem === undefined) checked.push(pack);
    else damaged.push({ pack, problem });
  }
  return { checked, damaged };
}

/** Undefined where all bytes are the right ones. */
export async function problemWith(
  pack: Pack,
  { host, snapshot }: { host: Host; snapshot: string },
): Promise<string | undefined> {
  const path = join(snapshot, pack.path);
  const stat = await host.disk.stat(path);
  if (stat === undefined) return 'it is missing';
  if (stat.kind !== 'file') return 'it is no file';
  if (stat.byteLength !== pack.bytes) return `expected ${pack.bytes} bytes, got ${stat.byteLength}`;
  const { sha256 } = await readPastCache(host.disk, path, () => undefined);
  return sha256 === pack.sha256 ? undefined : `expected SHA-256 ${pack.sha256}, got ${sha256}`;
}
