// Its functions are put on the default export when the module is ready; they are no exports of their own.
import sodium, { ready } from 'libsodium-wrappers';

// The library is WebAssembly and compiles when imported; from here on it is synchronous.
await ready;

/** BLAKE2b keyed with 32 bytes, over the parts one behind the other. Every use begins with a label of its own. */
export function keyedBlake2b(
  key: Uint8Array,
  bytes: 16 | 20 | 32,
  ...parts: (string | Uint8Array)[]
): Buffer {
  return Buffer.from(sodium.crypto_generichash(bytes, joined(parts), key));
}

/** Without a key: a checksum. */
export function blake2b(...parts: (string | Uint8Array)[]): Buffer {
  return Buffer.from(sodium.crypto_generichash(32, joined(parts), null));
}

function joined(parts: (string | Uint8Array)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}
