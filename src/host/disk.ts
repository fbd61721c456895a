import { constants } from 'node:fs';
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rmdir,
  statfs,
  symlink,
  unlink,
  type FileHandle,
} from 'node:fs/promises';
import { VarveError } from '../errors.ts';

/**
 * The few file-system calls this program makes, so that a test can let each of them fail. No call here retries and
 * none follows a symbolic link where it writes. Errors are the operating system's own, with their `code`.
 */
export interface Disk {
  /**
   * `read`: an existing file; `create`: a file that must not exist yet; `update`: an existing file, to be changed;
   * `direct`: an existing file, read past the page cache: buffers and positions must suit the device.
   */
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Makes one folder in an existing one. False where it was there already. */
  makeFolder(path: string): Promise<boolean>;
  /** The entries of a folder in no order, or undefined where there is no such folder. */
  list(path: string): Promise<DiskEntry[] | undefined>;
  stat(path: string): Promise<DiskStat | undefined>;
  /** A whole file, or undefined where there is none. */
  readFile(path: string): Promise<Buffer | undefined>;
  rename(from: string, to: string): Promise<void>;
  link(existing: string, fresh: string): Promise<void>;
  makeSymlink(target: string, path: string): Promise<void>;
  /** Where a symbolic link points, or undefined where there is none. */
  readSymlink(path: string): Promise<string | undefined>;
  setMode(path: string, mode: number): Promise<void>;
  removeFile(path: string): Promise<void>;
  removeFolder(path: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** What an unprivileged writer can still write on the file system that holds the path. */
  freeBytes(path: string): Promise<number>;
}

export type OpenMode = 'read' | 'create' | 'update' | 'direct';

export interface DiskFile {
  /** Fills the buffer from the position; fewer bytes only at the end of the file. */
  read(buffer: Buffer, position: number): Promise<number>;
  /** What one call of the kernel gives: fewer bytes may be no end. */
  readOnce(buffer: Buffer, position: number): Promise<number>;
  /** Writes all of the buffers, one behind the other, at the position. */
  write(buffers: readonly Buffer[], position: number): Promise<void>;
  truncate(byteLength: number): Promise<void>;
  byteLength(): Promise<number>;
  /** Makes the contents and the length durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface DiskEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'symlink' | 'other';
}

export interface DiskStat extends Omit<DiskEntry, 'name'> {
  readonly byteLength: number;
  readonly inode: bigint;
  readonly device: bigint;
  readonly links: number;
  /** Its uid, as this machine sees it. */
  readonly owner: number;
  /** By the clock of whoever keeps the file: for a mount, its server's. */
  readonly modifiedMs: number;
}

const openFlags = {
  // What is no file, such as a pipe, must not hold the open up.
  read: constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
  update: constants.O_RDWR | constants.O_NOFOLLOW,
  direct: constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECT,
} satisfies Record<OpenMode, number>;

export const systemDisk: Disk = {
  async open(path, mode) {
    return new SystemFile(await open(path, openFlags[mode], 0o640));
  },
  async makeFolder(path) {
    return !(await ifCode('EEXIST', async () => mkdir(path, 0o750)));
  },
  async list(path) {
    let entries: DiskEntry[] | undefined;
    await ifCode('ENOENT', async () => {
      entries = (await readdir(path, { withFileTypes: true })).map((entry) => ({
        name: entry.name,
        kind: kindOf(entry),
      }));
    });
    return entries;
  },
  async stat(path) {
    let found: DiskStat | undefined;
    await ifCode('ENOENT', async () => {
      const stat = await lstat(path, { bigint: true });
      found = {
        kind: kindOf(stat),
        byteLength: Number(stat.size),
        inode: stat.ino,
        device: stat.dev,
        links: Number(stat.nlink),
        owner: Number(stat.uid),
        modifiedMs: Number(stat.mtimeNs / 1_000_000n),
      };
    });
    return found;
  },
  async readFile(path) {
    let bytes: Buffer | undefined;
    await ifCode('ENOENT', async () => {
      bytes = await readFile(path);
    });
    return bytes;
  },
  rename: async (from, to) => rename(from, to),
  link: async (existing, fresh) => link(existing, fresh),
  makeSymlink: async (target, path) => symlink(target, path),
  async readSymlink(path) {
    let target: string | undefined;
    await ifCode('ENOENT', async () => {
      target = await readlink(path);
    });
    return target;
  },
  setMode: async (path, mode) => chmod(path, mode),
  removeFile: async (path) => unlink(path),
  removeFolder: async (path) => rmdir(path),
  async syncFolder(path) {
    const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};

class SystemFile implements DiskFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await this.#handle.read(
        buffer,
        filled,
        buffer.length - filled,
        position + filled,
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  async readOnce(buffer: Buffer, position: number): Promise<number> {
    return (await this.#handle.read(buffer, 0, buffer.length, position)).bytesRead;
  }

  /** The kernel may take less than it was given (a signal, a full disk): what is left is given again. */
  async write(buffers: readonly Buffer[], position: number): Promise<void> {
    let left = [...buffers];
    let at = position;
    while (left.length > 0) {
      const group = left.slice(0, vectorsMax);
      const { bytesWritten } = await this.#handle.writev(group, at);
      if (bytesWritten === 0 && group.some((buffer) => buffer.length > 0)) {
        throw Object.assign(new Error('the kernel wrote nothing'), { code: 'EIO' });
      }
      at += bytesWritten;
      left = dropBytes(left, bytesWritten);
    }
  }

  async truncate(byteLength: number): Promise<void> {
    await this.#handle.truncate(byteLength);
  }

  async byteLength(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async sync(): Promise<void> {
    await this.#handle.datasync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** The kernel takes at most 1,024 buffers in one call. */
const vectorsMax = 1024;

function dropBytes(buffers: readonly Buffer[], count: number): Buffer[] {
  let skip = count;
  let index = 0;
  for (let buffer = buffers[index]; buffer !== undefined && buffer.length <= skip; buffer = buffers[index]) {
    skip -= buffer.length;
    index += 1;
  }
  const [first, ...rest] = buffers.slice(index);
  if (first === undefined) return [];
  return skip === 0 ? [first, ...rest] : [first.subarray(skip), ...rest];
}

function kindOf(entry: {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}): DiskEntry['kind'] {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}

/** The operating system's error code, such as ENOENT, where the error is one of its own. Ours have codes of ours. */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof VarveError) return undefined;
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The disk, or what this user may take of it. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '');
}

/** Runs an operation; true where it failed with this code. Any other failure is thrown. */
async function ifCode(code: string, run: () => Promise<void>): Promise<boolean> {
  try {
    await run();
    return false;
  } catch (error) {
    if (codeOf(error) === code) return true;
    throw error;
  }
}
