/** What keeps an instance's folder tidy. All of it needs the lock. */
import { join } from 'node:path';
import type { Host } from '../host/host.ts';
import {
  instanceFolder,
  isSnapshotId,
  isViewName,
  keysFolder,
  marksFolder,
  parseTrashName,
  snapshotFolder,
  snapshotsFolder,
  stagingRoot,
  trashFolder,
  trashName,
  type RepositoryPlace,
} from './layout.ts';
import { isLinkRefused } from './links.ts';
import { ignoring, oldMs, removeTree, renameSettled, syncFolder, targetTimeIn } from './steps.ts';

/** By which everything on the target is dated. */
export async function targetNowMs(host: Host, place: RepositoryPlace): Promise<number> {
  return await targetTimeIn(host, stagingRoot(place));
}

/** Removes what was begun under a name of its own and never came to be. What is young may be somebody's yet. */
export async function sweepOld(
  host: Host,
  folder: string,
  isMeant: (name: string) => boolean,
): Promise<void> {
  const { disk } = host;
  const found = ((await disk.list(folder)) ?? []).filter(({ name }) => isMeant(name));
  if (found.length === 0) return;
  const nowMs = await targetTimeIn(host, folder);
  for (const { name, kind } of found) {
    const path = join(folder, name);
    const stat = await disk.stat(path);
    if (stat === undefined || nowMs - stat.modifiedMs < oldMs) continue;
    if (kind === 'folder') await removeTree(disk, path);
    else await ignoring(['ENOENT'], async () => disk.removeFile(path));
  }
}

const leftOver = /^\.([0-9a-f]{12}\.(now|tmp)|probe\.[0-9a-f]{12}|.+\.placing)$/;

/** What stays of small files, where no instance's lock is over them. */
export async function sweepLeftOvers(host: Host, place: RepositoryPlace): Promise<void> {
  for (const folder of [place.folder, keysFolder(place), marksFolder(place)])
    await sweepOld(host, folder, (name) => leftOver.test(name));
}

/** Removes what cycles that were cut off had begun. */
export async function sweepStaging(host: Host, place: RepositoryPlace): Promise<void> {
  await sweepLeftOvers(host, place);
  for (const { name, kind } of (await host.disk.list(stagingRoot(place))) ?? []) {
    const path = join(stagingRoot(place), name);
    if (kind === 'folder' && isSnapshotId(name)) await removeTree(host.disk, path);
    else if (kind === 'file' && /^\.[0-9a-f]{12}\.(now|tmp)$/.test(name)) await host.disk.removeFile(path);
  }
}

/** How long what has expired can still be taken back by hand. */
export const trashKeptMs = 48 * 3_600_000;

export async function moveToTrash(host: Host, place: RepositoryPlace, id: string): Promise<void> {
  const nowMs = await targetTimeIn(host, stagingRoot(place));
  const to = join(trashFolder(place), trashName(id, nowMs));
  await renameSettled(host.disk, snapshotFolder(place, id), to);
  await syncFolder(host.disk, snapshotsFolder(place));
  await syncFolder(host.disk, trashFolder(place));
}

export async function purgeTrash(
  host: Host,
  place: RepositoryPlace,
  { nowMs }: { nowMs: number },
): Promise<string[]> {
  const gone: string[] = [];
  for (const { name, kind } of (await host.disk.list(trashFolder(place))) ?? []) {
    const trashed = parseTrashName(name);
    if (kind !== 'folder' || trashed === undefined || nowMs - trashed.atMs < trashKeptMs) continue;
    if (await removeTree(host.disk, join(trashFolder(place), name))) gone.push(trashed.id);
  }
  return gone;
}

/** Makes the views be these, each replaced as a whole. Other names are nobody's business here. */
export async function rebuildViews(
  host: Host,
  place: RepositoryPlace,
  views: readonly { readonly name: string; readonly snapshotId: string }[],
): Promise<void> {
  const { disk, random } = host;
  const folder = instanceFolder(place);
  const entries = (await disk.list(folder)) ?? [];
  const wanted = new Map(views.map(({ name, snapshotId }) => [name, join('snapshots', snapshotId)]));
  let isChanged = false;
  for (const { name, kind } of entries) {
    const isLeftOver = /^\.[0-9a-f]{12}\.view$/.test(name);
    if (kind !== 'symlink' || (!isLeftOver && (!isViewName(name) || wanted.has(name)))) continue;
    await disk.removeFile(join(folder, name));
    isChanged = true;
  }
  for (const [name, target] of wanted) {
    const path = join(folder, name);
    const there = entries.find((entry) => entry.name === name);
    if (there !== undefined && there.kind !== 'symlink') continue; // somebody else's, by the name of a view
    if (there !== undefined && (await disk.readSymlink(path)) === target) continue;
    const temporary = join(folder, `.${random.bytes(6).toString('hex')}.view`);
    try {
      await disk.makeSymlink(target, temporary);
    } catch (error) {
      if (isLinkRefused(error)) return; // there are no views here, which harms nothing: doctor tells
      throw error;
    }
    await disk.rename(temporary, path);
    isChanged = true;
  }
  if (isChanged) await syncFolder(disk, folder);
}
