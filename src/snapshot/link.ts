/** The packs of the snapshot before go on into the next one: as further names of the same files, or where they lie. */
import { dirname, join } from 'node:path';
import { VarveError } from '../errors.ts';
import { codeOf, ensureFolder, type Disk, type Host } from '../host/host.ts';
import {
  copyFile,
  isLinkRefused,
  lengthProblem,
  linkObstacle,
  linkRefused,
  linkSettled,
  packName,
  packsFolder,
  readPastCache,
  renameSettled,
  sharesPacks,
  snapshotFolder,
  stagingFolder,
  syncFolder,
  type Pack,
  type Repository,
} from '../repository/repository.ts';

/** A carried pack that is not what its manifest says: missing, or of another length. */
export interface MissingPack {
  readonly pack: Pack;
  readonly problem: string;
}

export interface LinkedPacks {
  readonly linked: readonly Pack[];
  /** What is not there or not whole is told, not thrown. */
  readonly missing: readonly MissingPack[];
  /** Of the linked ones: those of which there is a second file now, because there could be no second name. */
  readonly copied: readonly Pack[];
}

export interface LinkPorts {
  readonly host: Host;
  readonly repository: Repository;
  readonly signal: AbortSignal;
  readonly onStep: (step: 'link') => void;
  readonly warn: (message: string) => void;
}

export async function linkPacks(
  packs: readonly Pack[],
  o: { readonly id: string; readonly previous: string },
  ports: LinkPorts,
): Promise<LinkedPacks> {
  ports.onStep('link');
  const linker = new Linker(o, ports);
  for (const pack of packs) await linker.carry(pack);
  return linker;
}

class Linker implements LinkedPacks {
  readonly linked: Pack[] = [];
  readonly missing: MissingPack[] = [];
  readonly copied: Pack[] = [];
  readonly #ports: LinkPorts;
  readonly #from: string;
  readonly #to: string;
  #isShared: boolean | undefined;

  constructor(o: { readonly id: string; readonly previous: string }, ports: LinkPorts) {
    this.#ports = ports;
    const { place } = ports.repository;
    this.#from = snapshotFolder(place, o.previous);
    this.#to = stagingFolder(place, o.id);
  }

  async carry(pack: Pack): Promise<void> {
    const { host, repository } = this.#ports;
    const { disk } = host;
    const existing = join(this.#from, packName(pack));
    const problem = await lengthProblem(disk, existing, pack.bytes);
    if (problem !== undefined) {
      this.missing.push({ pack, problem });
      return;
    }
    if (pack.shared === true) {
      this.linked.push(pack);
      return;
    }
    this.#isShared ??= await sharesPacks(disk, repository.place);
    if (this.#isShared) await this.#share(pack, existing);
    else await this.#link(pack, existing);
  }

  async #link(pack: Pack, existing: string): Promise<void> {
    const { host, repository, warn } = this.#ports;
    const { disk } = host;
    const fresh = join(this.#to, pack.path);
    await disk.makeFolder(dirname(fresh));
    try {
      await linkSettled(disk, existing, fresh);
      this.linked.push(pack);
      return;
    } catch (error) {
      const { folder } = repository.place;
      const obstacle = isLinkRefused(error) ? await linkObstacle(host, folder) : undefined;
      if (obstacle !== undefined) {
        warn(
          `this target makes no hard links (${obstacle}): snapshots share the packs in ${packsFolder(repository.place)} from now on`,
        );
        await disk.removeFolder(dirname(fresh)).catch(() => undefined); // it may hold what could be linked
        await ensureFolder(disk, packsFolder(repository.place));
        this.#isShared = true;
        await this.#share(pack, existing);
        return;
      }
      if (codeOf(error) !== 'EMLINK') throw await linkRefused(disk, error, { existing, fresh });
    }
    warn(
      `pack ${pack.path} has as many names as the file system allows: a copy of it is made, and linked from now on`,
    );
    await this.#copy(pack, { from: existing, to: fresh });
  }

  /** Of a snapshot whose packs were its own: one copy, for all snapshots to come. */
  async #share(pack: Pack, existing: string): Promise<void> {
    const { host, repository } = this.#ports;
    const { disk } = host;
    const path = join(packsFolder(repository.place), pack.path);
    const shared: Pack = { ...pack, shared: true };
    if ((await disk.stat(path)) !== undefined) {
      // A cycle that was cut off has made it; what it is, is looked at in its turn.
      await assertSame(disk, path, pack);
      this.linked.push(shared);
      return;
    }
    await ensureFolder(disk, dirname(path));
    const temporary = join(dirname(path), `.${host.random.bytes(6).toString('hex')}.tmp`);
    if (!(await this.#copy(shared, { from: existing, to: temporary }))) return;
    await renameSettled(disk, temporary, path);
    await syncFolder(disk, dirname(path));
  }

  async #copy(pack: Pack, o: { from: string; to: string }): Promise<boolean> {
    const { host, signal } = this.#ports;
    const problem = await copyFile(host.disk, { ...o, sha256: pack.sha256, signal });
    if (problem !== undefined) {
      this.missing.push({ pack, problem });
      return false;
    }
    this.linked.push(pack);
    this.copied.push(pack);
    return true;
  }
}

async function assertSame(disk: Disk, path: string, pack: Pack): Promise<void> {
  const { sha256 } = await readPastCache(disk, path, () => undefined);
  if (sha256 === pack.sha256) return;
  throw new VarveError('damage', `${path}: expected SHA-256 ${pack.sha256}, got ${sha256}`, {
    hint: 'it is in the way of the pack of that name: move it out of the repository, then run the cycle again',
  });
}
