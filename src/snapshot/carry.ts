/** Which packs of the last snapshot go on into the next. */
import type { Host } from '../host/host.ts';
import {
  readIndex,
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
  /** Those that policy lets go of now, and why. */
  readonly gone: readonly { readonly pack: Pack; readonly reason: string }[];
  /** What they held. */
  readonly expired: readonly IndexedSegment[];
}

/** Only packs that could be past their keep are opened to see whose they are. */
export async function carryPacks(
  base: OpenedManifest | undefined,
  archive: SnapshotSettings['archive'],
  o: { host: Host; repository: Repository; nowMs: number; targetNowMs: number; holds: readonly Hold[] },
): Promise<Carried> {
  if (base === undefined) return { packs: [], gone: [], expired: [] };
  const { packs, id } = base.manifest;
  const snapshot = snapshotFolder(o.repository.place, id);
  const keeps = [archive.keep, ...Object.values(archive.topics).map(({ keep }) => keep)];
  const months = keeps.flatMap((keep) => (keep === 'forever' ? [] : keep.months));
  if (months.length === 0 || o.holds.length > 0) return { packs, gone: [], expired: [] };
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
  const reasons = new Map(plan.expire.map(({ path, reason }) => [path, reason]));
  return {
    packs: packs.filter(({ path }) => !reasons.has(path)),
    gone: packs.flatMap((pack) => {
      const reason = reasons.get(pack.path);
      return reason === undefined ? [] : { pack, reason };
    }),
    expired: [...reasons.keys()].flatMap((path) => segments.get(path) ?? []),
  };
}

function monthOf({ path }: Pick<Pack, 'path'>): Month {
  return parseMonth(path.slice(0, 7)) ?? 0;
}
