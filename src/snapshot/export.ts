/**
 * A snapshot as a repository of its own, in another folder: everything that its restore needs and nothing else. The
 * repository's `varve.json` has its name last: what was cut off is no repository, and says so to every command.
 */
import { createHash } from 'node:crypto';
import { dirname, join, relative } from 'node:path';
import { VarveError } from '../errors.ts';
import { codeOf, ensureFolder, type Disk, type DiskStat, type Host } from '../host/host.ts';
import {
  beginCopy,
  copyFile,
  createFile,
  ensureInstance,
  finishCopy,
  isUnfinished,
  keysFolder,
  openManifest,
  packName,
  readIndex,
  readPastCache,
  readRepositoryIdentity,
  readWhole,
  removeUnfinished,
  repositoryFileName,
  snapshotFolder,
  syncFolder,
  type OpenedManifest,
  type Repository,
  type RepositoryPlace,
} from '../repository/repository.ts';
import { formatSums } from './sums.ts';
import type { VerifyPorts } from './verify.ts';

export interface ExportReport {
  readonly instance: string;
  readonly snapshot: string;
  readonly folder: string;
  readonly packs: number;
  /** Of the packs. */
  readonly bytes: number;
}

export interface ExportRequest {
  readonly repository: Repository;
  readonly opened: OpenedManifest;
  readonly folder: string;
  /** Opens what was made, as a restore from it would. */
  readonly reopen: (place: RepositoryPlace) => Promise<Repository>;
}

const mode = 0o440;

export async function exportSnapshot(ports: VerifyPorts, o: ExportRequest): Promise<ExportReport> {
  const { disk } = ports.host;
  const { folder, repository } = o;
  const { id, packs, instance } = o.opened.manifest;
  const bytes = packs.reduce((sum, pack) => sum + pack.bytes, 0);
  const isMade = await prepareFolder(disk, { folder, repositoryFolder: repository.place.folder, bytes });
  const identity = await readRepositoryIdentity(disk, repository.place.folder);
  const note = await beginCopy(ports.host, folder, identity);
  let isFinished = false;
  try {
    await copyAll(ports, o, bytes);
    await finishCopy(disk, folder, note);
    isFinished = true;
    await assertRestorable(disk, await o.reopen({ folder, instance }), o.opened);
  } catch (error) {
    await takeBack(disk, { folder, note, isMade, isFinished }).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
  return { instance, snapshot: id, folder, packs: packs.length, bytes };
}

async function assertApart(disk: Disk, repositoryFolder: string, folder: string): Promise<void> {
  const isApart = !isWithin(folder, repositoryFolder) && !isWithin(repositoryFolder, folder);
  if (isApart && !(await leadsInto(disk, repositoryFolder, folder))) return;
  throw new VarveError(
    'usage',
    `export: ${folder} and the repository ${repositoryFolder} lie in one another`,
    {
      hint: 'choose a folder outside of the repository',
    },
  );
}

function isWithin(inner: string, outer: string): boolean {
  return !/^\.\.(\/|$)/.test(relative(outer, inner));
}

/** By a symbolic link a folder is inside under another name: each folder above it, as the disk has them, up to the root. */
async function leadsInto(disk: Disk, outer: string, folder: string): Promise<boolean> {
  const wanted = await disk.stat(`${outer}/.`);
  if (wanted === undefined) return false;
  let path = `${await nearest(disk, folder)}/.`;
  let at = await disk.stat(path);
  while (at !== undefined) {
    if (isSame(at, wanted)) return true;
    path += '/..';
    const above = await disk.stat(path);
    if (above !== undefined && isSame(at, above)) return false;
    at = above;
  }
  return false;
}

function isSame(a: DiskStat, b: DiskStat): boolean {
  return a.inode === b.inode && a.device === b.device;
}

/** What a file system that is new has in it. */
const ofFileSystem = ['lost+found'];

/** True where the folder was made. */
async function prepareFolder(
  disk: Disk,
  { folder, repositoryFolder, bytes }: { folder: string; repositoryFolder: string; bytes: number },
): Promise<boolean> {
  let there = await entriesOf(disk, folder);
  await assertApart(disk, repositoryFolder, folder);
  if (there !== undefined && (await isUnfinished(disk, folder))) {
    await removeUnfinished(disk, folder);
    there = await entriesOf(disk, folder);
  }
  const [first] = (there ?? []).filter((name) => !ofFileSystem.includes(name)).toSorted();
  if (there !== undefined && first !== undefined) {
    throw new VarveError(
      'refused',
      `export: expected an empty folder or none at all, ${folder} holds ${first}`,
      { hint: 'nothing was touched: choose another folder' },
    );
  }
  const free = await disk.freeBytes(await nearest(disk, folder));
  if (free < bytes) {
    throw new VarveError(
      'no-space',
      `export: ${folder} has room for ${free} bytes, the packs have ${bytes}`,
      {
        hint: 'nothing was touched: make room there, or choose another folder',
      },
    );
  }
  if (there === undefined) await ensureFolder(disk, folder);
  return there === undefined;
}

async function entriesOf(disk: Disk, folder: string): Promise<string[] | undefined> {
  try {
    return (await disk.list(folder))?.map(({ name }) => name);
  } catch (error) {
    if (codeOf(error) !== 'ENOTDIR') throw error;
    throw new VarveError(
      'refused',
      `export: expected a folder or nothing at all, ${folder} is something else`,
      {
        hint: 'nothing was touched: choose another folder',
      },
    );
  }
}

async function nearest(disk: Disk, folder: string): Promise<string> {
  return (await disk.stat(folder)) === undefined && dirname(folder) !== folder
    ? await nearest(disk, dirname(folder))
    : folder;
}

async function copyAll(ports: VerifyPorts, o: ExportRequest, totalBytes: number): Promise<void> {
  const { host, signal, emit } = ports;
  const { disk } = host;
  const { repository, folder } = o;
  const { manifest, digest } = o.opened;
  const from = snapshotFolder(repository.place, manifest.id);
  const to = { folder, instance: manifest.instance };
  const snapshot = snapshotFolder(to, manifest.id);
  await ensureInstance(host, to);
  await ensureFolder(disk, snapshot);
  await copyKeys(host, repository.place, to);
  const folders = new Set([snapshot]);
  let readBytes = 0;
  const onBytes = (count: number): void => {
    readBytes += count;
    emit({ type: 'verify-progress', readBytes, totalBytes });
  };
  for (const pack of manifest.packs) {
    const name = packName(pack);
    const path = join(snapshot, name);
    await ensureFolder(disk, dirname(path));
    folders.add(dirname(path));
    const file = { from: join(from, name), to: path, sha256: pack.sha256, signal, onBytes };
    const problem = await copyFile(disk, file);
    if (problem !== undefined) throw damaged(`pack ${pack.path} of snapshot ${manifest.id}: ${problem}`);
  }
  const sums = Buffer.from(formatSums(manifest, digest));
  await createWhole(disk, join(snapshot, 'SHA256SUMS'), sums);
  const sealed = await readWhole(disk, join(from, 'manifest'));
  if (createHash('sha256').update(sealed).digest('hex') !== digest)
    throw damaged(`manifest of snapshot ${manifest.id}: it is another one than a moment ago`);
  await createWhole(disk, join(snapshot, 'manifest'), sealed);
  for (const made of folders) await syncFolder(disk, made);
}

async function copyKeys({ disk }: Host, from: RepositoryPlace, to: RepositoryPlace): Promise<void> {
  await ensureFolder(disk, keysFolder(to));
  for (const { name, kind } of (await disk.list(keysFolder(from))) ?? []) {
    if (kind !== 'file' || name.startsWith('.')) continue;
    await createWhole(disk, join(keysFolder(to), name), await readWhole(disk, join(keysFolder(from), name)));
  }
  await syncFolder(disk, keysFolder(to));
}

async function createWhole(disk: Disk, path: string, bytes: Buffer): Promise<void> {
  await createFile(disk, path, [bytes], { mode });
  const { sha256 } = await readPastCache(disk, path, () => undefined);
  if (sha256 === createHash('sha256').update(bytes).digest('hex')) return;
  throw damaged(`${path}: it gives back something else than what was written`);
}

/** Opened with the keys that were copied, from the files that were made. */
async function assertRestorable(
  disk: Disk,
  made: Repository,
  { manifest, digest }: OpenedManifest,
): Promise<void> {
  const again = await openManifest(disk, made, manifest.id, { seqGuess: manifest.seq });
  if (again.digest !== digest) throw damaged(`manifest of snapshot ${manifest.id}: its copy is another one`);
  const snapshot = snapshotFolder(made.place, manifest.id);
  for (const pack of manifest.packs) await readIndex(disk, made, { snapshot, pack });
}

/** The folder as it was; `varve.json` goes first, as it came last. Of somebody else's copy nothing is touched. */
async function takeBack(
  disk: Disk,
  o: { folder: string; note: string; isMade: boolean; isFinished: boolean },
): Promise<void> {
  const { folder, isMade } = o;
  const note = join(folder, o.note);
  if (o.isFinished) await disk.rename(join(folder, repositoryFileName), note);
  if ((await disk.stat(note)) === undefined) return;
  await removeUnfinished(disk, folder);
  if (isMade) await disk.removeFolder(folder);
}

function damaged(what: string): VarveError {
  return new VarveError('damage', `export: ${what}`, {
    hint: 'what was made is gone again; varve verify tells what is wrong with the repository',
  });
}
