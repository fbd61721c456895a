/**
 * The image of this checkout, built without a registry: the base image is made from Debian's packages and what npm has
 * installed, and buildah takes it by its name. It needs root, and some minutes; the base is kept in a folder of the
 * machine's temporary one.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mustRun, runCommand, type CommandResult } from '../kafka/command.ts';
import { baseRoot } from './base.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const baseName = 'docker.io/library/node:24-bookworm-slim';
const name = 'varve:test';

export interface Volume {
  readonly from: string;
  readonly at: string;
}

/** What a registry would tell of it. */
export interface ImageConfig {
  readonly User: string;
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Env: readonly string[];
}

export interface Image extends AsyncDisposable {
  /** Its files, of a container of its own. */
  readonly root: string;
  readonly config: ImageConfig;
  /** What it adds to the base. */
  readonly ownBytes: number;
  /** As `docker run` would, but that the files may be written; on the network of this machine. */
  run(words: readonly string[], volumes: readonly Volume[]): Promise<CommandResult>;
}

export async function buildImage(): Promise<Image> {
  if (process.getuid?.() !== 0) throw new Error('an image is made by root alone: run this as root');
  await installTools();
  const folder = join(tmpdir(), 'varve-image');
  await mkdir(folder, { recursive: true });
  const storage = [
    '--root',
    join(folder, 'storage'),
    '--runroot',
    join(folder, 'run'),
    '--storage-driver',
    'vfs',
  ];
  const buildah = async (...args: string[]): Promise<string> => {
    const { stdout } = await mustRun('buildah', [...storage, ...args], { neededFor: 'make an image' });
    return stdout.trim();
  };
  await commitBase(buildah, folder);
  const options = ['--isolation', 'chroot', '--pull-never', '--format', 'docker', '--quiet'];
  await buildah('bud', ...options, ...(await registryOptions(folder)), '--tag', name, checkout);
  const container = await buildah('from', '--pull-never', name);
  const inspected: { Docker: { config: ImageConfig } } = JSON.parse(
    await buildah('inspect', '--type', 'image', name),
  );
  return {
    root: await buildah('mount', container),
    config: inspected.Docker.config,
    ownBytes: (await sizeOf(buildah, name)) - (await sizeOf(buildah, baseName)),
    async run(words, volumes) {
      const mounts = volumes.flatMap(({ from, at }) => ['--volume', `${from}:${at}`]);
      return runCommand('buildah', [
        ...storage,
        'run',
        '--isolation',
        'chroot',
        ...mounts,
        container,
        '--',
        ...words,
      ]);
    },
    [Symbol.asyncDispose]: async () => void (await buildah('rm', container)),
  };
}

type Buildah = (...args: string[]) => Promise<string>;

async function installTools(): Promise<void> {
  const missing = ['debootstrap', 'buildah'].filter(
    (tool) => !['/usr/bin', '/usr/sbin'].some((folder) => existsSync(join(folder, tool))),
  );
  if (missing.length === 0) return;
  const neededFor = `install ${missing.join(' and ')}`;
  await mustRun('apt-get', ['update'], { neededFor });
  await mustRun('apt-get', ['install', '--yes', '--no-install-recommends', ...missing], { neededFor });
}

async function commitBase(buildah: Buildah, folder: string): Promise<void> {
  if ((await buildah('images', '--quiet', '--filter', `reference=${baseName}`)) !== '') return;
  const container = await buildah('from', 'scratch');
  await buildah('add', '--quiet', container, await baseRoot(folder), '/');
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  await buildah('config', '--env', `PATH=${path}`, '--cmd', 'node', container);
  await buildah('commit', '--quiet', '--rm', container, baseName);
}

/** Where this machine's npm finds packages, and whom it trusts: the image has nothing of it. */
async function registryOptions(folder: string): Promise<string[]> {
  const authority = process.env['NODE_EXTRA_CA_CERTS'] ?? (await npmSetting('cafile'));
  const hasOne = existsSync(authority);
  const lines = [`registry=${await npmSetting('registry')}`, ...(hasOne ? [`cafile=${authority}`] : [])];
  const file = join(folder, 'npmrc');
  await writeFile(file, `${lines.join('\n')}\n`);
  const volumes = [`${file}:/usr/local/etc/npmrc:ro`, ...(hasOne ? [`${authority}:${authority}:ro`] : [])];
  return volumes.flatMap((volume) => ['--volume', volume]);
}

async function npmSetting(key: string): Promise<string> {
  const { stdout } = await mustRun('npm', ['config', 'get', key], { neededFor: 'know the settings of npm' });
  return stdout.trim();
}

async function sizeOf(buildah: Buildah, image: string): Promise<number> {
  const text = await buildah('images', '--format', '{{.Size}}', image);
  const [, megabytes] = /^([\d.]+) MB$/.exec(text) ?? [];
  if (megabytes === undefined) throw new Error(`the size of ${image}: expected MB, got ${text}`);
  return Number(megabytes) * 1e6;
}
