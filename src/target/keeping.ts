/** Orders about the keys of a repository. */
import { formatSheet, parseSheet } from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import {
  addContentKey,
  listSlots,
  lookAtKeys,
  readRepositoryIdentity,
  recoverKeys,
  readCopies,
  readSecret,
  removeSlot,
  slotFiles,
  writeSlot,
  type KeyProblem,
  type Repository,
  type RepositorySecret,
  type SlotFile,
} from '../repository/repository.ts';
import { opened, placeOf } from './changing.ts';
import type { OrderContext } from './context.ts';

export interface ContentKey {
  readonly id: string;
  /** RFC 3339 */
  readonly created: string;
}

export interface KeysFound {
  /** Those that are whole. */
  readonly slots: readonly SlotFile[];
  readonly opensBy: string;
  readonly keyring: { readonly number: number; readonly keys: readonly ContentKey[] };
  readonly problems: readonly KeyProblem[];
}

/** The options of key add. */
const typed = { keyFile: '--key-file', passphraseFile: '--passphrase-file' };

/** Every slot, every content key, and what is wrong with `keys/`. */
export async function keys(
  context: OrderContext,
  { localFolder }: { localFolder: string | undefined },
): Promise<KeysFound> {
  const { disk } = context.host;
  const repository = await opened(context);
  const { folder } = repository.place;
  const uuid = repository.identity.repository;
  const problems = await lookAtKeys(disk, { folder, repository: uuid, opened: repository, localFolder });
  const found = await slotFiles(disk, folder);
  const whole = found.filter(({ name }) => !problems.some(({ file }) => file === `${name}.json`));
  return { slots: listSlots(whole), opensBy: repository.slot, keyring: keyringOf(repository), problems };
}

function keyringOf({ keyring }: Pick<Repository, 'keyring'>): KeysFound['keyring'] {
  const contentKeys = keyring.keys.map(({ key, created }) => ({ id: key.idText, created }));
  return { number: keyring.number, keys: contentKeys };
}

export async function addSlot(
  context: OrderContext,
  o: { slot: string; secret: RepositorySecret },
): Promise<void> {
  const { host, stretch } = context;
  const repository = await opened(context);
  const { folder } = repository.place;
  const secret = await readSecret(host.disk, o.secret, typed);
  const { repository: uuid } = repository.identity;
  await writeSlot(host, { folder, repository: uuid, slot: o.slot, root: repository.root, secret, stretch });
}

/** The same by a recovery sheet, whose text it is given, where no slot opens any more. */
export async function recoverSlot(
  context: OrderContext,
  o: { slot: string; secret: RepositorySecret; sheet: string },
): Promise<{ made: readonly number[] }> {
  const { host, stretch } = context;
  const place = placeOf(context);
  const { folder } = place;
  const secret = await readSecret(host.disk, o.secret, typed);
  const identity = await readRepositoryIdentity(host.disk, folder);
  const { root, made } = await recoverKeys(host, { place, identity, sheet: parseSheet(o.sheet) });
  const { repository } = identity;
  await writeSlot(host, { folder, repository, slot: o.slot, root, secret, stretch });
  return { made };
}

export interface SheetContent {
  readonly repository: string;
  readonly created: string;
  readonly clusters: readonly string[];
  readonly keyring: number;
  /** Secret: they open everything. */
  readonly lines: readonly string[];
}

/** What a recovery sheet says. It is given to the parent, and written nowhere. */
export async function sheet(context: OrderContext, _params: undefined): Promise<SheetContent> {
  const { identity, root, keyring } = await opened(context);
  const { repository, created, clusters } = identity;
  const lines = formatSheet({ repository, root, keyring });
  return { repository, created, clusters, keyring: keyring.number, lines };
}

/** One that vanished, or became another, is let go of as it was copied, too. */
export async function dropSlot(
  context: OrderContext,
  { slot, localFolder }: { slot: string; localFolder: string | undefined },
): Promise<void> {
  const { host } = context;
  const repository = await opened(context);
  const uuid = repository.identity.repository;
  const copies =
    localFolder === undefined
      ? []
      : (await readCopies(host.disk, { folder: localFolder, repository: uuid })).slots;
  const known = copies.filter(({ name }) => name === slot).map(({ bytes }) => bytes);
  await removeSlot(host, repository, { slot, known });
}

/** Only on the keyring that was shown: what was asked for once is done once. */
export async function rotateKey(
  context: OrderContext,
  { keyring }: { keyring: number },
): Promise<KeysFound['keyring']> {
  const repository = await opened(context);
  const { number } = repository.keyring;
  if (number === keyring) return keyringOf({ keyring: await addContentKey(context.host, repository) });
  throw new VarveError('refused', `expected keyring.${keyring} to be the newest, got keyring.${number}`, {
    hint: 'somebody else has rotated meanwhile: varve key list shows the content keys',
  });
}
