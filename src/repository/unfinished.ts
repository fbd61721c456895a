/** A copy of a snapshot that was cut off: no repository, and made one by nobody but who begins it anew. */
import { basename, dirname, join } from 'node:path';
import { VarveError } from '../errors.ts';
import type { Disk, Host } from '../host/host.ts';
import type { RepositoryIdentity } from './identity.ts';
import {
  isInstanceName,
  isUnfinishedName,
  keysFolder,
  repositoryFileName,
  unfinishedName,
} from './layout.ts';
import { createFile, ignoring, removeTree, renameSettled, syncFolder } from './steps.ts';

/** Notes, before anything else is made, that a copy is begun. Returns the name of the note. */
export async function beginCopy(
  { disk, random }: Host,
  folder: string,
  identity: RepositoryIdentity,
): Promise<string> {
  const name = unfinishedName(random);
  await createFile(disk, join(folder, name), [Buffer.from(`${JSON.stringify(identity)}\n`)]);
  await syncFolder(disk, folder);
  return name;
}

/** From here on it is a repository. */
export async function finishCopy(disk: Disk, folder: string, note: string): Promise<void> {
  await renameSettled(disk, join(folder, note), join(folder, repositoryFileName));
  await syncFolder(disk, folder);
}

/** Whether a copy into the folder was begun and is no repository yet. */
export async function isUnfinished(disk: Disk, folder: string): Promise<boolean> {
  const names = ((await disk.list(folder)) ?? []).map(({ name }) => name);
  return names.some(isUnfinishedName) && !names.includes(repositoryFileName);
}

/** Removes what a copy has made, the notes last: cut off again, it is unfinished yet. */
export async function removeUnfinished(disk: Disk, folder: string): Promise<void> {
  const entries = (await disk.list(folder)) ?? [];
  for (const { name, kind } of entries) {
    const path = join(folder, name);
    if (kind === 'folder' && (await isOfCopy(disk, path))) await removeTree(disk, path);
  }
  await syncFolder(disk, folder);
  for (const { name } of entries.filter((entry) => isUnfinishedName(entry.name)))
    await ignoring(['ENOENT'], async () => disk.removeFile(join(folder, name)));
  await syncFolder(disk, folder);
}

async function isOfCopy(disk: Disk, path: string): Promise<boolean> {
  const name = basename(path);
  if (!isInstanceName(name)) return path === keysFolder({ folder: dirname(path) });
  const below = ((await disk.list(path)) ?? []).map((entry) => entry.name);
  return below.length === 0 || below.includes('snapshots');
}

export function unfinished(code: 'no-repository' | 'refused', folder: string): VarveError {
  return new VarveError(code, `no repository in ${folder}: an export of a snapshot into it was cut off`, {
    hint: 'run varve export SNAPSHOT DIR again, which begins it anew; it needs the repository that it is copied from',
  });
}
