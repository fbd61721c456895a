/** Reading again what was read the longest time ago. */
import { join } from 'node:path';
import type { Host } from '../host/host.ts';
import {
  lengthProblem,
  packName,
  readPastCache,
  snapshotFolder,
  type OpenedHead,
  type Pack,
  type RepositoryPlace,
} from '../repository/repository.ts';

/** Of the bytes of all packs, so much is read again in each cycle. */
const leastShare = 1 / 30;
/** Everything is read within this part of the time after which it would no longer count as verified. */
const partOfMaxAge = 6 / 7;

export interface Dose {
  /** Of the bytes. */
  readonly share: number;
  /** What was read before then would no longer count as verified at the next cycle. */
  readonly latestMs: number;
}

/** A thirtieth, and more where cycles are further apart than a day. Pure. */
export function doseOf(o: { sinceMs: number | undefined; nowMs: number; maxAgeMs: number }): Dose {
  const elapsedMs = Math.max(0, o.nowMs - (o.sinceMs ?? o.nowMs));
  const share = Math.max(leastShare, elapsedMs / (o.maxAgeMs * partOfMaxAge));
  return { share, latestMs: o.nowMs + elapsedMs - o.maxAgeMs };
}

export interface CheckedPacks {
  readonly checked: readonly Pack[];
  readonly damaged: readonly { readonly pack: Pack; readonly problem: string }[];
}

/** Reads again what was not read for the longest time, of the packs of all snapshots: in thirty daily cycles everything. */
export async function recheckPacks(
  /** The newest last. */
  opened: readonly OpenedHead[],
  o: {
    host: Host;
    place: RepositoryPlace;
    signal: AbortSignal;
    checkedMs: (pack: Pack) => number;
    dose: Dose;
  },
): Promise<CheckedPacks> {
  const packs = new Map<string, { pack: Pack; snapshot: string }>();
  for (const { manifest } of opened) {
    const snapshot = snapshotFolder(o.place, manifest.id);
    for (const pack of manifest.packs) packs.set(pack.sha256, { pack, snapshot });
  }
  const all = [...packs.values()].toSorted((a, b) => o.checkedMs(a.pack) - o.checkedMs(b.pack));
  const total = all.reduce((sum, { pack }) => sum + pack.bytes, 0);
  const checked: Pack[] = [];
  const damaged: { pack: Pack; problem: string }[] = [];
  let readBytes = 0;
  for (const { pack, snapshot } of all) {
    if (readBytes >= total * o.dose.share && o.checkedMs(pack) >= o.dose.latestMs) break;
    o.signal.throwIfAborted();
    readBytes += pack.bytes;
    const problem = await problemWith(pack, { host: o.host, snapshot });
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
  const path = join(snapshot, packName(pack));
  const problem = await lengthProblem(host.disk, path, pack.bytes);
  if (problem !== undefined) return problem;
  const { sha256 } = await readPastCache(host.disk, path, () => undefined);
  return sha256 === pack.sha256 ? undefined : `expected SHA-256 ${pack.sha256}, got ${sha256}`;
}
