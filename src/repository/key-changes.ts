/** What is ever changed in `keys/`: a slot more or less, a content key more. Nothing in it is ever rewritten. */
import {
  createSlot,
  openSlot,
  readSlot,
  rotateKeyring,
  sealKeyring,
  type Key,
  type Keyring,
  type SlotSecret,
  type Stretch,
} from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import { codeOf, type Host } from '../host/host.ts';
import { digestOf, noteRemoval, readRemovals } from './key-notes.ts';
import { keyringPath, slotFiles, slotPath, type FoundSlot } from './keys.ts';
import { keysFolder } from './layout.ts';
import type { Repository } from './open.ts';
import { placeFile } from './links.ts';
import { ignoring, readWhole, syncFolder } from './steps.ts';

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
  const path = slotPath(o, o.slot);
  if ((await disk.stat(path)) !== undefined) throw slotExists(o.slot);
  const created = new Date(clock.nowMs()).toISOString();
  const { repository, slot, root, secret, stretch } = o;
  const bytes = await createSlot({ repository, slot, created, root, secret, random, stretch });
  try {
    await placeFile(host, path, bytes, { mode: 0o440, readBack: true });
  } catch (error) {
    throw codeOf(error) === 'EEXIST' ? slotExists(o.slot) : error;
  }
  const opened = await openSlot(await readWhole(disk, path), { repository, slot, secret, stretch });
  if (opened.idText !== root.idText) throw new Error('the slot that was written opens another root key');
}

function slotExists(slot: string): VarveError {
  return new VarveError('refused', `slot ${slot} exists`, {
    hint: 'choose another name for the slot; varve key list shows those that are there',
  });
}

/**
 * Notes that the slot goes, then removes it: whoever knows of it can tell that somebody with the key wanted that. `known`
 * is what else it was known by; a slot that is not there any more can be let go of, too.
 */
export async function removeSlot(
  host: Host,
  repository: Repository,
  { slot, known }: { slot: string; known: readonly Buffer[] },
): Promise<void> {
  const { disk } = host;
  const { folder } = repository.place;
  const slots = await slotFiles(disk, folder);
  const there = slots.filter(({ name }) => name === slot).map(({ bytes }) => bytes);
  const { removed } = await readRemovals(disk, repository);
  const gone = known.filter((bytes) => !removed.has(digestOf(bytes)));
  if (there.length + gone.length === 0) {
    throw new VarveError('nothing-selected', `there is no slot ${slot}`, {
      hint: 'varve key list shows those that are there',
    });
  }
  if (!slots.some((other) => other.name !== slot && isSound(other, repository))) {
    throw new VarveError(
      'refused',
      `slot ${slot} is the last one that is whole: without it nothing could ever be opened again`,
      { hint: 'add another slot first: varve key add' },
    );
  }
  for (const bytes of [...there, ...gone]) await noteRemoval(host, repository, { slot, bytes });
  await ignoring(['ENOENT'], async () => disk.removeFile(slotPath({ folder }, slot)));
  await syncFolder(disk, keysFolder({ folder }));
}

function isSound({ name, bytes }: FoundSlot, { root, identity }: Repository): boolean {
  try {
    const slot = readSlot(bytes, name);
    return slot.root === root.idText && slot.repository === identity.repository;
  } catch {
    return false; // why not is for a verification to tell
  }
}

/** Puts a new content key in front: later objects are sealed under it, those that exist open by the older ones. */
export async function addContentKey(host: Host, repository: Repository): Promise<Keyring> {
  const created = new Date(host.clock.nowMs()).toISOString();
  const next = rotateKeyring(repository.keyring, { created, random: host.random });
  await placeKeyring(host, repository, next);
  return next;
}

export async function placeKeyring(
  host: Host,
  {
    place,
    identity,
    root,
    codec,
  }: Pick<Repository, 'place' | 'root' | 'codec'> & { identity: { repository: string } },
  keyring: Keyring,
): Promise<void> {
  const { repository } = identity;
  const sealed = sealKeyring(keyring, { repository, root, codec, random: host.random });
  const path = keyringPath(place, keyring.number);
  try {
    await placeFile(host, path, sealed, { mode: 0o440, readBack: true });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    throw new VarveError('refused', `${path} exists: somebody else has just made it`, {
      hint: 'varve key list shows the content keys; run the command again if one more is wanted',
    });
  }
}
