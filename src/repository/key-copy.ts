/**
 * `<local.dir>/keys/`: a copy of the repository's, so that a `keys/` that vanished from the target is not the end of it.
 * What it holds of a file that went, or became another, is moved to `old/` and never overwritten.
 */
import { join } from 'node:path';
import { ensureFolder, replaceFile, type Host } from '../host/host.ts';
import { digestOf } from './key-notes.ts';
import { readCopies, type KeyProblem } from './key-watch.ts';
import { keysFolder } from './layout.ts';
import type { Repository } from './open.ts';
import { readWhole, renameSettled, syncFolder } from './steps.ts';

function isOurs(name: string): boolean {
  return /^(keyring\.\d+|removed\.[0-9a-f]{16}|[^.].*\.json)$/.test(name);
}

/** Files with a problem are not taken over, and what was copied of them stays. */
export async function copyKeys(
  host: Host,
  repository: Repository,
  o: { localFolder: string; problems: readonly KeyProblem[] },
): Promise<void> {
  const { disk } = host;
  const from = keysFolder(repository.place);
  const to = keysFolder({ folder: o.localFolder });
  await ensureFolder(disk, to);
  const isWrong = (name: string): boolean => o.problems.some(({ file }) => file === name);
  const { isForeign } = await readCopies(disk, {
    folder: o.localFolder,
    repository: repository.identity.repository,
  });
  const there = new Map<string, Buffer>();
  for (const { name, kind } of (await disk.list(from)) ?? []) {
    if (kind === 'file' && isOurs(name) && !isWrong(name))
      there.set(name, await readWhole(disk, join(from, name)));
  }
  for (const { name, kind } of (await disk.list(to)) ?? []) {
    if (kind !== 'file' || !isOurs(name) || (isWrong(name) && !isForeign)) continue;
    const known = await readWhole(disk, join(to, name));
    if (there.get(name)?.equals(known) !== true) await setAside(host, to, { name, bytes: known });
  }
  for (const [name, bytes] of there) {
    if ((await disk.stat(join(to, name))) === undefined) await replaceFile(host, join(to, name), bytes);
  }
}

async function setAside(
  { disk }: Host,
  folder: string,
  { name, bytes }: { name: string; bytes: Buffer },
): Promise<void> {
  const old = join(folder, 'old');
  await ensureFolder(disk, old);
  const path = join(old, `${name}.${digestOf(bytes).slice(0, 16)}`);
  if ((await disk.stat(path)) === undefined) await renameSettled(disk, join(folder, name), path);
  else await disk.removeFile(join(folder, name));
  await syncFolder(disk, old);
  await syncFolder(disk, folder);
}
