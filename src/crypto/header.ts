/**
 * The head of a sealed object, 96 bytes:
 *
 *    0  8  magic "VARVESO1"
 *    8  1  format 1            9  1  kind            10  1  suite 1      11  1  log2 of the block size = 20
 *   12  2  wrapLen = 0        14  2  zero            16 16  key id
 *   32 32  salt               64 32  commit
 *
 * objectKey = BLAKE2b-256(contentKey, "varve1 object" | bytes 0..63 | wrap | u16 length | identity)
 * commit    = BLAKE2b-256(objectKey, "varve1 commit"); without it, one file could be made to open under two keys.
 */
import { timingSafeEqual } from 'node:crypto';
import { keyedBlake2b } from './blake2b.ts';
import { blockSizeLog } from './block.ts';
import { SealedDamage } from './damage.ts';
import { encodeIdentity, nameOfObject, type ObjectIdentity, type ObjectKind } from './identity.ts';
import type { Key } from './key.ts';

export const headerBytes = 96;
export const saltBytes = 32;

const magic = Buffer.from('VARVESO1');
const format = 1;
const suite = 1;
const kindNumber = { segment: 1, index: 2, manifest: 3, keyring: 4, mark: 5 } satisfies Record<
  ObjectKind,
  number
>;

export interface Head {
  readonly header: Buffer;
  readonly objectKey: Buffer;
}

export function makeHead(identity: ObjectIdentity, key: Key, salt: Buffer): Head {
  if (salt.length !== saltBytes) throw new Error(`a salt has ${saltBytes} bytes, got ${salt.length}`);
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.set([format, kindNumber[identity.kind], suite, blockSizeLog], 8);
  key.id.copy(header, 16);
  salt.copy(header, 32);
  const objectKey = deriveObjectKey(header, identity, key);
  commitTo(objectKey).copy(header, 64);
  return { header, objectKey };
}

/** The object's key, once the head has proved to be that of this object. */
export function openHead(
  header: Buffer,
  identity: ObjectIdentity,
  findKey: (id: Buffer) => Key | undefined,
): Buffer {
  checkMagic(header, identity);
  if (header.length < headerBytes)
    throw new SealedDamage(
      'truncated',
      `${nameOfObject(identity)}: expected a head of ${headerBytes} bytes, got ${header.length}`,
    );
  expectByte(header, 8, format, 'format', identity);
  expectByte(header, 9, kindNumber[identity.kind], 'kind', identity);
  expectByte(header, 10, suite, 'suite', identity);
  expectByte(header, 11, blockSizeLog, 'log2 of the block size', identity);
  if (header.readUInt32BE(12) !== 0)
    throw foreign(identity, 'expected no wrapped key and zero bytes at 12..15 of its head');
  const id = header.subarray(16, 32);
  const key = findKey(id);
  if (key === undefined)
    throw foreign(identity, `is sealed with key ${id.toString('hex')}, which is not in the keyring`);
  const objectKey = deriveObjectKey(header, identity, key);
  if (!timingSafeEqual(commitTo(objectKey), header.subarray(64, headerBytes)))
    throw foreign(identity, 'its head is that of another object, or damaged');
  return objectKey;
}

/** Looks at as much of it as there is: a stump of an object is truncated, anything else is foreign. */
export function checkMagic(start: Buffer, identity: ObjectIdentity): void {
  const there = Math.min(start.length, magic.length);
  if (!start.subarray(0, there).equals(magic.subarray(0, there)))
    throw foreign(identity, 'expected a sealed object, got a file of another kind');
}

function deriveObjectKey(header: Buffer, identity: ObjectIdentity, key: Key): Buffer {
  const encoded = encodeIdentity(identity);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(encoded.length);
  return keyedBlake2b(key.secret(), 32, 'varve1 object', header.subarray(0, 64), length, encoded);
}

function commitTo(objectKey: Buffer): Buffer {
  return keyedBlake2b(objectKey, 32, 'varve1 commit');
}

function expectByte(
  header: Buffer,
  position: number,
  expected: number,
  name: string,
  identity: ObjectIdentity,
): void {
  const got = header[position];
  if (got !== expected) throw foreign(identity, `expected ${name} ${expected}, got ${got}`);
}

function foreign(identity: ObjectIdentity, what: string): SealedDamage {
  return new SealedDamage('foreign-object', `${nameOfObject(identity)}: ${what}`);
}
