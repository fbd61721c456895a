import {
  FrameCodec,
  openWhole,
  SecondOpener,
  sealWhole,
  type Key,
  type Keyring,
  type ObjectIdentity,
  type Stretch,
} from '../crypto/crypto.ts';
import type { Disk, Host, Random } from '../host/host.ts';
import { readRepositoryIdentity, writeRepositoryIdentity, type RepositoryIdentity } from './identity.ts';
import { keyringNumbers, openNewestKeyring, openRoot } from './keys.ts';
import type { RepositoryPlace } from './layout.ts';
import { readSecret, type RepositorySecret } from './secret.ts';

/** A repository whose keys are open, as one instance sees it. */
export class Repository {
  readonly place: RepositoryPlace;
  #identity: RepositoryIdentity;
  readonly root: Key;
  #keyring: Keyring;
  readonly codec: FrameCodec;
  /** Opens again what is opened, where somebody asked for that. */
  second: SecondOpener | undefined;
  /** By which the secret opened it. */
  readonly slot: string;
  readonly #random: Random;

  private constructor(
    place: RepositoryPlace,
    keys: { identity: RepositoryIdentity; root: Key; keyring: Keyring; codec: FrameCodec; slot: string },
    random: Random,
  ) {
    this.place = place;
    this.#identity = keys.identity;
    this.root = keys.root;
    this.#keyring = keys.keyring;
    this.codec = keys.codec;
    this.slot = keys.slot;
    this.#random = random;
  }

  static async open(
    host: Host,
    place: RepositoryPlace,
    secret: RepositorySecret,
    { stretch }: { readonly stretch: Stretch },
  ): Promise<Repository> {
    const { disk, random } = host;
    const { folder } = place;
    const opened = await readSecret(disk, secret);
    const identity = await readRepositoryIdentity(disk, folder);
    const { repository } = identity;
    const { root, slot } = await openRoot(disk, { folder, repository, secret: opened, stretch });
    const codec = new FrameCodec();
    const keyring = await openNewestKeyring(disk, { folder, repository, root, codec });
    return new Repository(place, { identity, root, keyring, codec, slot }, random);
  }

  get identity(): RepositoryIdentity {
    return this.#identity;
  }

  get keyring(): Keyring {
    return this.#keyring;
  }

  /** For what stays open: somebody may have rotated meanwhile. */
  async renewKeyring(disk: Disk): Promise<void> {
    const { root, codec, identity, place } = this;
    const { folder } = place;
    const newest = (await keyringNumbers(disk, folder)).at(-1) ?? 0;
    if (newest <= this.keyring.number) return;
    this.#keyring = await openNewestKeyring(disk, { folder, repository: identity.repository, root, codec });
  }

  /** From now on everything is opened twice. */
  useSecondOpener(): SecondOpener {
    this.second ??= new SecondOpener();
    return this.second;
  }

  findKey(id: Buffer): Key | undefined {
    return this.keyring.find(id);
  }

  seal(identity: ObjectIdentity, raw: Buffer): Buffer {
    const { codec } = this;
    return sealWhole(raw, { identity, key: this.keyring.current, codec, random: this.#random });
  }

  openSealed(identity: ObjectIdentity, sealed: Buffer): Buffer {
    const { codec, second } = this;
    return openWhole(sealed, { identity, findKey: (id) => this.findKey(id), codec, second });
  }

  /** Notes that the repository holds records of this cluster, too. */
  async addCluster(host: Host, cluster: string): Promise<void> {
    const { folder } = this.place;
    const now = await readRepositoryIdentity(host.disk, folder);
    if (now.clusters.includes(cluster)) return;
    const identity = { ...now, clusters: [...now.clusters, cluster] };
    await writeRepositoryIdentity(host, folder, identity);
    this.#identity = identity;
  }
}
