/** From a staging folder to a snapshot: every step durable before the next, nothing visible before the last. */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import {
  createFile,
  formatManifest,
  linkSettled,
  openManifest,
  renameSettled,
  snapshotFolder,
  snapshotsFolder,
  stagingFolder,
  stagingRoot,
  syncFolder,
  type Manifest,
  type OpenedManifest,
  type Pack,
  type Repository,
} from '../repository/repository.ts';
import { formatSums } from './sums.ts';

export interface PublishPorts {
  readonly host: Host;
  readonly repository: Repository;
  /** Throws where somebody else has taken the repository's lock. */
  readonly assertLocked: () => Promise<void>;
  /** Before each named step: progress, and where a test can stop the process. */
  readonly onStep: (step: PublishStep) => void;
}

export type PublishStep =
  | 'link'
  | 'sums'
  | 'manifest'
  | 'sync'
  | 'lock'
  | 'rename'
  | 'sync snapshots'
  | 'reopen';

/** A carried pack that is not what its manifest says: missing, or of another length. */
export interface MissingPack {
  readonly pack: Pack;
  readonly problem: string;
}

/** Links the packs of the snapshot before. What cannot be linked because it is not there is told, not thrown. */
export async function linkPacks(
  packs: readonly Pack[],
  { id, previous }: { id: string; previous: string },
  { host, repository, onStep }: Pick<PublishPorts, 'host' | 'repository' | 'onStep'>,
): Promise<{ linked: Pack[]; missing: MissingPack[] }> {
  onStep('link');
  const from = snapshotFolder(repository.place, previous);
  const to = stagingFolder(repository.place, id);
  const linked: Pack[] = [];
  const missing: MissingPack[] = [];
  const folders = new Set<string>();
  for (const pack of packs) {
    const existing = join(from, pack.path);
    const stat = await host.disk.stat(existing);
    if (stat?.kind !== 'file' || stat.byteLength !== pack.bytes) {
      const problem =
        stat === undefined ? 'it is missing' : `expected ${pack.bytes} bytes, got ${stat.byteLength}`;
      missing.push({ pack, problem });
      continue;
    }
    const fresh = join(to, pack.path);
    const folder = dirname(fresh);
    if (!folders.has(folder)) await host.disk.makeFolder(folder);
    folders.add(folder);
    await linkSettled(host.disk, existing, fresh);
    linked.push(pack);
  }
  return { linked, missing };
}

/** Publishes what is staged under the manifest's id. What it returns was opened by its new path. */
export async function publish(manifest: Manifest, ports: PublishPorts): Promise<OpenedManifest> {
  const { host, repository, onStep } = ports;
  const { place, identity } = repository;
  const { disk } = host;
  const staged = stagingFolder(place, manifest.id);
  const { instance } = place;
  const sealed = repository.seal(
    {
      kind: 'manifest',
      repository: identity.repository,
      instance,
      snapshot: manifest.id,
      seq: BigInt(manifest.seq),
    },
    formatManifest(manifest),
  );
  const digest = createHash('sha256').update(sealed).digest('hex');
  onStep('sums');
  const sums = Buffer.from(formatSums(manifest, digest));
  await createFile(disk, join(staged, 'SHA256SUMS'), [sums], { mode: 0o440 });
  onStep('manifest');
  await createFile(disk, join(staged, 'manifest'), [sealed], { mode: 0o440 });
  onStep('sync');
  for (const month of new Set(manifest.packs.map(({ path }) => dirname(path))))
    await syncFolder(disk, join(staged, month));
  await syncFolder(disk, staged);
  await syncFolder(disk, stagingRoot(place));
  onStep('lock');
  await ports.assertLocked();
  onStep('rename');
  await renameSettled(disk, staged, snapshotFolder(place, manifest.id));
  onStep('sync snapshots');
  await syncFolder(disk, snapshotsFolder(place));
  await syncFolder(disk, stagingRoot(place));
  onStep('reopen');
  const opened = await openManifest(disk, repository, manifest.id, { seqGuess: manifest.seq });
  if (opened.digest === digest) return opened;
  throw new VarveError('damage', `manifest of snapshot ${manifest.id}: the target gives back another one`, {
    hint: 'look at the target and its server, then run varve verify',
  });
}
