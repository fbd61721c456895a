/** Whose files are, where that is what stands in the way. */
import { dirname } from 'node:path';
import { firstError, messageOf } from '../errors.ts';
import { codeOf, processOwner, type Disk } from '../host/host.ts';

/** A refusal of the operating system, with whose the place is and who asked: what an operator has to bring together. */
export async function withOwners(thrown: unknown, disk: Pick<Disk, 'stat'>): Promise<unknown> {
  const error = firstError(thrown);
  const code = codeOf(error);
  const path: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'path') : undefined;
  if ((code !== 'EACCES' && code !== 'EPERM') || typeof path !== 'string') return thrown;
  const whose = await ownerOf(disk, path);
  const own = processOwner();
  if (whose === undefined || whose.owner === own) return thrown;
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

/** Where it differs: whose a folder is, and whose what this process made in it. */
export async function foreignFolder(
  disk: Pick<Disk, 'stat'>,
  { folder, made }: { folder: string; made: string },
): Promise<{ readonly theirs: number; readonly own: number; readonly text: string } | undefined> {
  const theirs = await disk.stat(folder);
  const own = await disk.stat(made);
  if (theirs === undefined || own === undefined || theirs.owner === own.owner) return undefined;
  const text = `${folder} belongs to uid ${theirs.owner}, and what this process makes there to uid ${own.owner}`;
  return { theirs: theirs.owner, own: own.owner, text };
}
