import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const source = fileURLToPath(new URL('hanging', import.meta.url));

/**
 * A folder behind a FUSE file system of our own: as long as its server process is stopped, every call to it hangs in the
 * kernel, as on an NFS mount whose server is gone. Needs Go, /dev/fuse and the right to mount.
 */
export class Hanging implements AsyncDisposable {
  readonly folder: string;
  readonly #root: string;
  readonly #server: ChildProcess;
  readonly #said: Interface;

  private constructor(root: string, server: ChildProcess, said: Interface) {
    this.#root = root;
    this.#server = server;
    this.#said = said;
    this.folder = join(root, 'seen');
  }

  /** Squashed to a user, that one does everything behind it, and the folder is that one's. */
  static async mount({ squashedTo }: { squashedTo?: number } = {}): Promise<Hanging> {
    const root = await mkdtemp(join(tmpdir(), 'varve-hanging-'));
    for (const name of ['behind', 'seen']) await mkdir(join(root, name));
    if (squashedTo !== undefined) {
      await chmod(root, 0o711);
      await chown(join(root, 'behind'), squashedTo, squashedTo);
    }
    const program = join(root, 'server');
    await run('go', ['build', '-o', program, '.'], { cwd: source });
    const server = spawn(
      program,
      [join(root, 'behind'), join(root, 'seen'), ...(squashedTo === undefined ? [] : [String(squashedTo)])],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    let words = '';
    server.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
    const said = createInterface({ input: server.stdout });
    const mounted = once(said, 'line').then(() => true);
    const failed = once(server, 'exit').then(() => false);
    if (!(await Promise.race([mounted, failed])))
      throw new Error(`the test needs to mount through FUSE: ${words}`);
    return new Hanging(root, server, said);
  }

  /** What the server has. */
  get behind(): string {
    return join(this.#root, 'behind');
  }

  stop(): void {
    this.#server.kill('SIGSTOP');
  }

  /** Resolves when it has stopped by itself in the middle of such a call to a pack. */
  async stoppedAt(call: 'write' | 'fsync' | 'read'): Promise<void> {
    const stopped = once(this.#said, 'line');
    this.#server.stdin?.write(`${call}\n`);
    await stopped;
  }

  resume(): void {
    this.#server.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    await run('umount', ['-l', this.folder]).catch(() => undefined); // the end of the server ends the mount, too
    if (this.#server.exitCode === null && this.#server.signalCode === null) {
      this.#server.kill('SIGKILL');
      await once(this.#server, 'exit');
    }
    await rm(this.#root, { recursive: true, force: true });
  }
}
