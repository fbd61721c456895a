/**
 * Hard links, and what stands in for them on a target that has none. A name is given to a whole file or not at all, and
 * never to one that has it already.
 */
import { basename, dirname, join } from 'node:path';
import { messageOf, VarveError } from '../errors.ts';
import { codeOf, processOwner, type Disk, type Host } from '../host/host.ts';
import { foreignFolder } from './owners.ts';
import {
  createFile,
  ignoring,
  oldMs,
  readPastCache,
  removeTree,
  renameSettled,
  syncFolder,
  targetTimeIn,
} from './steps.ts';

/** With these a file system, or its server, answers that it makes no link: of this file, or of none. */
const refusals = ['EPERM', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK'];

export function isLinkRefused(error: unknown): boolean {
  return refusals.includes(codeOf(error) ?? '');
}

/** A server may have made the link and died before it could say so. */
export async function linkSettled(disk: Disk, existing: string, fresh: string): Promise<void> {
  try {
    await disk.link(existing, fresh);
  } catch (error) {
    const [source, made] = [await disk.stat(existing), await disk.stat(fresh)];
    if (
      source !== undefined &&
      made !== undefined &&
      source.inode === made.inode &&
      source.device === made.device
    )
      return;
    throw error;
  }
}

/** Why this one file may not be linked where others may, in the words of an operator. */
export async function linkRefused(
  disk: Disk,
  error: unknown,
  { existing, fresh }: { existing: string; fresh: string },
): Promise<unknown> {
  const code = codeOf(error);
  if (code === 'EXDEV') {
    return new VarveError('target-unusable', `${fresh}: a hard link cannot be made: ${messageOf(error)}`, {
      hint: 'all of the repository must lie on one mount of one file system',
      cause: error,
    });
  }
  if (!isLinkRefused(error)) return error;
  const owner = (await disk.stat(existing))?.owner;
  const own = processOwner();
  const whose = owner === own ? '' : `: it belongs to uid ${owner}, and this process runs as uid ${own}`;
  return new VarveError('target-unusable', `${existing}: no hard link may be made of it${whose} (${code})`, {
    hint: `run varve as the user that made the repository, or give it to this one: chown -R ${own} on the folder of the repository (the kernel's fs.protected_hardlinks keeps users from linking files of others)`,
    cause: error,
  });
}

/** What a target without hard links means to an operator. */
export const sharedPacksHint =
  'snapshots share one folder of packs here, so that the folder of one is not complete by itself: varve export makes a complete copy';

export function sharingText(instance: string): string {
  return `snapshots of ${instance} share the packs in ${instance}/packs/, as on a target without hard links: the folder of one is not complete by itself, varve export makes a complete copy`;
}

/** Undefined where hard links can be made below this folder; else what the target says. */
export async function linkObstacle(host: Host, folder: string): Promise<string | undefined> {
  const { disk, random } = host;
  const probe = join(folder, `.probe.${random.bytes(6).toString('hex')}`);
  try {
    await disk.makeFolder(probe);
    return await linkObstacleIn(disk, probe);
  } finally {
    await removeTree(disk, probe).catch(() => undefined); // the probe's own error is the one to tell
  }
}

/**
 * The same, in a folder of the probe's own, where `a` and `b` are made. The file has the mode of a pack: where a server
 * gives files another owner, that of a file that may be written says nothing.
 */
export async function linkObstacleIn(disk: Disk, probe: string): Promise<string | undefined> {
  const [first, second] = [join(probe, 'a'), join(probe, 'b')];
  await createFile(disk, first, [Buffer.from('.')], { mode: 0o440 });
  try {
    await linkSettled(disk, first, second);
    return undefined;
  } catch (error) {
    if (!isLinkRefused(error)) throw error;
    return messageOf(error);
  }
}

/**
 * Makes a new file that is there whole or not at all, also for whoever kills this process half-way. Durable with its
 * name; EEXIST where the name is taken.
 */
export async function placeFile(
  host: Pick<Host, 'disk' | 'random'>,
  path: string,
  contents: Buffer,
  o: { mode?: number; readBack?: boolean } = {},
): Promise<void> {
  const { disk } = host;
  const temporary = join(dirname(path), `.${host.random.bytes(6).toString('hex')}.tmp`);
  await createFile(disk, temporary, [contents], o);
  try {
    await assertSameOwner(disk, temporary);
    if (o.readBack === true) await assertWritten(disk, temporary, { path, contents });
    await giveName(host, temporary, path);
  } finally {
    // What stays is swept once it is old.
    await disk.removeFile(temporary).catch(() => undefined);
  }
  await syncFolder(disk, dirname(path));
}

/** What another user made here could not be read by whom the repository belongs to: refused as the system does it. */
async function assertSameOwner(disk: Disk, made: string): Promise<void> {
  const foreign = await foreignFolder(disk, { folder: dirname(made), made });
  if (foreign !== undefined) throw Object.assign(new Error(foreign.text), { code: 'EACCES' });
}

/** What everything else hangs on gets its name only once the target has given it back. */
async function assertWritten(
  disk: Disk,
  temporary: string,
  { path, contents }: { path: string; contents: Buffer },
): Promise<void> {
  const pieces: Buffer[] = [];
  await readPastCache(disk, temporary, (piece) => pieces.push(Buffer.from(piece)));
  if (Buffer.concat(pieces).equals(contents)) return;
  throw new VarveError(
    'target-unusable',
    `${path}: what is read back is not what was written: nothing was changed`,
    {
      hint: 'look at the server and its disks, then run the command again',
    },
  );
}

/** Gives a file a name that nothing has; it may keep its old one. EEXIST where the name is taken. */
export async function giveName(host: Pick<Host, 'disk' | 'random'>, from: string, to: string): Promise<void> {
  try {
    await linkSettled(host.disk, from, to);
  } catch (error) {
    if (!isLinkRefused(error)) throw error;
    await renameAlone(host, from, to);
  }
}

/**
 * A rename overwrites what has the name: whoever makes a folder for it first is alone with the name. What a process
 * that was killed left of that is in the way until it is old.
 */
async function renameAlone(host: Pick<Host, 'disk' | 'random'>, from: string, to: string): Promise<void> {
  const { disk } = host;
  const guard = join(dirname(to), `.${basename(to)}.placing`);
  let isMine = await disk.makeFolder(guard);
  if (!isMine && (await isOld(host, guard))) {
    await ignoring(['ENOENT'], async () => disk.removeFolder(guard));
    isMine = await disk.makeFolder(guard);
  }
  if (!isMine) {
    throw new VarveError('locked', `${to}: another process is about to make it`, {
      hint: 'run the command again; what a process that was killed left of it goes by itself after ten minutes',
      retryable: true,
    });
  }
  try {
    await renameSettled(disk, from, to);
  } finally {
    await disk.removeFolder(guard).catch(() => undefined); // it is removed once it is old
  }
}

async function isOld(host: Pick<Host, 'disk' | 'random'>, path: string): Promise<boolean> {
  const stat = await host.disk.stat(path);
  return stat !== undefined && (await targetTimeIn(host, dirname(path))) - stat.modifiedMs >= oldMs;
}
