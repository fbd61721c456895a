/**
 * Opens a sealed object by docs/format.md alone, with other libraries: libsodium for every primitive, Node's own
 * zstd. It shares no line with src/crypto.
 */
import { zstdDecompressSync } from 'node:zlib';
import sodium, { ready } from 'libsodium-wrappers';

await ready;
const { crypto_aead_chacha20poly1305_ietf_decrypt: decrypt, crypto_generichash: generichash } = sodium;

export interface Derived {
  readonly objectKey: Buffer;
  readonly commit: Buffer;
  readonly raw: Buffer;
}

export function openByOtherMeans(file: Buffer, contentKey: Buffer, identity: Buffer): Derived {
  const length = Buffer.from([identity.length >> 8, identity.length & 255]);
  const label = Buffer.from('varve1 object');
  const message = Buffer.concat([label, file.subarray(0, 64), length, identity]);
  const objectKey = Buffer.from(generichash(32, message, contentKey));
  const commit = Buffer.from(generichash(32, 'varve1 commit', objectKey));
  if (!commit.equals(file.subarray(64, 96))) throw new Error('commit');
  const raw: Buffer[] = [];
  let position = 96;
  for (let number = 0; position < file.length; number += 1) {
    const end = position + 4 + file.readUInt32BE(position);
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(number, 7);
    nonce[11] = end === file.length ? 1 : 0;
    const frame = decrypt(null, file.subarray(position + 4, end), null, nonce, objectKey);
    raw.push(zstdDecompressSync(frame));
    position = end;
  }
  return { objectKey, commit, raw: Buffer.concat(raw) };
}

/** The root key, from a slot, by a key file, or by what Argon2id made of a passphrase, which libsodium-wrappers lacks. */
export function openSlotByOtherMeans(file: Buffer, secret: { keyFile?: Buffer; stretched?: Buffer }): Buffer {
  const text = file.toString('latin1');
  const member = (name: string): Buffer =>
    Buffer.from(new RegExp(`"${name}":"([0-9a-f]+)"`).exec(text)?.[1] ?? '', 'hex');
  const before = (name: string): Buffer => file.subarray(0, text.indexOf(`,"${name}"`));
  const checksum = generichash(
    32,
    Buffer.concat([Buffer.from('varve1 slot checksum'), before('checksum')]),
    null,
  );
  if (!member('checksum').equals(checksum)) throw new Error('checksum');
  const salted = Buffer.concat([Buffer.from('varve1 key file'), member('salt')]);
  const stretched = secret.stretched ?? generichash(32, salted, secret.keyFile ?? null);
  const slotKey = generichash(32, Buffer.concat([Buffer.from('varve1 slot'), before('box')]), stretched);
  return Buffer.from(decrypt(null, member('box'), null, Buffer.alloc(12), slotKey));
}
