import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { unpackDebian } from '../../scripts/tools/apt.ts';
import { madeOnce } from '../../scripts/tools/made-once.ts';

const run = promisify(execFile);
const cache = fileURLToPath(new URL('../../node_modules/.cache/exfat', import.meta.url));
const packages = ['exfat-fuse', 'exfatprogs', 'libfuse2'];
const imageBytes = 256 * 1024 * 1024;

/** A USB stick: exFAT by Debian's exfat-fuse on a loop device. It has neither hard links nor symbolic ones, nor modes. */
export class Exfat implements AsyncDisposable {
  readonly folder: string;
  readonly #root: string;
  readonly #unpacked: string;
  readonly #device: string;

  private constructor(o: { root: string; unpacked: string; device: string }) {
    this.#root = o.root;
    this.#unpacked = o.unpacked;
    this.#device = o.device;
    this.folder = join(o.root, 'stick');
  }

  static async mount(): Promise<Exfat> {
    const unpacked = await madeOnce(cache, async (target) => unpackDebian(packages, target));
    const root = await mkdtemp(join(tmpdir(), 'varve-exfat-'));
    const image = join(root, 'image');
    await writeFile(image, '');
    await truncate(image, imageBytes);
    await run(join(unpacked, 'usr/sbin/mkfs.exfat'), [image]);
    const { stdout } = await run('losetup', ['--find', '--show', image]);
    const stick = new Exfat({ root, unpacked, device: stdout.trim() });
    await mkdir(stick.folder);
    await stick.begin();
    return stick;
  }

  async begin(): Promise<void> {
    const env = { ...process.env, LD_LIBRARY_PATH: join(this.#unpacked, 'lib/x86_64-linux-gnu') };
    await run(join(this.#unpacked, 'sbin/mount.exfat-fuse'), [this.#device, this.folder], { env });
  }

  async unmount(): Promise<void> {
    await run('umount', [this.folder]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount();
    await run('losetup', ['--detach', this.#device]);
    await rm(this.#root, { recursive: true, force: true });
  }
}
