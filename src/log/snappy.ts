/**
 * Snappy, in the two ways in which producers write it.
 *
 *     stream = head chunk*                    what the Java client writes (the framing of xerial's snappy-java)
 *     head   = 82 "SNAPPY" 00 | i32 version | i32 oldest version that can read it        (big-endian)
 *     chunk  = i32 length | block             the head may come again where a chunk could
 *
 *     block  = varint of the length it inflates to | element*           what some other clients write, with no head
 *     element, by the low two bits of its first byte:
 *       00 literal: the high six bits are length - 1; 60 to 63 say that 1 to 4 bytes (little-endian) hold it instead
 *       01 copy: length 4 + bits 2-4, distance = bits 5-7 and the next byte (11 bits)
 *       10 copy: length 1 + high six bits, distance in 2 bytes, little-endian
 *       11 copy: the same with 4 bytes
 */
import { Piece } from './piece.ts';
import { malformed, tooLarge } from './malformed.ts';

const streamHead = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const streamHeadBytes = 16;

/** A copy of 3 bytes yields at most 64: no block can inflate to more than this many times its length. */
const inflationMax = 22;

export function inflateSnappy(bytes: Buffer, bytesMax: number): Buffer {
  const piece = new Piece(bytesMax);
  if (!isStreamHead(bytes, 0)) {
    inflateBlock(bytes, { from: 0, to: bytes.length }, piece);
    return piece.written();
  }
  let position = 0;
  while (position < bytes.length) {
    if (isStreamHead(bytes, position)) {
      position += streamHeadBytes;
      if (position > bytes.length) throw malformed('snappy', 'the stream ends within its head');
      continue;
    }
    if (position + 4 > bytes.length) throw malformed('snappy', 'the stream ends within a length');
    const length = bytes.readInt32BE(position);
    position += 4;
    const left = bytes.length - position;
    if (length < 0 || length > left) {
      throw malformed('snappy', `length of a chunk: expected 0 to ${left}, got ${length}`);
    }
    if (length > 0) inflateBlock(bytes, { from: position, to: position + length }, piece);
    position += length;
  }
  return piece.written();
}

function isStreamHead(bytes: Buffer, position: number): boolean {
  if (position + streamHead.length > bytes.length) return false;
  return bytes.compare(streamHead, 0, streamHead.length, position, position + streamHead.length) === 0;
}

function inflateBlock(bytes: Buffer, range: { from: number; to: number }, piece: Piece): void {
  const start = blockLength(bytes, range);
  const { length } = start;
  if (length > inflationMax * (range.to - range.from)) {
    throw malformed('snappy', `a block of ${range.to - range.from} bytes cannot inflate to ${length}`);
  }
  if (!piece.reserve(length)) throw tooLarge('snappy');
  const from = piece.length;
  const end = from + length;
  let { position } = start;
  while (position < range.to) {
    const element = readElement(bytes, position, range.to);
    position = element.position;
    if (element.length > end - piece.length)
      throw malformed('snappy', `a block goes on behind its ${length} bytes`);
    if (element.distance === 0) {
      if (element.length > range.to - position) throw malformed('snappy', 'a literal ends behind its block');
      piece.append(bytes, position, position + element.length);
      position += element.length;
    } else {
      if (element.distance > piece.length - from) throw malformed('snappy', 'a copy begins before its block');
      piece.repeat(element.distance, element.length);
    }
  }
  if (piece.length !== end)
    throw malformed('snappy', `a block of ${length} bytes ends after ${piece.length - from}`);
}

function blockLength(
  bytes: Buffer,
  range: { from: number; to: number },
): { length: number; position: number } {
  let length = 0;
  let position = range.from;
  for (let factor = 1; factor < 2 ** 35; factor *= 128) {
    const byte = position < range.to ? bytes[position] : undefined;
    if (byte === undefined) break;
    position += 1;
    length += (byte & 0x7f) * factor;
    if (byte < 0x80) {
      if (length >= 2 ** 32) break;
      return { length, position };
    }
  }
  throw malformed('snappy', 'a block does not begin with its length');
}

interface Element {
  /** 0 for a literal, which then stands at `position`. */
  readonly distance: number;
  readonly length: number;
  readonly position: number;
}

function readElement(bytes: Buffer, position: number, to: number): Element {
  const tag = bytes[position] ?? 0;
  const high = tag >>> 2;
  const next = position + 1;
  switch (tag & 0x03) {
    case 0: {
      if (high < 60) return { distance: 0, length: high + 1, position: next };
      const count = high - 59;
      return { distance: 0, length: little(bytes, { from: next, count, to }) + 1, position: next + count };
    }
    case 1: {
      const distance = ((tag >>> 5) << 8) | little(bytes, { from: next, count: 1, to });
      return { distance: known(distance), length: 4 + (high & 0x07), position: next + 1 };
    }
    default: {
      const count = (tag & 0x03) === 2 ? 2 : 4;
      const distance = little(bytes, { from: next, count, to });
      return { distance: known(distance), length: high + 1, position: next + count };
    }
  }
}

function little(bytes: Buffer, field: { from: number; count: number; to: number }): number {
  if (field.from + field.count > field.to) throw malformed('snappy', 'a block ends within an element');
  return bytes.readUIntLE(field.from, field.count);
}

function known(distance: number): number {
  if (distance === 0) throw malformed('snappy', 'a copy has distance 0');
  return distance;
}
