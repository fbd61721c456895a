/** `keys/`: slots, each of which opens the root key, and the keyrings sealed under it. */
import { join } from 'node:path';
import {
  openKeyring,
  openSlot,
  readSlot,
  type FrameCodec,
  type Key,
  type Keyring,
  type SlotSecret,
  type Stretch,
} from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import type { Disk } from '../host/host.ts';
import { keysFolder } from './layout.ts';
import { readWhole } from './steps.ts';

export interface SlotFile {
  readonly slot: string;
  readonly kind: 'passphrase' | 'key-file';
  readonly created: string;
}

export interface FoundSlot {
  readonly name: string;
  readonly bytes: Buffer;
}

export async function slotFiles(disk: Disk, folder: string): Promise<FoundSlot[]> {
  const keys = keysFolder({ folder });
  const found: FoundSlot[] = [];
  for (const { name, kind } of (await disk.list(keys)) ?? []) {
    if (kind !== 'file' || !name.endsWith('.json') || name.startsWith('.')) continue;
    found.push({ name: name.slice(0, -'.json'.length), bytes: await readWhole(disk, join(keys, name)) });
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

export async function keyringNumbers(disk: Disk, folder: string): Promise<number[]> {
  const entries = (await disk.list(keysFolder({ folder }))) ?? [];
  return entries
    .flatMap(({ name }) => /^keyring\.([1-9]\d{0,8})$/.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** The root key, by whichever slot the secret opens. Damage counts only where nothing opens. */
export async function openRoot(
  disk: Disk,
  o: { folder: string; repository: string; secret: SlotSecret; stretch: Stretch },
): Promise<{ root: Key; slot: string }> {
  const slots = await slotFiles(disk, o.folder);
  if (slots.length === 0) throw vanishedKeys(o.folder);
  const damages: VarveError[] = [];
  const refusals: VarveError[] = [];
  const { repository, secret, stretch } = o;
  for (const { name, bytes } of slots) {
    try {
      return { root: await openSlot(bytes, { repository, slot: name, secret, stretch }), slot: name };
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
      (error.code === 'wrong-key' ? refusals : damages).push(error);
    }
  }
  const [damage] = damages;
  if (damage !== undefined) throw damage;
  const kinds = 'keyFile' in secret ? 'key file' : 'passphrase';
  const names = slots.map(({ name }) => name).join(', ');
  throw new VarveError('wrong-key', `the ${kinds} opens none of the slots: ${names}`, {
    hint: 'give the key file or passphrase that one of these slots was made with (repository.keyFile, repository.passphraseFile)',
    cause: refusals[0],
  });
}

const putBack =
  'put keys/ back from another copy of the repository, or from keys/ beside the local files (local.dir); with a recovery sheet: varve key add NAME --from-sheet';

function vanishedKeys(folder: string): VarveError {
  return new VarveError('damage', `${keysFolder({ folder })}: there is no slot: the keys have vanished`, {
    hint: putBack,
  });
}

export async function openNewestKeyring(
  disk: Disk,
  o: { folder: string; repository: string; root: Key; codec: FrameCodec },
): Promise<Keyring> {
  const number = (await keyringNumbers(disk, o.folder)).at(-1);
  const keys = keysFolder(o);
  if (number === undefined) throw new VarveError('damage', `${keys}: there is no keyring`, { hint: putBack });
  const sealed = await readWhole(disk, keyringPath(o, number));
  return openKeyring(sealed, { ...o, number });
}

export function keyringPath(place: { folder: string }, number: number): string {
  return join(keysFolder(place), `keyring.${number}`);
}

export function slotPath(place: { folder: string }, slot: string): string {
  return join(keysFolder(place), `${slot}.json`);
}

export function listSlots(found: readonly FoundSlot[]): SlotFile[] {
  return found.map(({ name, bytes }) => {
    const { kind, created } = readSlot(bytes, name);
    return { slot: name, kind, created };
  });
}
