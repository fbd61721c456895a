/** Which snapshots there are, and what their manifests say. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { openHead, headerBytes } from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import type { Disk } from '../host/host.ts';
import { isSnapshotId, snapshotFolder, snapshotsFolder, type RepositoryPlace } from './layout.ts';
import { headOf, parseHead, parseManifest, type Manifest, type ManifestHead } from './manifest.ts';
import { packPathPattern } from './manifest-shape.ts';
import type { Repository } from './open.ts';
import { readWhole } from './steps.ts';

export interface Opened<Document extends ManifestHead | Manifest> {
  readonly manifest: Document;
  /** SHA-256 of the sealed file. */
  readonly digest: string;
  /** When it was written, by the target's clock. */
  readonly publishedMs: number;
}

export type OpenedManifest = Opened<Manifest>;
export type OpenedHead = Opened<ManifestHead>;

const manifestBytesMax = 1024 * 1024 * 1024;
/** Cycles without new data leave no pack that tells their seq: so many in a row are looked through. */
const idleCyclesMax = 50_000;

/** Everything under `snapshots/`, oldest first; what is no snapshot apart. */
export async function listSnapshots(
  disk: Disk,
  place: RepositoryPlace,
): Promise<{ readonly ids: readonly string[]; readonly foreign: readonly string[] }> {
  const entries = (await disk.list(snapshotsFolder(place))) ?? [];
  const names = entries.map(({ name }) => name).filter((name) => !name.startsWith('.nfs'));
  const folders = new Set(entries.filter(({ kind }) => kind === 'folder').map(({ name }) => name));
  const isSnapshot = (name: string): boolean => isSnapshotId(name) && folders.has(name);
  return {
    ids: names.filter(isSnapshot).toSorted(),
    foreign: names.filter((name) => !isSnapshot(name)).toSorted(),
  };
}

export async function openManifest(
  disk: Disk,
  repository: Repository,
  id: string,
  o: { readonly seqGuess?: number } = {},
): Promise<OpenedManifest> {
  return await openAs(parseManifest, { disk, repository, id, ...o });
}

/** Without what a list of snapshots has no use for. */
export async function openManifestHead(
  disk: Disk,
  repository: Repository,
  id: string,
  o: { readonly seqGuess?: number } = {},
): Promise<OpenedHead> {
  return await openAs(parseHead, { disk, repository, id, ...o });
}

async function openAs<Document extends ManifestHead | Manifest>(
  parse: (raw: Buffer, id: string) => Document,
  o: { disk: Disk; repository: Repository; id: string; seqGuess?: number },
): Promise<Opened<Document>> {
  const { disk, repository, id } = o;
  const { place } = repository;
  const folder = snapshotFolder(place, id);
  const path = join(folder, 'manifest');
  const stat = await disk.stat(path);
  if (stat === undefined) throw damaged(id, 'it has none: the folder was not published by this program');
  if (stat.kind !== 'file') throw damaged(id, 'it is no file');
  if (stat.byteLength === 0 || stat.byteLength > manifestBytesMax)
    throw damaged(id, `expected up to ${manifestBytesMax} bytes, got ${stat.byteLength}`);
  const sealed = await readWhole(disk, path);
  const seq = await findSeq(disk, repository, { id, folder, sealed, seqGuess: o.seqGuess });
  const { repository: uuid } = repository.identity;
  const { instance } = place;
  const raw = repository.openSealed(
    { kind: 'manifest', repository: uuid, instance, snapshot: id, seq: BigInt(seq) },
    sealed,
  );
  const manifest = parse(raw, id);
  if (manifest.seq !== seq || manifest.repository !== uuid || manifest.instance !== instance)
    throw damaged(id, 'it is that of another snapshot');
  return {
    manifest,
    digest: createHash('sha256').update(sealed).digest('hex'),
    publishedMs: stat.modifiedMs,
  };
}

/** The whole of one whose head is at hand. */
export async function openBase(
  disk: Disk,
  repository: Repository,
  head: OpenedHead | undefined,
): Promise<OpenedManifest | undefined> {
  if (head === undefined) return undefined;
  const { id, seq } = head.manifest;
  return await openManifest(disk, repository, id, { seqGuess: seq });
}

export function asHead({ manifest, ...opened }: OpenedManifest): OpenedHead {
  return { ...opened, manifest: headOf(manifest) };
}

/**
 * A manifest opens only under its seq, which stands nowhere in the clear: it is not less than those in the names of the
 * packs, and as many more as there were cycles since without new data.
 */
async function findSeq(
  disk: Disk,
  repository: Repository,
  o: { id: string; folder: string; sealed: Buffer; seqGuess: number | undefined },
): Promise<number> {
  const { identity, place } = repository;
  const head = o.sealed.subarray(0, headerBytes);
  const fits = (seq: number): boolean => {
    try {
      openHead(
        head,
        {
          kind: 'manifest',
          repository: identity.repository,
          instance: place.instance,
          snapshot: o.id,
          seq: BigInt(seq),
        },
        (id) => repository.findKey(id),
      );
      return true;
    } catch (error) {
      if (error instanceof VarveError) return false;
      throw error;
    }
  };
  if (o.seqGuess !== undefined && fits(o.seqGuess)) return o.seqGuess;
  const least = await newestPackSeq(disk, o.folder);
  for (let seq = least; seq < least + idleCyclesMax; seq += 1) if (fits(seq)) return seq;
  return least; // opening it says what is wrong
}

async function newestPackSeq(disk: Disk, folder: string): Promise<number> {
  // Packs that lie beside the snapshots are named in the sums alone.
  const path = join(folder, 'SHA256SUMS');
  const isFile = (await disk.stat(path))?.kind === 'file';
  const sums = isFile ? (await readWhole(disk, path)).toString('utf8') : '';
  const named = [...sums.matchAll(/\/(\d{10})-\d{1,6}\.tar$/gm)].map(([, seq]) => Number(seq));
  let newest = Math.max(1, ...named);
  for (const month of (await disk.list(folder)) ?? []) {
    if (month.kind !== 'folder') continue;
    for (const { name } of (await disk.list(join(folder, month.name))) ?? []) {
      if (packPathPattern.test(`${month.name}/${name}`)) newest = Math.max(newest, Number(name.slice(0, 10)));
    }
  }
  return newest;
}

function damaged(id: string, what: string): VarveError {
  return new VarveError('damage', `manifest of snapshot ${id}: ${what}`, {
    hint: 'restore the snapshot from another copy of the repository, or move its folder away, then run varve verify',
  });
}
