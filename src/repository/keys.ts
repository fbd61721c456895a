/** `keys/`: slots, each of which opens the root key, and the keyrings sealed under it. */
import { join } from 'node:path';
import {
  createSlot,
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
import { ensureFolder, type Disk, type Host } from '../host/host.ts';
import { keysFolder } from './layout.ts';
import { placeFile, readWhole, replaceWhole, syncFolder } from './steps.ts';

export interface SlotFile {
  readonly slot: string;
  readonly kind: 'passphrase' | 'key-file';
  readonly created: string;
}

interface FoundSlot {
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

function vanishedKeys(folder: string): VarveError {
  return new VarveError('damage', `${keysFolder({ folder })}: there is no slot: the keys have vanished`, {
    hint: 'put keys/ back from another copy of the repository, or from keys/ beside the local files (local.dir): nothing opens without it',
  });
}

export async function openNewestKeyring(
  disk: Disk,
  o: { folder: string; repository: string; root: Key; codec: FrameCodec },
): Promise<Keyring> {
  const number = (await keyringNumbers(disk, o.folder)).at(-1);
  const keys = keysFolder(o);
  if (number === undefined) {
    throw new VarveError('damage', `${keys}: there is no keyring`, {
      hint: 'put keys/ back from another copy of the repository, or from keys/ beside the local files (local.dir)',
    });
  }
  const sealed = await readWhole(disk, join(keys, `keyring.${number}`));
  return openKeyring(sealed, { ...o, number });
}

export function listSlots(found: readonly FoundSlot[]): SlotFile[] {
  return found.map(({ name, bytes }) => {
    const { kind, created } = readSlot(bytes, name);
    return { slot: name, kind, created };
  });
}

/** Makes a slot and opens the root key by what was written, before it counts. */
export async function writeSlot(
  host: Host,
  o: {
    folder: string;
    repository: string;
    slot: string;
    root: Key;
    secret: SlotSecret;
    stretch: Stretch;
  },
): Promise<void> {
  const { disk, random, clock } = host;
  const path = join(keysFolder(o), `${o.slot}.json`);
  if ((await disk.stat(path)) !== undefined) {
    throw new VarveError('refused', `slot ${o.slot} exists`, {
      hint: 'choose another name for the slot; varve key list shows those that are there',
    });
  }
  const created = new Date(clock.nowMs()).toISOString();
  const { repository, slot, root, secret, stretch } = o;
  const bytes = await createSlot({ repository, slot, created, root, secret, random, stretch });
  await placeFile(host, path, bytes, { mode: 0o440 });
  const opened = await openSlot(await readWhole(disk, path), { repository, slot, secret, stretch });
  if (opened.idText !== root.idText) throw new Error('the slot that was written opens another root key');
}

export async function removeSlot(
  disk: Disk,
  { folder, slot }: { folder: string; slot: string },
): Promise<void> {
  const slots = await slotFiles(disk, folder);
  if (!slots.some(({ name }) => name === slot)) {
    throw new VarveError('nothing-selected', `there is no slot ${slot}`, {
      hint: 'varve key list shows those that are there',
    });
  }
  if (slots.length === 1) {
    throw new VarveError(
      'refused',
      `slot ${slot} is the last one: without it nothing could ever be opened again`,
      {
        hint: 'add another slot first: varve key add',
      },
    );
  }
  await disk.removeFile(join(keysFolder({ folder }), `${slot}.json`));
  await syncFolder(disk, keysFolder({ folder }));
}

/** A copy beside the local files, so that a `keys/` that vanished from the target is not the end of it. */
export async function copyKeys(host: Host, place: { folder: string }, localFolder: string): Promise<void> {
  const { disk } = host;
  const from = keysFolder(place);
  const to = keysFolder({ folder: localFolder });
  await ensureFolder(disk, to);
  for (const { name, kind } of (await disk.list(from)) ?? []) {
    if (kind !== 'file' || name.startsWith('.')) continue;
    const bytes = await readWhole(disk, join(from, name));
    const known = await disk.readFile(join(to, name));
    if (known?.equals(bytes) === true) continue;
    await replaceWhole(host, join(to, name), bytes);
  }
}
