import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { messageOf, VarveError } from '../errors.ts';
import { codeOf, type DiskFile, type Host } from '../host/host.ts';
import { linkSettled, renameSettled, syncFolder } from '../repository/repository.ts';
import { FramePacker } from './packed-file.ts';

type Ports = Pick<Host, 'disk' | 'random'>;

/** A name that is taken, or cannot be, is refused before anything else is done. */
export async function assertFresh({ disk }: Pick<Ports, 'disk'>, path: string): Promise<void> {
  const folder = dirname(path);
  const found = await explained(path, async () => [await disk.stat(folder), await disk.stat(path)] as const);
  if (found[0] === undefined) {
    throw new VarveError('usage', `--out: there is no folder ${folder}`, {
      hint: 'make the folder first, or name a file in one that is there',
    });
  }
  if (found[1] !== undefined) throw taken(path);
}

/** Begins the names of what is not finished yet: within what any file system takes, and of no other file. */
function beginningOf(path: string): string {
  const name = basename(path);
  return `.${name.slice(0, 50)}.${createHash('sha256').update(name).digest('hex').slice(0, 8)}.`;
}

/** Beside a file: what a crash leaves under it goes with the next `FreshFile` of the same path. */
export function randomName(random: Host['random'], path: string): string {
  return join(dirname(path), `${beginningOf(path)}${random.bytes(6).toString('hex')}.tmp`);
}

/**
 * What a process that was killed left of the same file. Of two that write it at once only one could give it its name: it
 * is the later one.
 */
async function removeLeftOvers({ disk }: Pick<Ports, 'disk'>, path: string): Promise<void> {
  const folder = dirname(path);
  const beginning = beginningOf(path);
  for (const { name, kind } of (await disk.list(folder)) ?? []) {
    if (
      kind !== 'file' ||
      !name.startsWith(beginning) ||
      !/^[0-9a-f]{12}\.tmp$/.test(name.slice(beginning.length))
    )
      continue;
    await disk.removeFile(join(folder, name)).catch(() => undefined); // another user's: it takes room, and no more
  }
}

/**
 * A file that appears whole and durable, or not at all: written under a name that begins with a dot, synced, and only
 * then given its own, over nothing. A name that ends in `.zst` has it packed.
 */
export class FreshFile implements AsyncDisposable {
  readonly #ports: Ports;
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: DiskFile;
  readonly #packer: FramePacker | undefined;
  #at = 0;
  #isOpen = true;

  private constructor(ports: Ports, o: { path: string; temporary: string; file: DiskFile }) {
    this.#ports = ports;
    this.#path = o.path;
    this.#temporary = o.temporary;
    this.#file = o.file;
    this.#packer = o.path.endsWith('.zst') ? new FramePacker() : undefined;
  }

  static async create(ports: Ports, path: string): Promise<FreshFile> {
    await assertFresh(ports, path);
    await explained(path, async () => removeLeftOvers(ports, path));
    const temporary = randomName(ports.random, path);
    const file = await explained(path, async () => ports.disk.open(temporary, 'create'));
    return new FreshFile(ports, { path, temporary, file });
  }

  /** As it lies on the disk. */
  get byteLength(): number {
    return this.#at;
  }

  async write(pieces: readonly Buffer[]): Promise<void> {
    const packer = this.#packer;
    if (packer === undefined) return await this.#append(pieces);
    for (const piece of pieces) await this.#append(packer.push(piece));
  }

  async finish(): Promise<void> {
    const { disk } = this.#ports;
    if (this.#packer !== undefined) await this.#append(this.#packer.end());
    await explained(this.#path, async () => {
      await this.#file.sync();
      await this.#close();
      if ((await disk.stat(this.#temporary)) === undefined) throw overtaken(this.#path);
      try {
        await linkSettled(disk, this.#temporary, this.#path);
      } catch (error) {
        if (!(error instanceof VarveError)) throw error;
        await renameSettled(disk, this.#temporary, this.#path); // a file system without hard links
      }
      await disk.removeFile(this.#temporary).catch(() => undefined); // a rename has taken it away
      await syncFolder(disk, dirname(this.#path));
    });
  }

  /** Before `finish`, nothing is left of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await this.#ports.disk.removeFile(this.#temporary).catch(() => undefined); // it has its own name by now
  }

  async #append(pieces: readonly Buffer[]): Promise<void> {
    if (pieces.length === 0) return;
    await explained(this.#path, async () => this.#file.write(pieces, this.#at));
    this.#at += pieces.reduce((sum, { length }) => sum + length, 0);
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
  }
}

/** What the operating system has against a file is told by the file's own name. */
async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (error instanceof VarveError || code === undefined) throw error;
    if (code === 'EEXIST') throw taken(path);
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new VarveError('no-space', `${path}: no room for it: ${messageOf(error)}`, {
        hint: 'nothing of it was left there: make room, or name a file on another disk',
        cause: error,
      });
    }
    throw new VarveError('failed', `${path}: it cannot be written: ${messageOf(error)}`, {
      hint: 'name a file in a folder that this user may write in',
      cause: error,
    });
  }
}

function overtaken(path: string): VarveError {
  return new VarveError(
    'failed',
    `${path}: another export of the same name began meanwhile, and took this one away`,
    {
      hint: 'let the other one end, or name another file',
    },
  );
}

function taken(path: string): VarveError {
  return new VarveError('refused', `${path} exists: nothing is written over it`, {
    hint: 'name another file, or move this one away first',
  });
}
