/**
 * docs/test-vectors.json: one of everything that docs/format.md specifies, from secrets that are no secrets, so that another
 * implementation can be held against this one. `node scripts/docs/vectors.ts` writes it; the same comes out each time.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import {
  createSlot,
  encodeIdentity,
  FrameCodec,
  formatSheet,
  Key,
  Keyring,
  makeHead,
  sealKeyring,
  sealWhole,
  stretchByArgon2,
  topicToken,
  type ObjectIdentity,
  type SlotSecret,
  type Stretch,
} from '../../src/crypto/crypto.ts';

const repository = '6f1d2c3b-4a59-4687-9f00-112233445566';
const instance = 'main';
const created = '2026-11-01T00:00:00.000Z';
const snapshot = '20261101T030000Z-00ff';
const topic = { topicId: '-_AAECAwQFBgcICQoLDA0A', topic: 'orders.v2' };
const root = new Key(bytesOf('root key'));
const keyring = new Keyring(2, [
  { key: new Key(bytesOf('content key 1')), created },
  { key: new Key(bytesOf('content key 2')), created: '2027-11-01T00:00:00.000Z' },
]);
const codec = new FrameCodec();

/** What is sealed in each is its text over and over, so many bytes of it. */
const objects: readonly {
  readonly identity: ObjectIdentity;
  readonly text: string;
  readonly bytes: number;
}[] = [
  {
    identity: segment({ partition: 7, base: 9007199254740993n, next: 9007199254741000n }),
    text: 'one block. ',
    bytes: 300,
  },
  { identity: segment({ partition: 0, base: 0n, next: 5000n }), text: 'three blocks. ', bytes: 2 ** 21 + 5 },
  {
    identity: { kind: 'index', repository, instance, pack: '2026-11/0000000042-0.tar' },
    text: '{}',
    bytes: 2,
  },
  { identity: { kind: 'manifest', repository, instance, snapshot, seq: 42n }, text: '{}', bytes: 2 },
  { identity: { kind: 'mark', repository, instance, snapshot, type: 'pinned' }, text: '', bytes: 0 },
  {
    identity: { kind: 'mark', repository, instance: '', snapshot: '00112233aabbccdd', type: 'removed' },
    text: '{}',
    bytes: 2,
  },
];

function segment(o: { partition: number; base: bigint; next: bigint }): ObjectIdentity {
  return { kind: 'segment', repository, instance, ...topic, ...o };
}

function bytesOf(name: string, count = 32): Buffer {
  return createHash('sha256').update(`varve test vector: ${name}`).digest().subarray(0, count);
}

function randomOf(name: string): { bytes(count: number): Buffer } {
  return { bytes: (count) => bytesOf(`salt of ${name}`, count) };
}

export async function makeVectors(stretch: Stretch = stretchByArgon2): Promise<object> {
  const sealed = sealKeyring(keyring, { repository, root, codec, random: randomOf('the keyring') });
  const slots = [
    await slotOf('by-passphrase', { passphrase: 'Größe 42, Fjörður, ключ' }, stretch),
    await slotOf('by-key-file', { keyFile: bytesOf('key file') }, stretch),
  ];
  return {
    note: 'Made by scripts/docs/vectors.ts. Bytes are hexadecimal, but for "sealed", which is base64. "raw" is the text over and over, as many bytes. Never use these keys.',
    repository,
    rootKey: { key: hex(root.secret()), id: root.idText },
    slots,
    keyring: {
      number: keyring.number,
      keys: keyring.keys.map(({ key, created: since }) => ({
        key: hex(key.secret()),
        id: key.idText,
        created: since,
      })),
      ...headOf({ kind: 'keyring', repository, number: keyring.number }, root, 'the keyring'),
      sealed: sealed.toString('base64'),
    },
    token: { ...topic, token: topicToken(root, { id: topic.topicId, name: topic.topic }) },
    objects: objects.map(({ identity, text, bytes }, index) => objectOf({ identity, text, bytes }, index)),
    sheet: formatSheet({ repository, root, keyring }),
  };
}

function objectOf(o: (typeof objects)[number], index: number): object {
  const { identity, text, bytes } = o;
  const name = `object ${index}`;
  const raw = Buffer.alloc(bytes, text === '' ? 0 : text);
  const key = keyring.keys[index % 2]?.key ?? keyring.current;
  const sealed = sealWhole(raw, { identity, key, codec, random: randomOf(name) });
  return {
    identity: Object.fromEntries(
      Object.entries(identity).map(([field, value]) => [
        field,
        typeof value === 'bigint' ? String(value) : value,
      ]),
    ),
    ...headOf(identity, key, name),
    raw: { text, bytes },
    sealed: sealed.toString('base64'),
  };
}

function headOf(identity: ObjectIdentity, key: Key, name: string): object {
  const salt = bytesOf(`salt of ${name}`);
  const { header, objectKey } = makeHead(identity, key, salt);
  return {
    identityBytes: hex(encodeIdentity(identity)),
    keyId: key.idText,
    salt: hex(salt),
    objectKey: hex(objectKey),
    commit: hex(header.subarray(64)),
  };
}

async function slotOf(slot: string, secret: SlotSecret, stretch: Stretch): Promise<object> {
  let stretched: string | undefined;
  const noting: Stretch = async (request) => {
    const bytes = await stretch(request);
    stretched = hex(bytes);
    return bytes;
  };
  const file = await createSlot({
    repository,
    slot,
    created,
    root,
    secret,
    random: randomOf(slot),
    stretch: noting,
  });
  const shown = 'passphrase' in secret ? secret : { keyFile: hex(secret.keyFile) };
  return { slot, ...shown, ...(stretched !== undefined && { stretched }), file: file.toString('utf8') };
}

function hex(bytes: Buffer): string {
  return bytes.toString('hex');
}

if (import.meta.main) {
  const path = new URL('../../docs/test-vectors.json', import.meta.url);
  writeFileSync(path, `${JSON.stringify(await makeVectors(), null, 2)}\n`);
}
