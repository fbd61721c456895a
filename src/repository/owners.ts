/** Whose files are, where that is what stands in the way. */
import { dirname } from 'node:path';
import { messageOf, VarveError } from '../errors.ts';
import { codeOf, processOwner, type Disk } from '../host/host.ts';
import { snapshotsFolder, type RepositoryPlace } from './layout.ts';
import { holderPath } from './lock.ts';

/** A refusal of the operating system, with whose the place is and who asked: what an operator has to bring together. */
export async function withOwners(error: unknown, disk: Pick<Disk, 'stat'>): Promise<unknown> {
  const code = codeOf(error);
  const path: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'path') : undefined;
  if ((code !== 'EACCES' && code !== 'EPERM') || typeof path !== 'string') return error;
  const whose = await ownerOf(disk, path);
  const own = processOwner();
  if (whose === undefined || whose.owner === own) return error;
  const owners = `${whose.at} belongs to uid ${whose.owner}, and this process runs as uid ${own}`;
  return Object.assign(new Error(`${messageOf(error)}: ${owners}`, { cause: error }), { code });
}

/** Of the path, or of what is nearest above it and can be seen. */
async function ownerOf(
  disk: Pick<Disk, 'stat'>,
  path: string,
): Promise<{ readonly at: string; readonly owner: number } | undefined> {
  const stat = await disk.stat(path).catch(() => undefined); // what is above it may be seen
  if (stat !== undefined) return { at: path, owner: stat.owner };
  return dirname(path) === path ? undefined : await ownerOf(disk, dirname(path));
}

/**
 * What this process makes must belong to whom the snapshots belong, as the target counts users: the packs of one could
 * not be linked, nor opened, by another. Needs the lock, which is such a file.
 */
export async function assertOwned({ disk }: { disk: Disk }, place: RepositoryPlace): Promise<void> {
  const theirs = await disk.stat(snapshotsFolder(place));
  const own = await disk.stat(holderPath(place));
  if (theirs === undefined || own === undefined || theirs.owner === own.owner) return;
  throw new VarveError(
    'target-unusable',
    `${snapshotsFolder(place)} belongs to uid ${theirs.owner}, and what this process makes there to uid ${own.owner}`,
    {
      hint: `run varve as uid ${theirs.owner} (runAsUser), or give the repository to the other: chown -R ${own.owner} ${place.folder}`,
    },
  );
}
