import { keyedBlake2b } from './blake2b.ts';

export const keyBytes = 32;

/**
 * A secret key and its public id. The secret is a private field: it appears in no log line, no JSON and no inspection
 * of an object that holds it. For another thread, pass `secret()` and make the key again there.
 */
export class Key {
  readonly #secret: Buffer;
  /** BLAKE2b-128(key, "varve1 key id") */
  readonly id: Buffer;

  constructor(secret: Uint8Array) {
    if (secret.length !== keyBytes) throw new Error(`a key has ${keyBytes} bytes, got ${secret.length}`);
    this.#secret = Buffer.from(secret);
    this.id = keyedBlake2b(this.#secret, 16, 'varve1 key id');
  }

  secret(): Buffer {
    return this.#secret;
  }

  get idText(): string {
    return this.id.toString('hex');
  }
}
