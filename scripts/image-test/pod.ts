import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image, Volume } from './image.ts';

/** Makes a root that cannot be written, with what Kubernetes mounts into it, and goes there. */
const isolated = `set -e
root=$1; shift
mount --bind "$root" "$root"
while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; shift 2; done
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"`;

const asInContainer = ['sh', '-c', 'cd "$0" && exec "$@"'];

/**
 * A container of the image as the chart asks for it: process 1 of its own, a root that cannot be written, user 10001, no
 * capability and no way to any, and a limit of memory for all that runs in it. The network is this machine's.
 */
export class Pod implements AsyncDisposable {
  readonly #image: Image;
  readonly #volumes: readonly Volume[];
  readonly #memory: MemoryLimit;
  #main: ChildProcess | undefined;

  private constructor(image: Image, volumes: readonly Volume[], memory: MemoryLimit) {
    this.#image = image;
    this.#volumes = volumes;
    this.#memory = memory;
  }

  static async make(image: Image, o: { volumes: readonly Volume[]; memoryMiB: number }): Promise<Pod> {
    for (const { at } of o.volumes) await mkdir(join(image.root, at), { recursive: true });
    return new Pod(image, o.volumes, await MemoryLimit.make(o.memoryMiB));
  }

  /** What the container runs, or an init container before it; one at a time. */
  start(words: readonly string[] = this.#image.config.Cmd): ChildProcess {
    const { root, config } = this.#image;
    const mounts = this.#volumes.flatMap(({ from, at }) => [from, at]);
    const alone = ['unshare', '--mount', '--pid', '--fork', 'sh', '-c', isolated, 'sh', root];
    const inside = this.#inside([...config.Entrypoint, ...words]);
    this.#main = this.#spawn([...alone, ...mounts, '--', ...inside]);
    return this.#main;
  }

  /** As `kubectl exec`, with `-it` where there is a terminal: that ends when the child is killed. */
  async exec(words: readonly string[], o: { terminal?: boolean } = {}): Promise<ChildProcess> {
    const entered = ['nsenter', `--target=${await this.pid()}`, '--mount', '--pid', '--root'];
    const command = [...entered, ...this.#inside(words)];
    if (o.terminal !== true) return this.#spawn(command);
    const line = command.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
    return this.#spawn(['script', '--quiet', '--return', '--flush', '--command', line, '/dev/null']);
  }

  /** To process 1. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.pid(), signal);
  }

  /** Of process 1, as this machine numbers it. */
  async pid(): Promise<number> {
    const id = this.#main?.pid;
    if (id === undefined) throw new Error('nothing runs in this pod');
    const children = await readFile(`/proc/${id}/task/${id}/children`, 'utf8');
    return Number(children.trim());
  }

  get memory(): Pick<MemoryLimit, 'kills' | 'bytes'> {
    return this.#memory;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const main = this.#main;
    if (main !== undefined && main.exitCode === null && main.signalCode === null) {
      const closed = once(main, 'close');
      await this.signal('SIGKILL'); // and with its process 1 all that is in it
      await closed;
    }
    await this.#memory[Symbol.asyncDispose]();
  }

  #inside(words: readonly string[]): string[] {
    const [user = '', group = ''] = this.#image.config.User.split(':');
    const dropped = ['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'];
    const rights = ['setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups', ...dropped];
    return [...rights, ...asInContainer, this.#image.config.WorkingDir, ...words];
  }

  #spawn(words: readonly string[]): ChildProcess {
    const env = Object.fromEntries(this.#image.config.Env.map((entry) => entry.split(/=(.*)/s, 2)));
    const [program = '', ...args] = this.#memory.around(words);
    return spawn(program, args, { env: { ...env, TERM: 'xterm' }, stdio: ['pipe', 'pipe', 'pipe'] });
  }
}

/** A control group, of either version. */
class MemoryLimit implements AsyncDisposable {
  readonly #folder: string;
  readonly #names: { readonly limit: string; readonly kills: string; readonly use: string };

  private constructor(folder: string, isFirst: boolean) {
    this.#folder = folder;
    this.#names = isFirst
      ? { limit: 'memory.limit_in_bytes', kills: 'memory.oom_control', use: 'memory.stat' }
      : { limit: 'memory.max', kills: 'memory.events', use: 'memory.stat' };
  }

  static async make(mebibytes: number): Promise<MemoryLimit> {
    const first = '/sys/fs/cgroup/memory';
    const isFirst = existsSync(first);
    const folder = join(isFirst ? first : '/sys/fs/cgroup', `varve-image-${process.pid}`);
    await mkdir(folder);
    const limit = new MemoryLimit(folder, isFirst);
    await writeFile(join(folder, limit.#names.limit), String(mebibytes * 1024 * 1024));
    return limit;
  }

  /** Puts what these words start into the group. */
  around(words: readonly string[]): string[] {
    return ['sh', '-c', 'echo $$ > "$0" && exec "$@"', join(this.#folder, 'cgroup.procs'), ...words];
  }

  /** How often something was killed for want of memory. */
  async kills(): Promise<number> {
    return this.#read(this.#names.kills, 'oom_kill');
  }

  /** Without what the kernel may drop. */
  async bytes(): Promise<number> {
    return this.#read(this.#names.use, this.#names.limit === 'memory.max' ? 'anon' : 'total_rss');
  }

  async #read(file: string, row: string): Promise<number> {
    const text = await readFile(join(this.#folder, file), 'utf8');
    const [, value] = new RegExp(`^${row} (\\d+)$`, 'm').exec(text) ?? [];
    if (value === undefined) throw new Error(`${file}: no ${row} in\n${text}`);
    return Number(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rmdir(this.#folder);
  }
}
