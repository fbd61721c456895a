/** From a staging folder to a snapshot: every step durable before the next, nothing visible before the last. */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { VarveError } from '../errors.ts';
import { ensureFolder, type Host } from '../host/host.ts';
import {
  createFile,
  formatManifest,
  openManifest,
  packsFolder,
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
  | 'place'
  | 'sums'
  | 'manifest'
  | 'sync'
  | 'lock'
  | 'rename'
  | 'sync snapshots'
  | 'reopen';

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
  await using placed = new PlacedPacks(ports, manifest);
  await placed.place();
  onStep('sums');
  const sums = Buffer.from(formatSums(manifest, digest));
  await createFile(disk, join(staged, 'SHA256SUMS'), [sums], { mode: 0o440 });
  onStep('manifest');
  await createFile(disk, join(staged, 'manifest'), [sealed], { mode: 0o440 });
  onStep('sync');
  for (const month of new Set(ownPacks(manifest).map(({ path }) => dirname(path))))
    await syncFolder(disk, join(staged, month));
  await syncFolder(disk, staged);
  await syncFolder(disk, stagingRoot(place));
  onStep('lock');
  await ports.assertLocked();
  // From here on it may be there, whatever is said of the rename.
  placed.keep();
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

function ownPacks({ packs }: Manifest): readonly Pack[] {
  return packs.filter(({ shared }) => shared !== true);
}

/**
 * The new packs that snapshots will share, moved from the staging folder to where they lie together. Nobody refers to
 * them yet: what is not published is taken back, and what a process that was killed leaves there is swept by a cycle.
 */
class PlacedPacks implements AsyncDisposable {
  readonly #ports: PublishPorts;
  readonly #staged: string;
  readonly #folder: string;
  readonly #packs: readonly Pack[];
  #placed: Pack[] = [];

  constructor(ports: PublishPorts, manifest: Manifest) {
    this.#ports = ports;
    const { place } = ports.repository;
    this.#staged = stagingFolder(place, manifest.id);
    this.#folder = packsFolder(place);
    const own = `/${String(manifest.seq).padStart(10, '0')}-`;
    this.#packs = manifest.packs.filter(({ path, shared }) => shared === true && path.includes(own));
  }

  async place(): Promise<void> {
    const { host, onStep, assertLocked } = this.#ports;
    if (this.#packs.length === 0) return;
    onStep('place');
    await assertLocked();
    const months = new Set(this.#packs.map(({ path }) => dirname(path)));
    for (const month of months) await ensureFolder(host.disk, join(this.#folder, month));
    for (const pack of this.#packs) {
      await renameSettled(host.disk, join(this.#staged, pack.path), join(this.#folder, pack.path));
      this.#placed.push(pack);
    }
    for (const month of months) {
      await syncFolder(host.disk, join(this.#folder, month));
      await host.disk.removeFolder(join(this.#staged, month));
    }
  }

  keep(): void {
    this.#placed = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { disk } = this.#ports.host;
    for (const { path } of this.#placed)
      await disk.removeFile(join(this.#folder, path)).catch(() => undefined); // it is swept
  }
}
