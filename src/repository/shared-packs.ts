/** The packs that snapshots share, on a target without hard links, and letting go of those that no snapshot has. */
import { join } from 'node:path';
import type { Host } from '../host/host.ts';
import {
  packsFolder,
  parseTrashName,
  sharedPrefix,
  stagingRoot,
  trashFolder,
  type RepositoryPlace,
} from './layout.ts';
import { listSnapshots } from './catalog.ts';
import { packPathPattern } from './manifest-shape.ts';
import { ignoring, readWhole, syncFolder } from './steps.ts';
import { sweepOld } from './upkeep.ts';

/** Every pack in the folder, by the path that its manifests call it, and whatever else lies there. */
export async function listSharedPacks(
  { disk }: Pick<Host, 'disk'>,
  place: RepositoryPlace,
): Promise<{ readonly packs: readonly string[]; readonly foreign: readonly string[] }> {
  const packs: string[] = [];
  const foreign: string[] = [];
  for (const month of (await disk.list(packsFolder(place))) ?? []) {
    const isMonth = month.kind === 'folder' && /^\d{4}-\d\d$/.test(month.name);
    const within = isMonth ? ((await disk.list(join(packsFolder(place), month.name))) ?? []) : [];
    if (!isMonth && !isOnTheWay(month.name)) foreign.push(month.name);
    for (const { name, kind } of within) {
      const path = `${month.name}/${name}`;
      if (kind === 'file' && packPathPattern.test(path)) packs.push(path);
      else if (!isOnTheWay(name)) foreign.push(path);
    }
  }
  return { packs, foreign };
}

const leftOver = /^\.[0-9a-f]{12}\.(now|tmp)$/;

function isOnTheWay(name: string): boolean {
  return leftOver.test(name) || name.startsWith('.nfs');
}

/**
 * Removes the packs that none of these manifests has, nor any snapshot that is still in the trash; needs the lock, and
 * tells what it has removed. Nothing goes while there is anything that could have one and does not tell: a snapshot
 * that is not among these, a trashed one without its sums, something staged.
 */
export async function sweepPacks(
  host: Host,
  place: RepositoryPlace,
  o: {
    readonly manifests: readonly {
      readonly id: string;
      readonly packs: readonly { readonly path: string; readonly shared?: true | undefined }[];
    }[];
    readonly assertLocked: () => Promise<void>;
  },
): Promise<readonly string[]> {
  const { packs } = await listSharedPacks(host, place);
  if (packs.length === 0) return [];
  const inTrash = await namedInTrash(host, place);
  if (inTrash === undefined || !(await isAllKnown(host, place, o.manifests))) return [];
  const named = new Set(o.manifests.flatMap((manifest) => manifest.packs.map(({ path }) => path)));
  const gone: string[] = [];
  for (const path of packs.filter((pack) => !named.has(pack) && !inTrash.has(pack))) {
    await o.assertLocked();
    await ignoring(['ENOENT'], async () => host.disk.removeFile(join(packsFolder(place), path)));
    gone.push(path);
  }
  await tidyMonths(host, place);
  return gone;
}

/** Every snapshot that is there is among these, and nothing is being staged. */
async function isAllKnown(
  { disk }: Host,
  place: RepositoryPlace,
  manifests: readonly { readonly id: string }[],
): Promise<boolean> {
  const known = new Set(manifests.map(({ id }) => id));
  const { ids, foreign } = await listSnapshots(disk, place);
  const staged = ((await disk.list(stagingRoot(place))) ?? []).filter(({ kind }) => kind === 'folder');
  return ids.every((id) => known.has(id)) && foreign.length === 0 && staged.length === 0;
}

/** By the sums, which need no key; undefined where any of them does not tell. */
async function namedInTrash({ disk }: Host, place: RepositoryPlace): Promise<Set<string> | undefined> {
  const named = new Set<string>();
  for (const { name, kind } of (await disk.list(trashFolder(place))) ?? []) {
    if (name.startsWith('.nfs')) continue;
    if (kind !== 'folder' || parseTrashName(name) === undefined) return undefined;
    const path = join(trashFolder(place), name, 'SHA256SUMS');
    if ((await disk.stat(path))?.kind !== 'file') return undefined;
    const lines = (await readWhole(disk, path)).toString('utf8').split('\n');
    if (!lines.some((line) => line.endsWith('  manifest'))) return undefined;
    for (const line of lines) {
      const at = line.indexOf(sharedPrefix);
      if (at >= 0) named.add(line.slice(at + sharedPrefix.length));
    }
  }
  return named;
}

/** What was begun and never came to be, and months that are empty. */
async function tidyMonths(host: Host, place: RepositoryPlace): Promise<void> {
  const folder = packsFolder(place);
  for (const { name, kind } of (await host.disk.list(folder)) ?? []) {
    if (kind !== 'folder') continue;
    await sweepOld(host, join(folder, name), (within) => leftOver.test(within));
    await ignoring(['ENOTEMPTY', 'EEXIST', 'EBUSY', 'ENOENT'], async () =>
      host.disk.removeFolder(join(folder, name)),
    );
  }
  await syncFolder(host.disk, folder);
}
