import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodeRecords } from '../../src/log/log.ts';
import { bytesMax, damageOf, failure, only } from './damage.ts';
import {
  encodeBatch,
  encodeRecord,
  lengthOf,
  lz4Block,
  lz4End,
  lz4Head,
  record,
  snappyHead,
  unsignedVarint,
} from './encoder.ts';

const gzip = 1;
const snappy = 2;
const lz4 = 3;
const zstd = 4;

function block(length: number, hex: string): Buffer {
  return Buffer.concat([unsignedVarint(length), Buffer.from(hex, 'hex')]);
}

function framed(...blocks: string[]): Buffer {
  return Buffer.concat([lz4Head, ...blocks.map((hex) => lz4Block(Buffer.from(hex, 'hex'))), lz4End]);
}

function head(hex: string): Buffer {
  return Buffer.concat([Buffer.from(`04224d18${hex}`, 'hex'), lz4End]);
}

describe('a bomb', () => {
  const big = Buffer.alloc(bytesMax + 1);
  const chunk = Buffer.concat([
    unsignedVarint(64_000),
    Buffer.from([0, 0]),
    Buffer.alloc(3 * 1000, 'fe0100', 'hex'),
  ]);
  // 1 byte, then copies of 64 from 1 back: 64,001 bytes.
  chunk[0] = unsignedVarint(64_001)[0] ?? 0;
  const match = Buffer.concat([
    Buffer.from([0x1f, 0, 1, 0]),
    Buffer.alloc(256, 255),
    Buffer.from([100]),
    Buffer.from([0x10, 0]),
  ]);

  test.each<[string, number, Buffer]>([
    ['gzip', gzip, gzipSync(big)],
    [
      'gzip of many members',
      gzip,
      Buffer.concat(Array.from({ length: 20 }, () => gzipSync(Buffer.alloc(60_000)))),
    ],
    ['zstd', zstd, zstdCompressSync(big)],
    [
      'zstd that claims no size',
      zstd,
      zstdCompressSync(big, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }),
    ],
    [
      'zstd of many frames',
      zstd,
      Buffer.concat(Array.from({ length: 20 }, () => zstdCompressSync(Buffer.alloc(60_000)))),
    ],
    ['lz4', lz4, Buffer.concat([lz4Head, ...Array.from({ length: 17 }, () => lz4Block(match)), lz4End])],
    [
      'snappy',
      snappy,
      Buffer.concat([
        snappyHead,
        ...Array.from({ length: 17 }, () => Buffer.concat([lengthOf(chunk), chunk])),
      ]),
    ],
  ])('of %s stops at the limit', (_name, codec, section) => {
    expect(section.length).toBeLessThan(100_000);
    expect(damageOf({ attributes: codec, section, recordCount: 1 })).toContain('more than the limit');
  });

  test('a section exactly at the limit is read', () => {
    const value = Buffer.alloc(bytesMax - 12);
    const records = [record({ value })];
    const inflated = encodeRecord(record({ value })).length;
    for (const codec of [gzip, lz4, zstd]) {
      const bytes = encodeBatch({ attributes: codec, records });
      const header = only(bytes);
      expect([...decodeRecords(bytes, header, { inflatedBytesMax: inflated })].length).toBe(1);
      const tooSmall = () => [...decodeRecords(bytes, header, { inflatedBytesMax: inflated - 1 })];
      expect(failure(tooSmall)).toContain('more than the limit');
    }
  });

  test('of countless empty zstd frames stops', () => {
    const frame = zstdCompressSync(Buffer.alloc(0));
    const section = Buffer.concat(Array.from({ length: 1001 }, () => frame));
    expect(damageOf({ attributes: zstd, section, recordCount: 1 })).toContain('1000 frames');
  });

  test('a claim of 4 GiB in a snappy block of a few bytes is refused before anything is allocated', () => {
    const section = Buffer.concat([unsignedVarint(2 ** 32 - 1), Buffer.alloc(20)]);
    expect(damageOf({ attributes: snappy, section, recordCount: 1 })).toContain(
      'cannot inflate to 4294967295',
    );
  });
});

describe('a snappy section', () => {
  test.each<[string, Buffer, string]>([
    ['that is empty in its head', snappyHead.subarray(0, 12), 'ends within its head'],
    [
      'with a chunk behind its end',
      Buffer.concat([snappyHead, Buffer.from('000000ff00', 'hex')]),
      'length of a chunk',
    ],
    [
      'with a negative chunk',
      Buffer.concat([snappyHead, Buffer.from('ffffffff00', 'hex')]),
      'length of a chunk',
    ],
    ['that ends in a length', Buffer.concat([snappyHead, Buffer.from('0000', 'hex')]), 'within a length'],
    ['without a length', Buffer.from('ffffffffff', 'hex'), 'begin with its length'],
    ['with a copy before its begin', block(8, '00000d05'), 'begins before its block'],
    ['with a copy from nowhere', block(8, '00000d00'), 'distance 0'],
    ['with a literal behind its end', block(8, '1c00'), 'literal ends behind'],
    ['that goes on behind its length', block(1, '000000'), 'goes on behind'],
    ['that ends too soon', block(9, '0000'), 'ends after 1'],
    ['that ends within an element', block(9, 'f4ff'), 'within an element'],
  ])('%s is damage', (_name, section, message) => {
    expect(damageOf({ attributes: snappy, section, recordCount: 1 })).toContain(message);
  });
});

test('a snappy stream may begin again where a chunk could, as joined streams do', () => {
  const inflated = encodeRecord(record({ value: Buffer.from('value') }));
  const halves = [inflated.subarray(0, 4), inflated.subarray(4)].map((half) => {
    const literal = Buffer.concat([unsignedVarint(half.length), Buffer.from([(half.length - 1) << 2]), half]);
    return Buffer.concat([snappyHead, lengthOf(literal), literal]);
  });
  const bytes = encodeBatch({ attributes: snappy, section: Buffer.concat(halves), recordCount: 1 });
  expect([...decodeRecords(bytes, only(bytes))]).toMatchObject([{ value: Buffer.from('value') }]);
});

describe('an lz4 section', () => {
  test.each<[string, Buffer, string]>([
    ['without its magic number', Buffer.from('not a frame'), 'does not begin'],
    ['with another version', head('a04000'), 'version of the frame'],
    ['that asks for a dictionary', head('614000'), 'dictionary'],
    ['with blocks of no known size', head('603000'), 'block size'],
    ['whose head has another checksum', head('604083'), 'checksum of the head'],
    [
      'with a block larger than it says',
      Buffer.concat([lz4Head, lz4Block(Buffer.alloc(65_537), true), lz4End]),
      'length of a block',
    ],
    [
      'with a block behind its end',
      Buffer.concat([lz4Head, Buffer.from('ff000000', 'hex')]),
      'length of a block',
    ],
    ['with a match before its begin', framed('1000020000'), '2 bytes back'],
    ['of independent blocks with a match into the one before', framed('1000', '1000020000'), '2 bytes back'],
    ['with a match from nowhere', framed('1000000000'), '0 bytes back'],
    ['with literals behind their block', framed('f000'), 'literals end behind'],
    ['that ends within a sequence', framed('100001'), 'within a sequence'],
    ['with an endless length', framed('f0' + 'ff'.repeat(50)), 'within a sequence'],
    ['with something behind it', Buffer.concat([lz4Head, lz4End, Buffer.from([0])]), '1 bytes follow'],
    ['without its end', lz4Head, 'no end'],
  ])('%s is damage', (_name, section, message) => {
    expect(damageOf({ attributes: lz4, section, recordCount: 1 })).toContain(message);
  });

  test('whose block inflates to more than a block may is damage', () => {
    const match = Buffer.concat([Buffer.from([0x1f, 0, 1, 0]), Buffer.alloc(258, 255), Buffer.from([0, 0])]);
    const section = Buffer.concat([lz4Head, lz4Block(match), lz4End]);
    expect(damageOf({ attributes: lz4, section, recordCount: 1 })).toContain('more than its 65536 bytes');
  });
});
