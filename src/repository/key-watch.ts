/** Whether `keys/` is as it should be: by itself, and held against the copy of it beside the local files. */
import { openKeyring, readSlot, type Keyring } from '../crypto/crypto.ts';
import { messageOf, VarveError } from '../errors.ts';
import type { Disk } from '../host/host.ts';
import { digestOf, noteName, noteNames, readRemovals } from './key-notes.ts';
import { keyringNumbers, keyringPath, slotFiles, type FoundSlot } from './keys.ts';
import { keysFolder } from './layout.ts';
import type { Repository } from './open.ts';
import { readWhole } from './steps.ts';

export interface KeyProblem {
  /** Its name in `keys/`. */
  readonly file: string;
  readonly problem: string;
  readonly hint: string;
  /** Of a keyring: going on without it would part the content keys. */
  readonly isKeyring: boolean;
}

/** What was copied of `keys/` of this repository; nothing of another's. */
export interface KeyCopies {
  readonly folder: string;
  readonly slots: readonly FoundSlot[];
  readonly keyrings: ReadonlyMap<number, Buffer>;
  /** It was made of another repository. */
  readonly isForeign: boolean;
}

const elsewhere = 'another copy of the repository';

/**
 * Without the open repository there are checksums and names alone. `localFolder` is where the copy is, if there is one.
 */
export async function lookAtKeys(
  disk: Disk,
  o: {
    folder: string;
    repository: string;
    opened?: Repository | undefined;
    localFolder?: string | undefined;
  },
): Promise<KeyProblem[]> {
  const { folder, opened } = o;
  const copies =
    o.localFolder === undefined ? undefined : await readCopies(disk, { ...o, folder: o.localFolder });
  const source = copies === undefined ? elsewhere : copies.folder;
  const hint = `put the file back from ${source}`;
  const slots = await slotFiles(disk, folder);
  const keyrings = await readKeyrings(disk, folder);
  const found: KeyProblem[] = [];
  const tell = (file: string, problem: string, what = hint): void => {
    found.push({ file, problem, hint: what, isKeyring: file.startsWith('keyring.') });
  };
  for (const slot of slots) {
    const problem = problemOfSlot(slot, o);
    if (problem !== undefined)
      tell(`${slot.name}.json`, problem, `${hint}; or let go of it: varve key remove ${slot.name}`);
  }
  for (const [number, bytes] of keyrings) {
    const problem = opened === undefined ? undefined : problemOfKeyring(bytes, { number, opened });
    if (problem !== undefined) tell(`keyring.${number}`, problem);
  }
  for (const { from, to } of missingKeyrings(keyrings, copies?.keyrings)) {
    const others = from === to ? '' : `, and so is each up to keyring.${to}`;
    tell(`keyring.${from}`, `it is missing${others}`);
  }
  const removals = await removalsOf(disk, o);
  for (const { name, problem } of removals.problems) tell(name, problem);
  for (const slot of slots) {
    if (removals.has(slot.bytes))
      tell(
        `${slot.name}.json`,
        'it was removed, and is there again',
        `take it away: varve key remove ${slot.name}`,
      );
  }
  if (slots.length === 0) tell('every slot', 'there is none: nothing opens without one');
  if (copies === undefined) return found;
  for (const copy of copies.slots) {
    const now = slots.find(({ name }) => name === copy.name);
    if (removals.has(copy.bytes) || now?.bytes.equals(copy.bytes) === true) continue;
    const meant = `${hint}; or, if that was meant: varve key remove ${copy.name}`;
    const problem =
      now === undefined ? 'it is missing' : 'it is not the one that was copied, and nobody removed that';
    tell(`${copy.name}.json`, problem, meant);
  }
  for (const [number, bytes] of copies.keyrings) {
    const now = keyrings.get(number);
    if (opened === undefined || now === undefined || now.equals(bytes)) continue;
    if (keysIn(now, { number, opened }) !== keysIn(bytes, { number, opened }))
      tell(`keyring.${number}`, 'it is not the one that was copied');
  }
  return found;
}

/**
 * Those that were copied one by one, and of others only between which numbers: a file that somebody called
 * `keyring.20261121` would make a list without an end.
 */
function missingKeyrings(
  there: ReadonlyMap<number, Buffer>,
  copied: ReadonlyMap<number, Buffer> | undefined,
): { from: number; to: number }[] {
  const known = new Set([1, ...there.keys(), ...(copied?.keys() ?? [])]);
  const missing: { from: number; to: number }[] = [];
  let next = 1;
  for (const number of [...known].toSorted((a, b) => a - b)) {
    if (number > next) missing.push({ from: next, to: number - 1 });
    if (!there.has(number)) missing.push({ from: number, to: number });
    next = number + 1;
  }
  return missing;
}

/** A copy that is harmed itself says nothing about what it is a copy of. */
export async function readCopies(
  disk: Disk,
  o: { folder: string; repository: string; opened?: Repository | undefined },
): Promise<KeyCopies> {
  const { folder, opened } = o;
  const sound: FoundSlot[] = [];
  let isForeign = false;
  for (const slot of await slotFiles(disk, folder)) {
    try {
      const { repository } = readSlot(slot.bytes, slot.name);
      if (repository !== o.repository) isForeign = true;
      else sound.push(slot);
    } catch {
      // renewed by the next cycle
    }
  }
  const keyrings = isForeign ? new Map<number, Buffer>() : await readKeyrings(disk, folder);
  for (const [number, bytes] of keyrings) {
    const isHarmed = opened !== undefined && typeof opensAs(bytes, { number, opened }) === 'string';
    if (isHarmed) keyrings.delete(number);
  }
  return { folder: keysFolder({ folder }), slots: isForeign ? [] : sound, keyrings, isForeign };
}

async function readKeyrings(disk: Disk, folder: string): Promise<Map<number, Buffer>> {
  const found = new Map<number, Buffer>();
  for (const number of await keyringNumbers(disk, folder))
    found.set(number, await readWhole(disk, keyringPath({ folder }, number)));
  return found;
}

function problemOfSlot(
  { name, bytes }: FoundSlot,
  { repository, opened }: { repository: string; opened?: Repository | undefined },
): string | undefined {
  try {
    const slot = readSlot(bytes, name);
    if (slot.repository !== repository) return `it is of another repository, ${slot.repository}`;
    if (opened !== undefined && slot.root !== opened.root.idText)
      return `expected root key ${opened.root.idText}, got ${slot.root}`;
    return undefined;
  } catch (error) {
    return damageIn(error);
  }
}

type Opened = Pick<Repository, 'root' | 'codec' | 'identity' | 'keyring' | 'second'>;

/** Whatever an older one holds has to be in the newest, too. */
function problemOfKeyring(
  bytes: Buffer,
  { number, opened }: { number: number; opened: Opened },
): string | undefined {
  const older = opensAs(bytes, { number, opened });
  if (typeof older === 'string') return older;
  const { keyring } = opened;
  const lost = older.keys.find(({ key }) => number <= keyring.number && keyring.find(key.id) === undefined);
  return lost === undefined ? undefined : `its key ${lost.key.idText} is not in keyring.${keyring.number}`;
}

function opensAs(bytes: Buffer, { number, opened }: { number: number; opened: Opened }): Keyring | string {
  const { root, codec, identity, second } = opened;
  try {
    return openKeyring(bytes, { repository: identity.repository, root, number, codec, second });
  } catch (error) {
    return damageIn(error);
  }
}

/** One that was made again from a recovery sheet is another file with the same in it. */
function keysIn(bytes: Buffer, o: { number: number; opened: Opened }): string {
  const keyring = opensAs(bytes, o);
  if (typeof keyring === 'string') return keyring;
  return keyring.keys.map(({ key }) => key.idText).join();
}

function damageIn(error: unknown): string {
  if (error instanceof VarveError) return messageOf(error);
  throw error;
}

async function removalsOf(
  disk: Disk,
  { folder, opened }: { folder: string; opened?: Repository | undefined },
): Promise<{ has: (bytes: Buffer) => boolean; problems: { name: string; problem: string }[] }> {
  if (opened === undefined) {
    const names = await noteNames(disk, folder);
    return { has: (bytes) => names.includes(noteName(digestOf(bytes))), problems: [] };
  }
  const { removed, problems } = await readRemovals(disk, opened);
  return { has: (bytes) => removed.has(digestOf(bytes)), problems };
}
