/**
 * A slot wraps the root key under one passphrase or key file. It is one line of JSON, members in this order:
 *
 *   {"format":1,"repository":<UUID>,"slot":<name>,"created":<RFC 3339>,"kind":"passphrase",
 *    "argon2id":{"memoryKiB":…,"passes":…,"lanes":…},"salt":<16 bytes>,"root":<id of the root key>,
 *    "box":<48 bytes>,"checksum":<32 bytes>}\n          (kind "key-file" has no argon2id; bytes in hexadecimal)
 *
 * stretched = Argon2id(passphrase, salt) | BLAKE2b-256(key file, "varve1 key file" | salt)
 * slotKey   = BLAKE2b-256(stretched, "varve1 slot" | the bytes of the file before `,"box"`)
 * box       = ChaCha20-Poly1305(slotKey, nonce 0, root key)
 * checksum  = BLAKE2b-256("varve1 slot checksum" | the bytes of the file before `,"checksum"`)
 */
import { z } from 'zod';
import { VarveError } from '../errors.ts';
import { checkCost, defaultCost, stretchByArgon2, type Argon2Cost, type Stretch } from './argon2.ts';
import { blake2b, keyedBlake2b } from './blake2b.ts';
import { sealBlock, unsealBlock } from './block.ts';
import { SealedDamage } from './damage.ts';
import { Key, keyBytes } from './key.ts';

export type SlotSecret = { readonly passphrase: string } | { readonly keyFile: Buffer };

const slotBytesMax = 4096;
const saltBytes = 16;
/** The slot key seals one thing only. */
const onlyBlock = { number: 0, last: false };

const hexOf = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
const whose = {
  format: z.literal(1),
  repository: z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  slot: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  created: z.iso.datetime(),
};
const wrapped = {
  salt: hexOf(saltBytes),
  root: hexOf(16),
  box: hexOf(keyBytes + 16),
  checksum: hexOf(32),
};
const costSchema = z.strictObject({ memoryKiB: z.int(), passes: z.int(), lanes: z.int() });
const slotSchema = z.discriminatedUnion('kind', [
  z.strictObject({ ...whose, kind: z.literal('passphrase'), argon2id: costSchema, ...wrapped }),
  z.strictObject({ ...whose, kind: z.literal('key-file'), ...wrapped }),
]);

export type Slot = z.infer<typeof slotSchema>;

export interface NewSlot {
  readonly repository: string;
  readonly slot: string;
  readonly created: string;
  readonly root: Key;
  readonly secret: SlotSecret;
  readonly random: { bytes(count: number): Buffer };
  readonly cost?: Argon2Cost;
  readonly stretch?: Stretch;
}

/** The bytes of the slot's file. */
export async function createSlot(fresh: NewSlot): Promise<Buffer> {
  const { repository, slot, created, root, secret, random, cost = defaultCost } = fresh;
  const salt = random.bytes(saltBytes);
  const kind = 'passphrase' in secret ? { kind: 'passphrase', argon2id: cost } : { kind: 'key-file' };
  const open = {
    format: 1,
    repository,
    slot,
    created,
    ...kind,
    salt: salt.toString('hex'),
    root: root.idText,
  };
  const bound = JSON.stringify(open).slice(0, -1);
  const slotKey = slotKeyOf(await stretched(secret, salt, cost, fresh.stretch, `slot ${slot}`), bound);
  const box = Buffer.concat(sealBlock(slotKey, onlyBlock, root.secret()));
  const checked = `${bound},"box":"${box.toString('hex')}"`;
  const bytes = Buffer.from(`${checked},"checksum":"${checksumOf(checked)}"}\n`);
  readSlot(bytes, slot);
  return bytes;
}

/** Checks everything that can be checked without the secret. `name` is the file's, without `.json`. */
export function readSlot(bytes: Buffer, name: string): Slot {
  const what = `slot ${name}`;
  if (bytes.length > slotBytesMax)
    throw damaged(what, `expected at most ${slotBytesMax} bytes, got ${bytes.length}`);
  const text = bytes.toString('latin1');
  const end = /,"checksum":"([0-9a-f]{64})"\}\n$/.exec(text);
  if (end === null && !text.endsWith('}\n')) throw new SealedDamage('truncated', `${what}: it has no end`);
  if (end === null) throw damaged(what, 'it does not end with its checksum');
  if (checksumOf(text.slice(0, end.index)) !== end[1]) throw damaged(what, 'its checksum does not match');
  return parseSlot(text, name);
}

function parseSlot(text: string, name: string): Slot {
  const what = `slot ${name}`;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw damaged(what, 'it is not JSON');
  }
  const format = z.looseObject({ format: z.int().min(2) }).safeParse(content);
  if (format.success)
    throw new VarveError('no-repository', `${what}: expected format 1, got ${format.data.format}`, {
      hint: 'use a newer version of varve',
    });
  const parsed = slotSchema.safeParse(content);
  if (!parsed.success) throw damaged(what, `it is not a slot: ${z.prettifyError(parsed.error)}`);
  const slot = parsed.data;
  // What was checked and what is bound to the key are found by their places: there is one way to write a slot.
  if (`${JSON.stringify(slot)}\n` !== text) throw damaged(what, 'it is not written as a slot is');
  if (slot.kind === 'passphrase') checkCost(slot.argon2id, what);
  if (slot.slot !== name)
    throw new SealedDamage('foreign-object', `${what}: says that it is slot ${slot.slot}`);
  return slot;
}

/** The root key. Damaged: `damage`; sound, but not this secret's: `wrong-key`. */
export async function openSlot(
  bytes: Buffer,
  {
    repository,
    slot: name,
    secret,
    stretch,
  }: {
    readonly repository: string;
    readonly slot: string;
    readonly secret: SlotSecret;
    readonly stretch?: Stretch;
  },
): Promise<Key> {
  const what = `slot ${name}`;
  const slot = readSlot(bytes, name);
  if (slot.repository !== repository)
    throw new SealedDamage(
      'foreign-object',
      `${what}: expected repository ${repository}, got ${slot.repository}`,
    );
  const wanted = 'passphrase' in secret ? 'passphrase' : 'key-file';
  if (slot.kind !== wanted) throw wrongKey(`${what} opens by ${slot.kind}, got a ${wanted}`);
  const cost = slot.kind === 'passphrase' ? slot.argon2id : defaultCost;
  const kek = await stretched(secret, Buffer.from(slot.salt, 'hex'), cost, stretch, what);
  const text = bytes.toString('latin1');
  const slotKey = slotKeyOf(kek, text.slice(0, text.lastIndexOf(',"box"')));
  const root = unsealBlock(slotKey, onlyBlock, Buffer.from(slot.box, 'hex'));
  if (root === undefined) throw wrongKey(`the ${wanted} does not open ${what}`);
  const key = new Key(root);
  if (key.idText !== slot.root)
    throw new SealedDamage('foreign-object', `${what}: expected root key ${slot.root}, got ${key.idText}`);
  return key;
}

async function stretched(
  secret: SlotSecret,
  salt: Buffer,
  cost: Argon2Cost,
  stretch: Stretch = stretchByArgon2,
  what: string,
): Promise<Buffer> {
  if ('passphrase' in secret) {
    // One passphrase, typed on two systems, can arrive as different code points.
    const passphrase = Buffer.from(secret.passphrase.normalize('NFC'));
    if (passphrase.length === 0) throw wrongKey(`${what}: the passphrase is empty`);
    checkCost(cost, what);
    return stretch({ passphrase, salt, ...cost });
  }
  if (secret.keyFile.length !== keyBytes)
    throw wrongKey(`${what}: expected a key file of ${keyBytes} bytes, got ${secret.keyFile.length}`);
  return keyedBlake2b(secret.keyFile, 32, 'varve1 key file', salt);
}

function slotKeyOf(kek: Buffer, bound: string): Buffer {
  return keyedBlake2b(kek, 32, 'varve1 slot', Buffer.from(bound, 'latin1'));
}

function checksumOf(checked: string): string {
  return blake2b('varve1 slot checksum', Buffer.from(checked, 'latin1')).toString('hex');
}

function damaged(what: string, problem: string): SealedDamage {
  return new SealedDamage('block-damaged', `${what}: ${problem}`);
}

function wrongKey(message: string): VarveError {
  return new VarveError('wrong-key', message, {
    hint: 'give the passphrase or key file that one of the slots was made with (varve key list names the slots)',
  });
}
