import { existsSync } from 'node:fs';
import { cp, mkdir, realpath, rm, symlink } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mustRun } from '../kafka/command.ts';
import { madeOnce } from '../tools/made-once.ts';

const nodeOfTheCheckout = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url));

/** The files of node:24-bookworm-slim, or what of them counts, without a registry: Debian, Node, its headers, and npm. */
export async function baseRoot(folder: string): Promise<string> {
  return madeOnce(join(folder, 'base'), async (root) => {
    await mustRun('debootstrap', ['--variant=minbase', 'bookworm', root], { neededFor: 'make a Debian' });
    for (const left of ['usr/share/doc', 'usr/share/man', 'var/cache/apt/archives', 'var/lib/apt/lists']) {
      await rm(join(root, left), { recursive: true, force: true });
      await mkdir(join(root, left), { recursive: true });
    }
    const local = join(root, 'usr/local');
    await cp(nodeOfTheCheckout, join(local, 'bin/node'));
    await cp(nodeHeaders(), join(local, 'include/node'), { recursive: true });
    await cp(await npmFolder(), join(local, 'lib/node_modules/npm'), { recursive: true });
    await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'));
  });
}

/** The binding to zstd uses the part of them that is the same for every version of Node. */
function nodeHeaders(): string {
  const places = foldersOfPath().map((folder) => join(dirname(folder), 'include/node'));
  const found = places.find((place) => existsSync(join(place, 'node_api.h')));
  if (found === undefined)
    throw new Error(`no node_api.h in any of ${places.join(', ')}: install Node's headers`);
  return found;
}

async function npmFolder(): Promise<string> {
  const npm = foldersOfPath()
    .map((folder) => join(folder, 'npm'))
    .find((path) => existsSync(path));
  if (npm === undefined) throw new Error('npm is not on the PATH: install it');
  return dirname(dirname(await realpath(npm)));
}

function foldersOfPath(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter);
}
