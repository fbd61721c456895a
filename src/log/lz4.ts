/**
 * The lz4 frame. Integers are little-endian.
 *
 *     frame = u32 184D2204 | FLG | BD | [u64 content size] | HC | block* | u32 0 | [u32 checksum of the content]
 *     FLG   = bits 7-6 version 01, 5 blocks independent, 4 block checksums, 3 content size, 2 content checksum,
 *             1 zero, 0 dictionary (nobody can have one here: refused)
 *     BD    = bits 6-4 the largest block: 4 64 KiB, 5 256 KiB, 6 1 MiB, 7 4 MiB; the others zero
 *     HC    = second byte of the XXH32 of FLG up to HC
 *     block = u32 length, top bit: stored as it is | bytes | [u32 XXH32 of those bytes]
 *
 *     stored differently: sequence* where
 *     sequence = token | [length bytes] | literals | [u16 distance | [length bytes]]
 *     token    = high 4 bits the number of literals, low 4 bits the match length - 4; 15: more bytes follow and add up,
 *                the first below 255 is the last. The last sequence of a block ends after its literals.
 *
 * Where blocks are not independent a match may begin in an earlier block.
 */
import { malformed, tooLarge } from './malformed.ts';
import { Piece } from './piece.ts';
import { xxhash32 } from './xxhash32.ts';

interface Frame {
  readonly independent: boolean;
  readonly blockChecksums: boolean;
  readonly contentChecksum: boolean;
  readonly contentSize: bigint | undefined;
  readonly blockBytesMax: number;
  /** Where the blocks begin. */
  readonly position: number;
}

const frameMagic = 0x184d2204;
const storedBit = 0x8000_0000;

export function inflateLz4(bytes: Buffer, bytesMax: number): Buffer {
  const frame = readFrame(bytes);
  const piece = new Piece(bytesMax);
  let { position } = frame;
  for (;;) {
    const word = word32(bytes, position);
    position += 4;
    if (word === 0) break;
    const length = word % storedBit;
    const left = bytes.length - position;
    if (length > left || length > frame.blockBytesMax) {
      throw malformed(
        'lz4',
        `length of a block: expected at most ${Math.min(left, frame.blockBytesMax)}, got ${length}`,
      );
    }
    const to = position + length;
    if (word >= storedBit) {
      if (!piece.reserve(length)) throw tooLarge('lz4');
      piece.append(bytes, position, to);
    } else {
      inflateBlock(bytes, { from: position, to }, { piece, frame });
    }
    if (frame.blockChecksums) verify('a block', xxhash32(bytes, position, to), word32(bytes, to));
    position = frame.blockChecksums ? to + 4 : to;
  }
  const content = piece.written();
  if (frame.contentSize !== undefined && frame.contentSize !== BigInt(content.length)) {
    throw malformed('lz4', `content size: expected ${frame.contentSize}, got ${content.length}`);
  }
  if (frame.contentChecksum) {
    verify('the content', xxhash32(content, 0, content.length), word32(bytes, position));
    position += 4;
  }
  if (position !== bytes.length) throw malformed('lz4', `${bytes.length - position} bytes follow the frame`);
  return content;
}

function readFrame(bytes: Buffer): Frame {
  if (word32(bytes, 0) !== frameMagic) throw malformed('lz4', 'this does not begin as a frame does');
  if (bytes.length < 7) throw malformed('lz4', 'the frame ends within its head');
  const flags = bytes.readUInt8(4);
  const block = bytes.readUInt8(5);
  if (flags >>> 6 !== 1) throw malformed('lz4', `version of the frame: expected 1, got ${flags >>> 6}`);
  if ((flags & 0x03) !== 0) throw malformed('lz4', 'the frame asks for a dictionary or sets a reserved bit');
  const blockCode = block >>> 4;
  if (blockCode < 4 || blockCode > 7 || (block & 0x0f) !== 0) {
    throw malformed('lz4', `block size: expected 0x40 to 0x70, got 0x${block.toString(16)}`);
  }
  const sized = (flags & 0x08) !== 0;
  const check = sized ? 14 : 6;
  if (check >= bytes.length) throw malformed('lz4', 'the frame ends within its head');
  verify('the head', (xxhash32(bytes, 4, check) >>> 8) & 0xff, bytes.readUInt8(check));
  return {
    independent: (flags & 0x20) !== 0,
    blockChecksums: (flags & 0x10) !== 0,
    contentChecksum: (flags & 0x04) !== 0,
    contentSize: sized ? bytes.readBigUInt64LE(6) : undefined,
    blockBytesMax: 2 ** (8 + 2 * blockCode),
    position: check + 1,
  };
}

function inflateBlock(
  bytes: Buffer,
  range: { from: number; to: number },
  into: { piece: Piece; frame: Frame },
): void {
  const { piece, frame } = into;
  const blockFrom = piece.length;
  const reachFrom = frame.independent ? blockFrom : 0;
  const walk = { position: range.from, to: range.to };
  const room = (count: number): void => {
    if (piece.length - blockFrom + count > frame.blockBytesMax) {
      throw malformed('lz4', `a block inflates to more than its ${frame.blockBytesMax} bytes`);
    }
    if (!piece.reserve(count)) throw tooLarge('lz4');
  };
  for (;;) {
    const token = nextByte(bytes, walk);
    const literals = sequenceLength(bytes, walk, token >>> 4);
    if (literals > walk.to - walk.position) throw malformed('lz4', 'literals end behind their block');
    room(literals);
    piece.append(bytes, walk.position, walk.position + literals);
    walk.position += literals;
    if (walk.position === walk.to) return;
    const distance = nextByte(bytes, walk) | (nextByte(bytes, walk) << 8);
    const length = 4 + sequenceLength(bytes, walk, token & 0x0f);
    if (distance === 0 || distance > piece.length - reachFrom) {
      throw malformed('lz4', `a match begins ${distance} bytes back, ${piece.length - reachFrom} are there`);
    }
    room(length);
    piece.repeat(distance, length);
  }
}

interface Walk {
  position: number;
  readonly to: number;
}

function nextByte(bytes: Buffer, walk: Walk): number {
  const byte = walk.position < walk.to ? bytes[walk.position] : undefined;
  if (byte === undefined) throw malformed('lz4', 'a block ends within a sequence');
  walk.position += 1;
  return byte;
}

function sequenceLength(bytes: Buffer, walk: Walk, nibble: number): number {
  if (nibble < 15) return nibble;
  let length = nibble;
  for (;;) {
    const byte = nextByte(bytes, walk);
    length += byte;
    if (byte < 255) return length;
  }
}

function word32(bytes: Buffer, position: number): number {
  if (position + 4 > bytes.length) throw malformed('lz4', 'the frame has no end');
  return bytes.readUInt32LE(position);
}

function verify(what: string, computed: number, stored: number): void {
  if (computed === stored) return;
  throw malformed(
    'lz4',
    `checksum of ${what}: expected ${stored.toString(16)}, got ${computed.toString(16)}`,
  );
}
