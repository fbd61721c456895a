/** The plain side of a snapshot: its files, and the sums that anybody can check. */
import { join } from 'node:path';
import { VarveError } from '../errors.ts';
import type { Disk } from '../host/host.ts';
import { packName, type Manifest } from '../repository/repository.ts';

interface SumLine {
  readonly sha256: string;
  readonly path: string;
}

export interface FileBelow {
  readonly kind: string;
  readonly byteLength: number;
  readonly inode: bigint;
  readonly device: bigint;
}

/** Everything in a snapshot's folder and the folders in it, by path; a folder only where it is empty. */
export async function filesBelow(disk: Disk, folder: string, prefix = ''): Promise<Map<string, FileBelow>> {
  const found = new Map<string, FileBelow>();
  for (const { name, kind } of (await disk.list(join(folder, prefix))) ?? []) {
    if (name.startsWith('.nfs')) continue;
    const path = prefix === '' ? name : `${prefix}/${name}`;
    if (kind === 'folder' && prefix === '') {
      const inside = await filesBelow(disk, folder, path);
      for (const [below, stat] of inside) found.set(below, stat);
      if (inside.size > 0) continue;
    }
    const stat = await disk.stat(join(folder, path));
    if (stat !== undefined) found.set(path, stat);
  }
  return found;
}

/** `digest` is that of the manifest, sealed. */
export function formatSums({ packs }: Pick<Manifest, 'packs'>, digest: string): string {
  const sums = packs.map((pack) => ({ name: packName(pack), sha256: pack.sha256 }));
  return [...sums, { name: 'manifest', sha256: digest }]
    .map(({ name, sha256 }) => `${sha256}  ${name}\n`)
    .join('');
}

export function parseSums(text: string): SumLine[] {
  if (text === '') throw wrong('it is empty');
  if (!text.endsWith('\n')) throw wrong('its last line is cut off');
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      const match =
        /^([0-9a-f]{64}) {2}(manifest|(?:\.\.\/\.\.\/packs\/)?\d{4}-\d{2}\/\d{10}-\d{1,6}\.tar)$/.exec(line);
      if (match?.[1] === undefined || match[2] === undefined) throw wrong('a line of it is no sum of a pack');
      return { sha256: match[1], path: match[2] };
    });
}

export function wrong(what: string): VarveError {
  return new VarveError('damage', what, {
    hint: 'restore the file from another copy of the repository, then run varve verify again',
  });
}
