/**
 * Opens what was opened once more, by other libraries: libsodium for every primitive, Node's own zstd. Only the bytes of
 * an identity come from the code that it checks; scripts/unseal.mjs makes these for itself, too.
 */
import { zstdDecompressSync } from 'node:zlib';
import sodium, { ready } from 'libsodium-wrappers';
import type { BlockPosition } from './block.ts';
import { SealedDamage } from './damage.ts';
import { encodeIdentity, nameOfObject, type ObjectIdentity } from './identity.ts';
import type { Key } from './key.ts';

await ready;

export type CompareBlock = (sealed: Buffer, position: BlockPosition, raw: Buffer) => void;

/** Counts what both openers agree on; throws damage where they do not. */
export class SecondOpener {
  /** So many blocks were opened twice, to the same bytes. */
  blocks = 0;

  begin(header: Buffer, identity: ObjectIdentity, findKey: (id: Buffer) => Key | undefined): CompareBlock {
    const key = findKey(header.subarray(16, 32))?.secret() ?? Buffer.alloc(32);
    const encoded = encodeIdentity(identity);
    const length = [encoded.length >> 8, encoded.length & 255];
    const label = Buffer.from('varve1 object');
    const message = Buffer.from([...label, ...header.subarray(0, 64), ...length, ...encoded]);
    const objectKey = sodium.crypto_generichash(32, message, key);
    const commit = sodium.crypto_generichash(32, 'varve1 commit', objectKey);
    if (!header.subarray(64, 96).equals(commit)) throw differs(identity, 'its head');
    return (sealed, position, raw) => {
      const again = opened(objectKey, sealed, position);
      if (again?.equals(raw) !== true) throw differs(identity, `block ${position.number}`);
      this.blocks += 1;
    };
  }
}

function opened(objectKey: Uint8Array, sealed: Buffer, { number, last }: BlockPosition): Buffer | undefined {
  const nonce = Buffer.from([...numberBytes(number), last ? 1 : 0]);
  try {
    const frame = sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, sealed, null, nonce, objectKey);
    return zstdDecompressSync(frame, { maxOutputLength: 2 ** 20 });
  } catch {
    return undefined; // that it does not open is all there is to know
  }
}

function numberBytes(number: number): Buffer {
  return Buffer.from(number.toString(16).padStart(22, '0'), 'hex');
}

function differs(identity: ObjectIdentity, what: string): SealedDamage {
  return new SealedDamage(
    'block-damaged',
    `${nameOfObject(identity)}: ${what} opens by node:crypto, and by libsodium not, or as something else`,
  );
}
