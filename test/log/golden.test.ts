import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  checkBatch,
  codecOf,
  decodeRecords,
  isControl,
  isTransactional,
  lastOffsetOf,
  nextOffsetOf,
  scanBatches,
  type BatchHeader,
} from '../../src/log/log.ts';

const folder = new URL('../fixtures/batches/', import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.bin'))
  .map((name) => name.slice(0, -'.bin'.length));

const goldenBatches = z.array(
  z.object({
    bytes: z.number(),
    baseOffset: z.string(),
    lastOffset: z.string(),
    nextOffset: z.string(),
    leaderEpoch: z.number(),
    codec: z.string(),
    maxTimestamp: z.string(),
    producerId: z.string(),
    producerEpoch: z.number(),
    baseSequence: z.number(),
    control: z.boolean(),
    transactional: z.boolean(),
    count: z.number(),
    records: z.array(z.unknown()),
  }),
);

function read(name: string): Buffer {
  return readFileSync(new URL(`${name}.bin`, folder));
}

function text(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString('base64');
}

function valueText(bytes: Buffer | null): string | null {
  if (bytes === null || bytes.length < 2048) return text(bytes);
  return `sha256:${createHash('sha256').update(bytes).digest('base64')}`;
}

function asGolden(bytes: Buffer, header: BatchHeader): z.infer<typeof goldenBatches>[number] {
  const records = [...decodeRecords(bytes, header)].map((record) => ({
    offset: `${record.offset}`,
    timestamp: `${record.timestamp}`,
    type: record.timestampType,
    key: text(record.key),
    value: valueText(record.value),
    headers: record.headers.map((each) => [text(each.name), text(each.value)]),
  }));
  return {
    bytes: header.byteLength,
    baseOffset: `${header.baseOffset}`,
    lastOffset: `${lastOffsetOf(header)}`,
    nextOffset: `${nextOffsetOf(header)}`,
    leaderEpoch: header.leaderEpoch,
    codec: codecOf(header) ?? 'unknown',
    maxTimestamp: `${header.maxTimestamp}`,
    producerId: `${header.producerId}`,
    producerEpoch: header.producerEpoch,
    baseSequence: header.baseSequence,
    control: isControl(header),
    transactional: isTransactional(header),
    count: header.recordCount,
    records,
  };
}

describe('batches that the Java client made', () => {
  test('are all there', () => {
    expect(names.length).toBeGreaterThan(50);
  });

  test.each(names)('%s reads as the Java client reads it', (name) => {
    const bytes = read(name);
    const expected: unknown = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
    const scan = scanBatches(bytes);
    expect(scan.problem).toBeUndefined();
    expect(scan.partial).toBeUndefined();
    expect(scan.end).toBe(bytes.length);
    expect(scan.batches.map((header) => checkBatch(bytes, header))).toEqual(
      scan.batches.map(() => undefined),
    );
    expect(scan.batches.map((header) => asGolden(bytes, header))).toEqual(goldenBatches.parse(expected));
  });

  test('concatenated and cut at every byte they scan to the whole batches before the cut', () => {
    const small = names.map(read).filter((bytes) => bytes.length < 300);
    const bytes = Buffer.concat(small);
    const ends = [0];
    for (const each of small) ends.push((ends.at(-1) ?? 0) + each.length);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const scan = scanBatches(bytes, 0, cut);
      const whole = ends.filter((end) => end <= cut);
      expect(scan.problem).toBeUndefined();
      expect(scan.batches.length).toBe(whole.length - 1);
      expect(scan.end).toBe(whole.at(-1));
      expect(scan.partial !== undefined).toBe(scan.end < cut);
      if (cut - scan.end >= 12) expect(scan.partial).toEqual({ byteLength: small[whole.length - 1]?.length });
      else if (cut > scan.end) expect(scan.partial).toEqual({});
    }
  });

  const everyByte = names.filter((name) => read(name).length < 700);

  test.each(everyByte)('%s: a flip of any byte under the checksum is refused', (name) => {
    const bytes = read(name);
    for (let position = 21; position < bytes.length; position += 1) {
      const bad = Buffer.from(bytes);
      bad.writeUInt8(bad.readUInt8(position) ^ (1 << (position % 8)), position);
      const [header] = scanBatches(bad).batches;
      expect(header && checkBatch(bad, header)?.code).toBe('crc');
    }
  });

  test.each(everyByte)(
    '%s: a flip of any bit before the checksum ends in batches or a named problem',
    (name) => {
      const bytes = read(name);
      for (let bit = 0; bit < 21 * 8; bit += 1) {
        const bad = Buffer.from(bytes);
        const position = bit >> 3;
        bad.writeUInt8(bad.readUInt8(position) ^ (1 << (bit & 7)), position);
        const scan = scanBatches(bad);
        const problems = scan.batches.map((header) => checkBatch(bad, header)?.code);
        if (position >= 17) expect(problems).toEqual(['crc']);
        else if (position === 16) expect(scan.problem?.code).toBe('magic');
        else if (position >= 8 && position < 12) {
          // Another length: a piece, a lie, or a batch whose checksum cannot be right.
          expect(scan.problem ?? scan.partial ?? problems[0]).toBeDefined();
        } else expect(scan.end).toBe(bytes.length);
        expect(scan.end).toBeLessThanOrEqual(bytes.length);
      }
    },
  );
});
