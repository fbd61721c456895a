import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { CommandEnd } from '../../scripts/demo/varve.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const user = 10001;
const isRoot = process.getuid?.() === 0;
export const isReadOnly = isRoot && spawnSync('unshare', ['--mount', 'true']).status === 0;

/** Mounts what is needed, and nothing else can be written; the checkout and Node may lie where no other user looks. */
const readOnly = `set -e
mount --bind "$1" "$1"
mount --bind "$2" "$1/program"
mount --bind "$3" "$1/node"
mount -o remount,bind,ro "$1/program"
mount -o remount,bind,ro /
cd "$1"
shift 3
exec "$@"`;

const dropped = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'].concat([
  '--inh-caps=-all',
  '--bounding-set=-all',
  '--no-new-privs',
]);

/** A folder, and commands in it as a pod runs them: no root, no capability, and a root that cannot be written. */
export class Unprivileged implements AsyncDisposable {
  readonly folder: string;
  readonly #before: readonly string[];
  readonly #program: readonly string[];

  private constructor(folder: string) {
    this.folder = folder;
    const mounted = ['unshare', '--mount', 'sh', '-c', readOnly, 'sh', folder, checkout, process.execPath];
    this.#before = [...(isReadOnly ? mounted : []), ...(isRoot ? dropped : [])];
    this.#program = isReadOnly
      ? [join(folder, 'node'), join(folder, 'program/src/main.ts')]
      : [process.execPath, join(checkout, 'src/main.ts')];
  }

  static async make(files: Readonly<Record<string, string | Buffer>>): Promise<Unprivileged> {
    const folder = await mkdtemp(join(tmpdir(), 'varve-unprivileged-'));
    for (const name of ['program', 'tmp']) await mkdir(join(folder, name));
    for (const [name, bytes] of Object.entries({ node: '', ...files })) {
      await writeFile(join(folder, name), bytes);
    }
    if (isRoot)
      for (const name of ['', 'tmp', ...Object.keys(files)]) await chown(join(folder, name), user, user);
    return new Unprivileged(folder);
  }

  start(...words: readonly string[]): ChildProcess {
    const [program = '', ...args] = [...this.#before, ...words];
    const env = { ...process.env, TMPDIR: join(this.folder, 'tmp') };
    return spawn(program, args, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  startVarve(...words: readonly string[]): ChildProcess {
    return this.start(...this.#program, ...words);
  }

  async run(...words: readonly string[]): Promise<CommandEnd> {
    return ended(this.start(...words));
  }

  async varve(...words: readonly string[]): Promise<CommandEnd> {
    return ended(this.startVarve(...words));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function ended(child: ChildProcess): Promise<CommandEnd> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('a child process without pipes');
  const [out, problems] = await Promise.all([text(stdout), text(stderr), once(child, 'close')]);
  return { status: child.exitCode, stdout: out, stderr: problems };
}
