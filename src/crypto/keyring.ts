/**
 * The content keys of a repository, sealed under its root key. Rotating adds a key and writes the next keyring; objects
 * name their key by its id, so nothing that exists is rewritten.
 */
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import { SealedDamage } from './damage.ts';
import type { FrameCodec } from './frame.ts';
import { nameOfObject, type ObjectIdentity } from './identity.ts';
import { Key, keyBytes } from './key.ts';
import { openWhole } from './open.ts';
import { sealWhole, type Sealing } from './seal.ts';
import type { SecondOpener } from './second-opener.ts';

/** One for each rotation; a rotation a day lasts for decades. */
const keysMax = 10_000;

interface DatedKey {
  readonly key: Key;
  /** RFC 3339 */
  readonly created: string;
}

export class Keyring {
  /** Of the file `keyring.<number>`, from 1. */
  readonly number: number;
  /** Oldest first. */
  readonly keys: readonly DatedKey[];
  readonly #byId: ReadonlyMap<string, Key>;

  constructor(number: number, keys: readonly DatedKey[]) {
    if (keys.length === 0 || keys.length > keysMax)
      throw new Error(`a keyring has 1 to ${keysMax} keys, got ${keys.length}`);
    this.number = number;
    this.keys = keys;
    this.#byId = new Map(keys.map(({ key }) => [key.idText, key]));
  }

  /** The newest key, under which new objects are sealed. */
  get current(): Key {
    const newest = this.keys.at(-1);
    if (newest === undefined) throw new Error('an empty keyring');
    return newest.key;
  }

  find(id: Buffer): Key | undefined {
    return this.#byId.get(id.toString('hex'));
  }
}

interface NewKey {
  readonly created: string;
  readonly random: Sealing['random'];
}

export function createKeyring(fresh: NewKey): Keyring {
  return new Keyring(1, [freshKey(fresh)]);
}

export function rotateKeyring(keyring: Keyring, fresh: NewKey): Keyring {
  return new Keyring(keyring.number + 1, [...keyring.keys, freshKey(fresh)]);
}

function freshKey({ created, random }: NewKey): DatedKey {
  return { key: new Key(random.bytes(keyBytes)), created };
}

export function sealKeyring(
  keyring: Keyring,
  {
    repository,
    root,
    codec,
    random,
  }: {
    readonly repository: string;
    readonly root: Key;
    readonly codec: FrameCodec;
    readonly random: Sealing['random'];
  },
): Buffer {
  const payload = {
    keyring: keyring.number,
    keys: keyring.keys.map(({ key, created }) => ({ key: key.secret().toString('hex'), created })),
  };
  const identity: ObjectIdentity = { kind: 'keyring', repository, number: keyring.number };
  return sealWhole(Buffer.from(JSON.stringify(payload)), { identity, key: root, codec, random });
}

const payloadSchema = z.strictObject({
  keyring: z.int().min(1),
  keys: z
    .array(z.strictObject({ key: z.string().regex(/^[0-9a-f]{64}$/), created: z.iso.datetime() }))
    .min(1)
    .max(keysMax),
});

export function openKeyring(
  sealed: Buffer,
  {
    repository,
    root,
    number,
    codec,
    second,
  }: {
    readonly repository: string;
    readonly root: Key;
    readonly number: number;
    readonly codec: FrameCodec;
    readonly second?: SecondOpener | undefined;
  },
): Keyring {
  const identity: ObjectIdentity = { kind: 'keyring', repository, number };
  const findKey = (id: Buffer): Key | undefined => (id.equals(root.id) ? root : undefined);
  const payload = parsePayload(openWhole(sealed, { identity, findKey, codec, second }), identity);
  if (payload.keyring !== number)
    throw new SealedDamage('foreign-object', `${nameOfObject(identity)}: says that it is ${payload.keyring}`);
  return new Keyring(
    number,
    payload.keys.map(({ key, created }) => ({ key: new Key(Buffer.from(key, 'hex')), created })),
  );
}

/** It is authentic, so what does not fit was written wrongly. The parser's words never quote what it read. */
function parsePayload(raw: Buffer, identity: ObjectIdentity): z.infer<typeof payloadSchema> {
  let payload: unknown;
  try {
    payload = JSON.parse(raw.toString('utf8'));
  } catch {
    throw new SealedDamage('block-damaged', `${nameOfObject(identity)}: its content is not JSON`);
  }
  const parsed = payloadSchema.safeParse(payload);
  if (parsed.success) return parsed.data;
  throw new SealedDamage(
    'block-damaged',
    `${nameOfObject(identity)}: its content is not a keyring: ${messageOf(z.prettifyError(parsed.error))}`,
  );
}
