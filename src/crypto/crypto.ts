/**
 * Sealed objects, the keys that open them, and the slots that open the keys: bytes in, bytes out.
 *
 * It promises: an object opens under the one identity it was sealed for or not at all; of a block nothing comes out
 * before it is authentic; every number read from bytes is bounded before anything is allocated or computed by it; what
 * fails is named: `damage` with a reason, or `wrong-key`.
 * It never touches a file, a clock or the system's randomness, never writes a secret into a message, and keeps none in
 * an enumerable property. It does not wipe memory. The layouts are in docs/format.md.
 */
export {
  argon2Bounds,
  stretchByArgon2,
  type Argon2Cost,
  type Argon2Request,
  type Stretch,
} from './argon2.ts';
export { decodeBase32, encodeBase32 } from './base32.ts';
export { blockBytes, sealBlock, sealedBlockBytesMax, type BlockPosition } from './block.ts';
export { SealedDamage, type DamageReason } from './damage.ts';
export { FrameCodec } from './frame.ts';
export { FrameStream, windowLogMax } from './frame-stream.ts';
export { headerBytes, makeHead, openHead, saltBytes } from './header.ts';
export { encodeIdentity, nameOfObject, type ObjectIdentity, type ObjectKind } from './identity.ts';
export { Key, keyBytes } from './key.ts';
export { createKeyring, Keyring, openKeyring, rotateKeyring, sealKeyring } from './keyring.ts';
export { openBlocks, ObjectOpener, openStream, openWhole, type BlockOpener, type Opening } from './open.ts';
export { SecondOpener } from './second-opener.ts';
export { ObjectSealer, sealStream, sealWhole, type Sealing } from './seal.ts';
export { BlockPool, type SealedBlock } from './pool.ts';
export { formatSheet, parseSheet, type Sheet } from './sheet.ts';
export { createSlot, openSlot, readSlot, type SlotSecret } from './slot.ts';
export { topicToken } from './token.ts';
