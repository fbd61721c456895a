/** XXH32 with seed 0 of bytes[from, to): the checksum inside lz4 frames. */
export function xxhash32(bytes: Buffer, from: number, to: number): number {
  let position = from;
  let hash: number;
  if (to - from >= 16) {
    let a = (prime1 + prime2) | 0;
    let b = prime2;
    let c = 0;
    let d = -prime1 | 0;
    for (; position + 16 <= to; position += 16) {
      a = round(a, bytes.readUInt32LE(position));
      b = round(b, bytes.readUInt32LE(position + 4));
      c = round(c, bytes.readUInt32LE(position + 8));
      d = round(d, bytes.readUInt32LE(position + 12));
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0;
  } else {
    hash = prime5;
  }
  hash = (hash + (to - from)) | 0;
  for (; position + 4 <= to; position += 4) {
    const mixed = (hash + Math.imul(bytes.readUInt32LE(position), prime3)) | 0;
    hash = Math.imul(rotate(mixed, 17), prime4);
  }
  for (; position < to; position += 1) {
    const mixed = (hash + Math.imul(bytes[position] ?? 0, prime5)) | 0;
    hash = Math.imul(rotate(mixed, 11), prime1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const prime1 = 0x9e3779b1 | 0;
const prime2 = 0x85ebca77 | 0;
const prime3 = 0xc2b2ae3d | 0;
const prime4 = 0x27d4eb2f;
const prime5 = 0x165667b1;

function round(lane: number, input: number): number {
  return Math.imul(rotate((lane + Math.imul(input, prime2)) | 0, 13), prime1);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
