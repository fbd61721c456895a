import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { unpackDebian } from '../../scripts/tools/apt.ts';
import { madeOnce } from '../../scripts/tools/made-once.ts';
import { Hanging } from '../target/hanging.ts';

const run = promisify(execFile);
const cache = fileURLToPath(new URL('../../node_modules/.cache/gocryptfs', import.meta.url));

/**
 * A folder behind Debian's gocryptfs, which keeps its own files behind a mount that hangs when told to. With
 * gocryptfs itself stopped a call waits in a queue, and a kill ends it; with what is behind it stopped, gocryptfs has
 * taken the call, and nothing ends that but an answer: as with a server on the network.
 */
export class Gocryptfs implements AsyncDisposable {
  readonly folder: string;
  readonly behind: Hanging;
  readonly #root: string;
  /** Where Debian's packages were unpacked. */
  readonly #unpacked: string;
  readonly #env: NodeJS.ProcessEnv;
  #server: ChildProcess | undefined;

  private constructor(o: { root: string; behind: Hanging; unpacked: string }) {
    this.#root = o.root;
    this.behind = o.behind;
    this.#unpacked = o.unpacked;
    // It calls fusermount by its name.
    this.#env = { ...process.env, PATH: [join(o.unpacked, 'bin'), process.env['PATH']].join(delimiter) };
    this.folder = join(o.root, 'plain');
  }

  static async mount(): Promise<Gocryptfs> {
    const unpacked = await madeOnce(cache, async (target) => unpackDebian(['gocryptfs', 'fuse3'], target));
    await using opened = new AsyncDisposableStack();
    const behind = opened.use(await Hanging.mount());
    const root = await mkdtemp(join(tmpdir(), 'varve-gocryptfs-'));
    const mounted = opened.use(new Gocryptfs({ root, behind, unpacked }));
    await mkdir(mounted.folder);
    await mkdir(mounted.#sealed);
    await writeFile(mounted.#password, 'of a test');
    await run(mounted.#program, ['-init', '-q', '-scryptn', '10', ...mounted.#words, mounted.#sealed]);
    await mounted.begin();
    opened.move();
    return mounted;
  }

  /** Mounts it, for the first time or again. */
  async begin(): Promise<void> {
    const words = ['-fg', '-nosyslog', ...this.#words, this.#sealed, this.folder];
    const server = spawn(this.#program, words, { env: this.#env, stdio: ['ignore', 'pipe', 'ignore'] });
    this.#server = server;
    for await (const line of createInterface({ input: server.stdout }))
      if (line.includes('mounted and ready')) return;
    throw new Error('gocryptfs did not mount');
  }

  stop(): void {
    this.#server?.kill('SIGSTOP');
  }

  resume(): void {
    this.#server?.kill('SIGCONT');
    this.behind.resume();
  }

  /** Every call fails with ENOTCONN from now on, and each that waits. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  }

  /** The folder is there, and empty; what is open lives on. */
  async unmount(): Promise<void> {
    await run('fusermount', ['-uz', this.folder], { env: this.#env });
  }

  async remount(how: 'ro' | 'rw'): Promise<void> {
    await run('mount', ['-o', `remount,bind,${how}`, this.folder]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    await this.kill();
    while ((await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${this.folder} `))
      await run('umount', ['-l', this.folder]);
    await this.behind[Symbol.asyncDispose]();
    await rm(this.#root, { recursive: true, force: true });
  }

  get #program(): string {
    return join(this.#unpacked, 'usr/bin/gocryptfs');
  }

  get #sealed(): string {
    return join(this.behind.folder, 'sealed');
  }

  get #password(): string {
    return join(this.#root, 'password');
  }

  get #words(): string[] {
    return ['-passfile', this.#password];
  }
}
