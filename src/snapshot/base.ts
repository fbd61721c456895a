/** The snapshot that a cycle builds on, and whether it is the one that this installation remembers. */
import { join } from 'node:path';
import { VarveError } from '../errors.ts';
import type { Disk } from '../host/host.ts';
import {
  lengthProblem,
  listSnapshots,
  openManifestHead,
  packName,
  readWhole,
  snapshotFolder,
  type Memory,
  type OpenedHead,
  type Repository,
} from '../repository/repository.ts';
import { formatSums } from './sums.ts';

const atOnceMax = 16;

/** The heads of every snapshot of the instance, oldest first; what cannot be opened apart. */
export interface Catalog {
  readonly opened: readonly OpenedHead[];
  readonly problems: readonly { readonly id: string; readonly error: VarveError }[];
}

export async function openCatalog(disk: Disk, repository: Repository): Promise<Catalog> {
  const { ids, foreign } = await listSnapshots(disk, repository.place);
  const opened: OpenedHead[] = [];
  const problems: { id: string; error: VarveError }[] = foreign.map((id) => ({
    id,
    error: new VarveError('damage', `snapshots/${id} is no snapshot`, {
      hint: 'move it out of the repository',
    }),
  }));
  for (const { id, found, error } of await openAll(disk, repository, ids)) {
    if (found !== undefined) opened.push(found);
    if (error !== undefined) problems.push({ id, error });
  }
  return { opened: opened.toSorted((a, b) => a.manifest.seq - b.manifest.seq), problems };
}

interface Looked {
  readonly id: string;
  readonly found: OpenedHead | undefined;
  readonly error: VarveError | undefined;
}

/** In the order of the ids. Each takes some calls of a target that may be far away, so many are on their way at once. */
async function openAll(disk: Disk, repository: Repository, ids: readonly string[]): Promise<Looked[]> {
  const looked = new Map<string, Looked>();
  const left = [...ids.entries()].toReversed();
  // Snapshots mostly follow each other without a gap, which spares a search for the seq.
  let known: { readonly index: number; readonly seq: number } | undefined;
  const work = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [index, id] = next;
      const guess = known === undefined ? {} : { seqGuess: known.seq + index - known.index };
      const one = await lookAt(disk, repository, id, guess);
      if (one.found !== undefined) known = { index, seq: one.found.manifest.seq };
      looked.set(id, one);
    }
  };
  await Promise.all(Array.from({ length: atOnceMax }, work));
  return ids.flatMap((id) => looked.get(id) ?? []);
}

async function lookAt(
  disk: Disk,
  repository: Repository,
  id: string,
  guess: { seqGuess?: number },
): Promise<Looked> {
  let found: OpenedHead | undefined;
  try {
    found = await openManifestHead(disk, repository, id, guess);
    const error = (await absentPack(disk, repository, found)) ?? (await wrongSums(disk, repository, found));
    return { id, found, error };
  } catch (error) {
    if (!(error instanceof VarveError) || error.code !== 'damage') throw error;
    return { id, found, error };
  }
}

/** A snapshot whose packs are not all there, each of its length, is no reason to let go of another. */
async function absentPack(
  disk: Disk,
  { place }: Repository,
  { manifest }: OpenedHead,
): Promise<VarveError | undefined> {
  for (const pack of manifest.packs) {
    const { path, bytes } = pack;
    const file = join(snapshotFolder(place, manifest.id), packName(pack));
    const problem = await lengthProblem(disk, file, bytes);
    if (problem === undefined) continue;
    return new VarveError('damage', `pack ${path} of snapshot ${manifest.id}: ${problem}`, {
      hint: 'put the pack back from another snapshot or another copy of the repository, then run varve verify',
    });
  }
  return undefined;
}

/** What a storage administrator checks with is as much a part of the snapshot as the packs; nothing else is. */
async function wrongSums(
  disk: Disk,
  { place }: Repository,
  { manifest, digest }: OpenedHead,
): Promise<VarveError | undefined> {
  const folder = snapshotFolder(place, manifest.id);
  const within = manifest.packs.filter(({ shared }) => shared !== true);
  const months = within.map(({ path }) => path.slice(0, path.indexOf('/')));
  const own = new Set(['manifest', 'SHA256SUMS', ...months]);
  const foreign = ((await disk.list(folder)) ?? []).find(
    ({ name }) => !own.has(name) && !name.startsWith('.nfs'),
  );
  if (foreign !== undefined) {
    return new VarveError('damage', `${foreign.name} does not belong to snapshot ${manifest.id}`, {
      hint: 'move it out of the repository',
    });
  }
  const path = join(folder, 'SHA256SUMS');
  const isFile = (await disk.stat(path))?.kind === 'file';
  const sums = isFile ? await readWhole(disk, path) : undefined;
  if (sums?.toString('utf8') === formatSums(manifest, digest)) return undefined;
  return new VarveError('damage', `SHA256SUMS of snapshot ${manifest.id} is not what its manifest says`, {
    hint: 'varve verify tells what is wrong; put the file back from another copy of the repository',
  });
}

/** How the repository differs from what this installation noted after its last publication, if it does. */
export function findRollback(
  { opened, problems }: Catalog,
  memory: Memory | undefined,
  { repository, instance }: { repository: string; instance: string },
): VarveError | undefined {
  if (memory === undefined || memory.repository === '' || memory.instance !== instance) return undefined;
  if (memory.repository !== repository) {
    return refused(
      `the repository is another one: expected ${memory.repository}, got ${repository}`,
      'mount the right repository; if this one shall take its place, run the cycle once with --accept-rollback, which carries every local segment into it',
    );
  }
  const known = memory.newest;
  const base = opened.at(-1);
  if (known === null || (base !== undefined && isSuccessor(opened, base, known))) return undefined;
  const named = problems.map(({ error }) => `; ${error.message}`).join('');
  const got = base === undefined ? 'none' : `${base.manifest.id} (seq ${base.manifest.seq})`;
  return refused(
    `the repository was rolled back: expected snapshot ${known.id} (seq ${known.seq}), got ${got}${named}`,
    'bring the newer state of the repository back; if it is gone for good, run the cycle once with --accept-rollback, which carries again every local segment that the newest snapshot lacks',
  );
}

/** The newest snapshot, held against what was noted after the last publication. */
export function chooseBase(
  catalog: Catalog,
  memory: Memory | undefined,
  o: { repository: string; instance: string; acceptRollback: boolean; warn: (message: string) => void },
): OpenedHead | undefined {
  const base = catalog.opened.at(-1);
  const problem = findRollback(catalog, memory, o);
  if (problem !== undefined) {
    if (!o.acceptRollback) throw problem;
    o.warn(`${problem.message}: accepted`);
    return base;
  }
  const isKnown = memory?.repository === o.repository && memory.newest !== null;
  if (!isKnown && base !== undefined)
    o.warn(
      `no memory of this repository: snapshot ${base.manifest.id} (seq ${base.manifest.seq}) is trusted on first use`,
    );
  return base;
}

/** It is the snapshot that is remembered, or follows it link by link: what was published and could not be noted. */
function isSuccessor(
  opened: readonly OpenedHead[],
  base: OpenedHead,
  known: { id: string; seq: number; digest: string },
): boolean {
  for (let at: OpenedHead | undefined = base; at !== undefined;) {
    const { id, seq, previous }: OpenedHead['manifest'] = at.manifest;
    if (id === known.id) return at.digest === known.digest;
    if (seq <= known.seq || previous === null) return false;
    if (previous.id === known.id) return previous.digest === known.digest;
    at = opened.find(({ manifest, digest }) => manifest.id === previous.id && digest === previous.digest);
  }
  return false;
}

function refused(message: string, hint: string): VarveError {
  return new VarveError('refused', message, { hint });
}
