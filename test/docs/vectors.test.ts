import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { makeVectors } from '../../scripts/docs/vectors.ts';
import {
  FrameCodec,
  Key,
  openKeyring,
  openSlot,
  openWhole,
  parseSheet,
  SecondOpener,
  stretchByArgon2,
  type ObjectIdentity,
  type Stretch,
} from '../../src/crypto/crypto.ts';
import { openByOtherMeans, openSlotByOtherMeans } from '../crypto/second-opener.ts';

const text = readFileSync('docs/test-vectors.json', 'utf8');
const hex = z.string().transform((value) => Buffer.from(value, 'hex'));
const base64 = z.string().transform((value) => Buffer.from(value, 'base64'));
const offset = z.string().transform(BigInt);
const whose = { repository: z.string(), instance: z.string() };
const ofSegment = { topicId: z.string(), topic: z.string(), partition: z.int(), base: offset, next: offset };
const identitySchema = z.discriminatedUnion('kind', [
  z.strictObject({ ...whose, kind: z.literal('segment'), ...ofSegment }),
  z.strictObject({ ...whose, kind: z.literal('index'), pack: z.string() }),
  z.strictObject({ ...whose, kind: z.literal('manifest'), snapshot: z.string(), seq: offset }),
  z.strictObject({ ...whose, kind: z.literal('mark'), snapshot: z.string(), type: z.string() }),
]);
const sealedObject = { identityBytes: hex, keyId: z.string(), objectKey: hex, commit: hex, sealed: base64 };
const vectors = z
  .object({
    repository: z.string(),
    rootKey: z.object({ key: hex }),
    slots: z.array(
      z.object({
        slot: z.string(),
        passphrase: z.string().optional(),
        keyFile: hex.optional(),
        stretched: hex.optional(),
        file: z.string(),
      }),
    ),
    keyring: z.object({
      number: z.int(),
      keys: z.array(z.object({ key: hex, id: z.string(), created: z.string() })),
      ...sealedObject,
    }),
    objects: z.array(
      z.object({
        identity: identitySchema,
        raw: z.object({ text: z.string(), bytes: z.int() }),
        ...sealedObject,
      }),
    ),
    sheet: z.array(z.string()),
  })
  .parse(JSON.parse(text));
const { repository, keyring, slots, objects } = vectors;
const root = new Key(vectors.rootKey.key);
const keys = keyring.keys.map(({ key }) => new Key(key));
const codec = new FrameCodec();
const findKey = (id: Buffer): Key | undefined => keys.find((key) => key.id.equals(id));

/** Each passphrase takes 256 MiB and a second: once is enough. */
const known = new Map<string, Promise<Buffer>>();
const stretch: Stretch = async (request) => {
  const name = JSON.stringify(request);
  const stretched = known.get(name) ?? stretchByArgon2(request);
  known.set(name, stretched);
  return await stretched;
};

test('the test vectors are what their script makes, and the slot of a passphrase costs what every slot does', async () => {
  expect(`${JSON.stringify(await makeVectors(stretch), null, 2)}\n`).toBe(text);
  expect(text).toContain(String.raw`\"argon2id\":{\"memoryKiB\":262144,\"passes\":3,\"lanes\":1}`);
  const kinds = new Set(['keyring', ...objects.map(({ identity }) => identity.kind)]);
  expect(kinds).toEqual(new Set(['segment', 'index', 'manifest', 'keyring', 'mark']));
});

test('both openers open the test vectors, and make the same keys on the way', async () => {
  for (const { slot, passphrase, keyFile, stretched, file } of slots) {
    const bytes = Buffer.from(file);
    const secret = keyFile === undefined ? { passphrase: passphrase ?? '' } : { keyFile };
    const opened = await openSlot(bytes, { repository, slot, secret, stretch });
    expect(opened.idText, slot).toBe(root.idText);
    const again = openSlotByOtherMeans(bytes, stretched === undefined ? secret : { stretched });
    expect(again, slot).toEqual(root.secret());
  }
  const ring = openKeyring(keyring.sealed, { repository, root, number: keyring.number, codec });
  expect(ring.keys.map(({ key }) => key.idText)).toEqual(keyring.keys.map(({ id }) => id));
  const sealed = [
    { ...keyring, key: root },
    ...objects.map((object) => ({ ...object, key: findKey(Buffer.from(object.keyId, 'hex')) })),
  ];
  for (const { key, identityBytes, objectKey, commit, ...object } of sealed) {
    const again = openByOtherMeans(object.sealed, key?.secret() ?? Buffer.alloc(0), identityBytes);
    expect([again.objectKey, again.commit]).toEqual([objectKey, commit]);
  }
  const second = new SecondOpener();
  for (const { identity, raw, sealed: file, identityBytes, keyId } of objects) {
    const expected = Buffer.alloc(raw.bytes, raw.text === '' ? 0 : raw.text);
    const own: ObjectIdentity = identity;
    expect(openWhole(file, { identity: own, findKey, codec, second }).equals(expected)).toBe(true);
    const key = findKey(Buffer.from(keyId, 'hex'))?.secret() ?? Buffer.alloc(0);
    expect(openByOtherMeans(file, key, identityBytes).raw.equals(expected)).toBe(true);
  }
  expect(second.blocks).toBe(objects.length + 2); // one of them has three
  const sheet = parseSheet(vectors.sheet.join('\n'));
  expect([sheet.repository, sheet.root.idText, sheet.keyring?.current.idText]).toEqual([
    repository,
    root.idText,
    keyring.keys.at(-1)?.id,
  ]);
});
