import { describe, expect, test } from 'vitest';
import { checkBatch, decodeRecords, scanBatches } from '../../src/log/log.ts';
import { bytesMax, damageOf, failure, only } from './damage.ts';
import { encodeBatch, encodeRecord, record, sealed, varint, type BatchToEncode } from './encoder.ts';

function changed(change: (bytes: Buffer) => void): Buffer {
  const bytes = encodeBatch({ records: [record({ value: Buffer.from('x') })] });
  change(bytes);
  return bytes;
}

function wrap(...parts: Buffer[]): BatchToEncode {
  const body = Buffer.concat([Buffer.from([0]), ...parts]);
  return { section: Buffer.concat([varint(body.length), body]), recordCount: 1 };
}

describe('a head that lies', () => {
  test.each([-1, 0, 48, -2_147_483_648])(
    'with the length %i ends the walk with a named problem',
    (length) => {
      const scan = scanBatches(changed((bytes) => bytes.writeInt32BE(length, 8)));
      expect(scan).toMatchObject({
        batches: [],
        end: 0,
        problem: { code: 'length', position: 0, baseOffset: 0n },
      });
    },
  );

  test('with the largest length is a piece of a batch and costs nothing', () => {
    const scan = scanBatches(changed((bytes) => bytes.writeInt32BE(0x7fff_ffff, 8)));
    expect(scan).toEqual({ batches: [], end: 0, partial: { byteLength: 12 + 0x7fff_ffff } });
  });

  test('ends the walk behind the good batches before it', () => {
    const good = encodeBatch({ baseOffset: 5n, records: [record()] });
    const bad = changed((bytes) => bytes.writeInt8(1, 16));
    const scan = scanBatches(Buffer.concat([good, bad]));
    expect(scan.batches.map((header) => header.baseOffset)).toEqual([5n]);
    expect(scan.end).toBe(good.length);
    expect(scan.problem).toMatchObject({ code: 'magic', position: good.length });
  });

  test('is checked within the bytes at hand, wherever the header came from', () => {
    const bytes = encodeBatch({ records: [record()] });
    const header = only(bytes);
    expect(checkBatch(bytes.subarray(0, -1), header)?.code).toBe('length');
    expect(checkBatch(bytes, { ...header, byteLength: 12 })?.code).toBe('length');
  });

  test.each<[string, (bytes: Buffer) => void]>([
    ['offsets', (bytes) => bytes.writeInt32BE(-1, 23)],
    ['offsets', (bytes) => bytes.writeBigInt64BE(-1n, 0)],
    ['offsets', (bytes) => bytes.writeBigInt64BE(2n ** 63n - 1n, 0)],
    ['count', (bytes) => bytes.writeInt32BE(-1, 57)],
    ['count', (bytes) => bytes.writeInt32BE(2, 57)],
    ['count', (bytes) => bytes.writeInt32BE(0x7fff_ffff, 57)],
    ['codec', (bytes) => bytes.writeInt16BE(5, 21)],
    ['codec', (bytes) => bytes.writeInt16BE(7, 21)],
  ])('about its %s is refused although its checksum is good', (code, change) => {
    const bytes = sealed(changed(change));
    expect(checkBatch(bytes, only(bytes))?.code).toBe(code);
  });

  test('about the largest offset that can have a next one is none', () => {
    const bytes = encodeBatch({ baseOffset: 2n ** 63n - 2n, records: [record()] });
    expect(checkBatch(bytes, only(bytes))).toBeUndefined();
  });
});

describe('records that lie', () => {
  const good = encodeRecord(record({ key: Buffer.from('key'), value: Buffer.from('value') }));

  test.each<[string, BatchToEncode, string]>([
    [
      'more records than the head says',
      { section: Buffer.concat([good, good]), recordCount: 1 },
      'more bytes behind',
    ],
    ['fewer', { section: good, recordCount: 3, lastOffsetDelta: 5 }, 'expected another byte'],
    ['none where the head says none but bytes stand', { section: good, recordCount: 0 }, 'more bytes behind'],
    ['a length behind the end', { section: varint(1_000_000), recordCount: 1 }, 'length of record'],
    ['a negative length', { section: varint(-1), recordCount: 1 }, 'length of record'],
    ['a length of 2^31 - 1', { section: varint(0x7fff_ffff), recordCount: 1 }, 'length of record'],
    ['an overlong length', { section: Buffer.alloc(12, 0xff), recordCount: 1 }, 'at most 32 bits'],
    ['a length of 33 bits', { section: Buffer.from('ffffffff1f', 'hex'), recordCount: 1 }, 'at most 32 bits'],
    [
      'an offset twice',
      { section: Buffer.concat([good, good]), recordCount: 2, lastOffsetDelta: 1 },
      'offset delta',
    ],
    [
      'an offset behind the last',
      { records: [record({ offsetDelta: 2 })], lastOffsetDelta: 1 },
      'offset delta',
    ],
    ['a negative offset delta', { records: [record({ offsetDelta: -1 })] }, 'offset delta'],
  ])('%s', (_name, batch, message) => {
    expect(damageOf(batch)).toContain(message);
  });

  const zero = varint(0);
  const none = varint(-1);

  test.each<[string, BatchToEncode, string]>([
    ['a timestamp of 65 bits', wrap(Buffer.from('ffffffffffffffffff03', 'hex')), 'at most 64 bits'],
    ['an endless timestamp', wrap(Buffer.alloc(30, 0x80)), 'at most 64 bits'],
    ['a key length of -2', wrap(zero, zero, varint(-2)), 'length of key'],
    ['a key behind its record', wrap(zero, zero, varint(7)), 'length of key'],
    ['a value length of -2', wrap(zero, zero, none, varint(-2)), 'length of value'],
    ['a value behind its record', wrap(zero, zero, none, varint(1)), 'length of value'],
    ['a negative number of headers', wrap(zero, zero, none, none, varint(-1)), 'number of headers'],
    ['2^31 - 1 headers', wrap(zero, zero, none, none, varint(0x7fff_ffff)), 'number of headers'],
    ['one header more than fits', wrap(zero, zero, none, none, varint(2), zero, none), 'number of headers'],
    ['a header without a name', wrap(zero, zero, none, none, varint(1), none, none), 'header name'],
    [
      'a header value behind its record',
      wrap(zero, zero, none, none, varint(1), zero, varint(9)),
      'header value',
    ],
    ['bytes behind the headers', wrap(zero, zero, none, none, zero, zero), 'expected its end'],
    ['a record that ends in its head', wrap(zero), 'expected another byte'],
  ])('%s', (_name, batch, message) => {
    expect(damageOf(batch)).toContain(message);
  });

  test('a record may not reach into the next one', () => {
    const body = Buffer.concat([Buffer.from([0]), zero, zero, varint(good.length), none, zero]);
    const section = Buffer.concat([varint(body.length), body, good]);
    expect(damageOf({ section, recordCount: 2, lastOffsetDelta: 1 })).toContain('length of key');
  });

  test('a number written longer than it needs to be is still that number', () => {
    const body = Buffer.concat([
      Buffer.from([0]),
      Buffer.from('8080808000', 'hex'),
      Buffer.from('8000', 'hex'),
      none,
      none,
      zero,
    ]);
    const bytes = encodeBatch({ section: Buffer.concat([varint(body.length), body]), recordCount: 1 });
    expect([...decodeRecords(bytes, only(bytes))]).toMatchObject([{ offset: 0n, timestamp: 0n, key: null }]);
  });

  test('the good records before a bad one are handed out', () => {
    const bytes = encodeBatch({
      section: Buffer.concat([good, varint(9)]),
      recordCount: 2,
      lastOffsetDelta: 1,
    });
    const records = decodeRecords(bytes, only(bytes));
    expect(records.next().value).toMatchObject({ offset: 0n });
    expect(() => records.next()).toThrow('length of record');
  });

  test('a header that was never checked cannot make it read outside', () => {
    const bytes = encodeBatch({ records: [record()] });
    const header = only(bytes);
    expect(failure(() => [...decodeRecords(bytes, { ...header, byteLength: 1000 })])).toContain(
      'was checked',
    );
    expect(failure(() => [...decodeRecords(bytes, { ...header, attributes: 6 })])).toContain('codec 6');
    expect(failure(() => [...decodeRecords(bytes, { ...header, recordCount: -1 })])).toContain(
      'number of records',
    );
  });

  test.each([1, 2, 3, 4])('every cut of a section of codec %i is damage, however the rest looks', (codec) => {
    const records = Array.from({ length: 5 }, (_, index) =>
      record({ offsetDelta: index, key: Buffer.from('key'), value: Buffer.alloc(40, index) }),
    );
    const whole = encodeBatch({ attributes: codec, records });
    const section = whole.subarray(61);
    for (let cut = 0; cut < section.length; cut += 1) {
      const message = damageOf({
        attributes: codec,
        section: section.subarray(0, cut),
        recordCount: 5,
        lastOffsetDelta: 4,
      });
      expect(message).toContain('records of the batch at offset 0');
    }
  });

  test.each([0, 1, 2, 3, 4])('every flip in a section of codec %i ends in records or damage', (codec) => {
    const records = [
      record({ value: Buffer.alloc(100, 7) }),
      record({ offsetDelta: 1, key: Buffer.from('key') }),
    ];
    const whole = encodeBatch({ attributes: codec, records });
    for (let bit = 61 * 8; bit < whole.length * 8; bit += 1) {
      const bytes = Buffer.from(whole);
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const header = only(sealed(bytes));
      expect(failure(() => [...decodeRecords(bytes, header, { inflatedBytesMax: bytesMax })])).toMatch(
        /read 2|records of/,
      );
    }
  });
});
