/** Which packs of the last snapshot go on into the next. */
import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import {
  readIndex,
  snapshotFolder,
  type IndexedSegment,
  type OpenedManifest,
  type Pack,
  type Repository,
} from '../repository/repository.ts';
import {
  keptUntil,
  monthAt,
  parseMonth,
  planArchive,
  type Hold,
  type KeptPack,
  type Month,
} from '../schedule/schedule.ts';
import type { KeptUntil } from './kept-until.ts';
import type { SnapshotSettings } from './request.ts';

export interface Carried {
  readonly packs: readonly Pack[];
  /** Those that policy lets go of now, and why. */
  readonly gone: readonly { readonly pack: Pack; readonly reason: string }[];
  /** What they held. */
  readonly expired: readonly IndexedSegment[];
  /** Of those that stay, as far as anybody looked. */
  readonly keptUntil: KeptUntil;
}

export function keepsForever({ keep, topics }: SnapshotSettings['archive']): boolean {
  return [keep, ...Object.values(topics).map((rule) => rule.keep)].every((rule) => rule === 'forever');
}

/**
 * Only packs that could be past their keep are opened to see whose they are. One that does not open stays: its damage is
 * told by whoever links it or reads it again.
 */
export async function carryPacks(
  base: OpenedManifest | undefined,
  archive: SnapshotSettings['archive'],
  o: {
    host: Host;
    repository: Repository;
    nowMs: number;
    targetNowMs: number;
    holds: readonly Hold[];
    /** What an earlier cycle has seen. */
    known?: KeptUntil;
  },
): Promise<Carried> {
  const known = o.known ?? new Map<string, Month | null>();
  if (base === undefined) return { packs: [], gone: [], expired: [], keptUntil: known };
  const { packs, id } = base.manifest;
  const snapshot = snapshotFolder(o.repository.place, id);
  const keeps = [archive.keep, ...Object.values(archive.topics).map(({ keep }) => keep)];
  const months = keeps.flatMap((keep) => (keep === 'forever' ? [] : keep.months));
  if (months.length === 0 || o.holds.length > 0) return { packs, gone: [], expired: [], keptUntil: known };
  const now = monthAt(Math.min(o.nowMs, o.targetNowMs));
  const isOld = (pack: Pack): boolean => now - monthOf(pack) > Math.min(...months);
  const staying = new Map<string, Month | null>();
  const segments = new Map<string, readonly IndexedSegment[]>();
  const kept: KeptPack[] = [];
  for (const pack of packs.filter(isOld)) {
    const until = known.get(pack.sha256);
    if (until === null || (until !== undefined && now <= until)) {
      staying.set(pack.sha256, until);
      continue;
    }
    const held = await segmentsIn(pack, { ...o, snapshot });
    if (held === undefined) continue;
    segments.set(pack.path, held);
    const whose = { month: monthOf(pack), topics: [...new Set(held.map(({ topic }) => topic))] };
    kept.push({ path: pack.path, ...whose });
    staying.set(pack.sha256, keptUntil(whose, archive));
  }
  const plan = planArchive(kept, archive, o);
  const reasons = new Map(plan.expire.map(({ path, reason }) => [path, reason]));
  return {
    packs: packs.filter(({ path }) => !reasons.has(path)),
    gone: packs.flatMap((pack) => {
      const reason = reasons.get(pack.path);
      return reason === undefined ? [] : { pack, reason };
    }),
    expired: [...reasons.keys()].flatMap((path) => segments.get(path) ?? []),
    keptUntil: staying,
  };
}

async function segmentsIn(
  pack: Pack,
  o: { host: Host; repository: Repository; snapshot: string },
): Promise<readonly IndexedSegment[] | undefined> {
  try {
    return (await readIndex(o.host.disk, o.repository, { snapshot: o.snapshot, pack })).segments;
  } catch (error) {
    if (error instanceof VarveError && error.code === 'damage') return undefined;
    throw error;
  }
}

function monthOf({ path }: Pick<Pack, 'path'>): Month {
  return parseMonth(path.slice(0, 7)) ?? 0;
}
