/**
 * The steps of which everything on the target is made. Each is durable when it resolves, or says that it is not; none
 * writes through a name that exists, and none believes an error of a link or a rename before it has looked.
 */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { VarveError } from '../errors.ts';
import { codeOf, type Disk, type DiskFile, type Host } from '../host/host.ts';

/** Makes a new file, whole and durable but for its name in the folder. What fails leaves no file of that name. */
export async function createFile(
  disk: Disk,
  path: string,
  pieces: readonly Buffer[],
  o: { mode?: number } = {},
): Promise<void> {
  const file = await disk.open(path, 'create');
  try {
    try {
      await file.write(pieces, 0);
      await file.sync();
    } catch (error) {
      await file.close().catch(() => undefined); // the first error is the one to tell
      throw error;
    }
    await file.close();
  } catch (error) {
    await disk.removeFile(path).catch(() => undefined); // likewise
    throw error;
  }
  // What a target makes of modes is its own affair.
  if (o.mode !== undefined) await disk.setMode(path, o.mode).catch(() => undefined);
}

/** For a name that must not exist yet. */
export async function renameSettled(disk: Disk, from: string, to: string): Promise<void> {
  const before = await disk.stat(from);
  if ((await disk.stat(to)) !== undefined)
    throw Object.assign(new Error(`EEXIST: ${to} exists`), { code: 'EEXIST' });
  try {
    await disk.rename(from, to);
  } catch (error) {
    const after = await disk.stat(to);
    if (before !== undefined && after?.inode === before.inode && (await disk.stat(from)) === undefined)
      return;
    throw error;
  }
}

/** Some file systems have no sync of a folder: that is theirs to answer for. Any other failure counts. */
export async function syncFolder(disk: Disk, path: string): Promise<void> {
  try {
    await disk.syncFolder(path);
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error) ?? '')) throw error;
  }
}

/** Replaces a small file as a whole. */
export async function replaceWhole(
  host: Pick<Host, 'disk' | 'random'>,
  path: string,
  contents: Buffer,
): Promise<void> {
  const temporary = join(dirname(path), `.${host.random.bytes(6).toString('hex')}.tmp`);
  await createFile(host.disk, temporary, [contents]);
  try {
    await host.disk.rename(temporary, path);
  } catch (error) {
    const there = await host.disk.readFile(path);
    if (there?.equals(contents) !== true) {
      await host.disk.removeFile(temporary).catch(() => undefined); // the first error is the one to tell
      throw error;
    }
  }
  await syncFolder(host.disk, dirname(path));
}

/** The clock by which the target dates its files. */
export async function targetTimeIn(host: Pick<Host, 'disk' | 'random'>, folder: string): Promise<number> {
  const path = join(folder, `.${host.random.bytes(6).toString('hex')}.now`);
  await createFile(host.disk, path, [Buffer.from('.')]);
  const stat = await host.disk.stat(path);
  await host.disk.removeFile(path);
  if (stat === undefined)
    throw new VarveError('target-unusable', `${path}: the file that was made is not there`);
  return stat.modifiedMs;
}

/** Nobody is on the way with a file for so long. */
export const oldMs = 10 * 60_000;

/**
 * Removes a folder with all that is in it, following no link. What cannot go yet (an NFS server keeps open files under
 * other names) stays for the next time: false.
 */
export async function removeTree(disk: Disk, path: string): Promise<boolean> {
  let isGone = true;
  for (const { name, kind } of (await disk.list(path)) ?? []) {
    const below = join(path, name);
    if (kind === 'folder') isGone = (await removeTree(disk, below)) && isGone;
    else if (name.startsWith('.nfs')) isGone = false;
    else await ignoring(['ENOENT'], async () => disk.removeFile(below));
  }
  if (!isGone) return false;
  return !(await ignoring(['ENOTEMPTY', 'EEXIST', 'EBUSY'], async () => disk.removeFolder(path)));
}

/** True where the operation failed with one of these codes. */
export async function ignoring(codes: readonly string[], run: () => Promise<void>): Promise<boolean> {
  try {
    await run();
    return false;
  } catch (error) {
    if (codes.includes(codeOf(error) ?? '')) return true;
    throw error;
  }
}

const staleTriesMax = 3;

/** A file handle may go stale under a reader when the server has restarted: the path is opened anew. */
export async function readWhole(disk: Disk, path: string): Promise<Buffer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readOpened(disk, path);
    } catch (error) {
      if (codeOf(error) !== 'ESTALE') throw error;
      if (attempt === staleTriesMax) throw stale(path, error);
    }
  }
}

/** Follows no symbolic link: what the target holds was made by this program, which makes none but views. */
async function readOpened(disk: Disk, path: string): Promise<Buffer> {
  const file = await disk.open(path, 'read');
  try {
    const bytes = Buffer.allocUnsafe(await file.byteLength());
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** Undefined where there is no such file. */
export async function readIfThere(disk: Disk, path: string): Promise<Buffer | undefined> {
  let bytes: Buffer | undefined;
  await ignoring(['ENOENT'], async () => {
    bytes = await readWhole(disk, path);
  });
  return bytes;
}

function stale(path: string, cause: unknown): VarveError {
  return new VarveError(
    'target-unusable',
    `${path}: the server has lost hold of the file, ${staleTriesMax} times in a row`,
    {
      hint: 'look at the server and at the mount, then run the command again',
      cause,
    },
  );
}

export interface ReadBack {
  readonly sha256: string;
  readonly bytes: number;
  /** `direct`: past the page cache; `cached`: whatever the kernel had. */
  readonly how: 'direct' | 'cached';
}

const pieceBytes = 4 * 1024 * 1024;
const alignBytes = 4096;

/** Reads a file front to back, past the page cache where the file system lets us. A piece is in memory until its call resolves. */
export async function readPastCache(
  disk: Disk,
  path: string,
  onPiece: (bytes: Buffer) => unknown,
): Promise<ReadBack> {
  const direct = await openDirect(disk, path);
  if (direct !== undefined) {
    try {
      const { file, buffer } = direct;
      // Past the end of the file, which is no whole unit, nothing more can be asked for.
      const read = async (at: number): Promise<number> =>
        at % alignBytes === 0 ? file.readOnce(buffer, at) : 0;
      return { ...(await readThrough({ read, buffer }, onPiece)), how: 'direct' };
    } finally {
      await direct.file.close();
    }
  }
  const file = await disk.open(path, 'read');
  try {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    const read = async (at: number): Promise<number> => file.read(buffer, at);
    return { ...(await readThrough({ read, buffer }, onPiece)), how: 'cached' };
  } finally {
    await file.close();
  }
}

async function readThrough(
  { read, buffer }: { read: (at: number) => Promise<number>; buffer: Buffer },
  onPiece: (bytes: Buffer) => unknown,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let at = 0;
  for (let filled = await read(at); filled > 0; filled = await read(at)) {
    const piece = buffer.subarray(0, filled);
    hash.update(piece);
    await onPiece(piece);
    at += filled;
  }
  return { sha256: hash.digest('hex'), bytes: at };
}

/** Node says nothing of where a buffer lies in memory: the offset that suits the device is found by trying. */
async function openDirect(disk: Disk, path: string): Promise<{ file: DiskFile; buffer: Buffer } | undefined> {
  let file: DiskFile;
  try {
    file = await disk.open(path, 'direct');
  } catch (error) {
    if (['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
  const memory = Buffer.allocUnsafeSlow(pieceBytes + alignBytes);
  for (let offset = 0; offset < alignBytes; offset += 16) {
    const buffer = memory.subarray(offset, offset + pieceBytes);
    try {
      await file.readOnce(buffer.subarray(0, alignBytes), 0);
      return { file, buffer };
    } catch (error) {
      if (codeOf(error) === 'EINVAL') continue;
      await file.close();
      throw error;
    }
  }
  await file.close();
  return undefined;
}
