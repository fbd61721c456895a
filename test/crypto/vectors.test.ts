import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  createSlot,
  encodeIdentity,
  FrameCodec,
  Key,
  Keyring,
  makeHead,
  openKeyring,
  openSlot,
  openWhole,
  sealKeyring,
  sealWhole,
  topicToken,
  type ObjectIdentity,
} from '../../src/crypto/crypto.ts';
import { openByOtherMeans, openSlotByOtherMeans } from './second-opener.ts';

const folder = new URL('../fixtures/sealed/', import.meta.url);
const fileOf = (name: string): Buffer => readFileSync(new URL(name, folder));

const hex = z.string().transform((text) => Buffer.from(text, 'hex'));
const offset = z.string().transform(BigInt);
const whose = { repository: z.string(), instance: z.string() };
const cost = z.strictObject({ memoryKiB: z.int(), passes: z.int(), lanes: z.int() });
const slot = { file: z.string(), slot: z.string(), created: z.string(), salt: hex };
const vectors = z
  .strictObject({
    note: z.string(),
    repository: z.string(),
    rootKey: hex,
    rootKeyId: z.string(),
    slots: z.array(
      z.union([
        z.strictObject({ ...slot, passphrase: z.string(), argon2id: cost }),
        z.strictObject({ ...slot, keyFile: hex }),
      ]),
    ),
    keyring: z.strictObject({
      file: z.string(),
      number: z.int(),
      salt: hex,
      keys: z.array(z.strictObject({ key: hex, id: z.string(), created: z.string() })),
    }),
    token: z.strictObject({ topicId: z.string(), topic: z.string(), token: z.string() }),
    objects: z.array(
      z.strictObject({
        file: z.string(),
        identity: z.discriminatedUnion('kind', [
          z.strictObject({
            ...whose,
            kind: z.literal('segment'),
            topicId: z.string(),
            topic: z.string(),
            partition: z.int(),
            base: offset,
            next: offset,
          }),
          z.strictObject({ ...whose, kind: z.literal('index'), pack: z.string() }),
          z.strictObject({ ...whose, kind: z.literal('manifest'), snapshot: z.string(), seq: offset }),
          z.strictObject({ ...whose, kind: z.literal('mark'), snapshot: z.string(), type: z.string() }),
        ]),
        identityBytes: hex,
        key: z.int(),
        salt: hex,
        objectKey: hex,
        raw: z.strictObject({ text: z.string(), bytes: z.int() }),
      }),
    ),
  })
  .parse(JSON.parse(fileOf('vectors.json').toString()));

const { repository, keyring, slots, objects, token } = vectors;
const root = new Key(vectors.rootKey);
const keys = keyring.keys.map(({ key, created }) => ({ key: new Key(key), created }));
const ring = new Keyring(keyring.number, keys);
const codec = new FrameCodec();

/** Randomness that was thrown once. */
function fixed(salt: Buffer): { bytes(count: number): Buffer } {
  return {
    bytes(count) {
      expect(count).toBe(salt.length);
      return salt;
    },
  };
}

function contentKey(number: number): Key {
  const key = keys[number - 1]?.key;
  if (key === undefined) throw new Error(`no key ${number} among the vectors`);
  return key;
}

describe('what the first version sealed', () => {
  it.each(slots)('opens: slot $slot, and is written the same again', async (known) => {
    const secret = 'keyFile' in known ? { keyFile: known.keyFile } : { passphrase: known.passphrase };
    const bytes = fileOf(known.file);
    const opened = await openSlot(bytes, { repository, slot: known.slot, secret });
    expect(opened.secret().toString('hex')).toBe(root.secret().toString('hex'));
    const again = await createSlot({
      repository,
      slot: known.slot,
      created: known.created,
      root,
      secret,
      random: fixed(known.salt),
      ...('argon2id' in known ? { cost: known.argon2id } : {}),
    });
    expect(again.toString()).toBe(bytes.toString());
  });

  it('opens: the keyring, and is written the same again', () => {
    const opened = openKeyring(fileOf(keyring.file), { repository, root, number: keyring.number, codec });
    expect(root.idText).toBe(vectors.rootKeyId);
    expect(opened.keys.map(({ key, created }) => ({ id: key.idText, created }))).toEqual(
      keyring.keys.map(({ id, created }) => ({ id, created })),
    );
    const again = sealKeyring(ring, { repository, root, codec, random: fixed(keyring.salt) });
    expect(again.equals(fileOf(keyring.file))).toBe(true);
  });

  it.each(objects)('opens: $file, and is written the same again', (known) => {
    const identity: ObjectIdentity = known.identity;
    const raw = Buffer.alloc(known.raw.bytes, known.raw.text === '' ? 0 : known.raw.text);
    const sealed = fileOf(known.file);
    expect(openWhole(sealed, { identity, findKey: (id) => ring.find(id), codec }).equals(raw)).toBe(true);
    expect(encodeIdentity(identity).toString('hex')).toBe(known.identityBytes.toString('hex'));
    const key = contentKey(known.key);
    expect(makeHead(identity, key, known.salt).objectKey.toString('hex')).toBe(
      known.objectKey.toString('hex'),
    );
    const again = sealWhole(raw, { identity, key, codec, random: fixed(known.salt) });
    expect(again.equals(sealed)).toBe(true);
  });

  it('has the same tokens', () => {
    expect(topicToken(root, { id: token.topicId, name: token.topic })).toBe(token.token);
  });
});

describe('a second opener, of other libraries', () => {
  it.each(objects)('agrees on $file', (known) => {
    const opened = openByOtherMeans(fileOf(known.file), contentKey(known.key).secret(), known.identityBytes);
    expect(opened.objectKey.toString('hex')).toBe(known.objectKey.toString('hex'));
    expect(opened.raw.equals(Buffer.alloc(known.raw.bytes, known.raw.text === '' ? 0 : known.raw.text))).toBe(
      true,
    );
  });

  it('agrees on the keyring', () => {
    const identity = Buffer.concat([
      Buffer.from(repository.replaceAll('-', ''), 'hex'),
      Buffer.from([0, 0, 0, 0, 2]),
    ]);
    const { raw } = openByOtherMeans(fileOf(keyring.file), vectors.rootKey, identity);
    expect(JSON.parse(raw.toString())).toEqual({
      keyring: 2,
      keys: keyring.keys.map(({ key, created }) => ({ key: key.toString('hex'), created })),
    });
  });

  it('agrees on the slot of a key file', () => {
    const known = slots.find((candidate) => 'keyFile' in candidate);
    if (known === undefined || !('keyFile' in known)) throw new Error('no such slot among the vectors');
    const opened = openSlotByOtherMeans(fileOf(known.file), { keyFile: known.keyFile });
    expect(opened.toString('hex')).toBe(vectors.rootKey.toString('hex'));
  });
});
