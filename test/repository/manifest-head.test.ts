import { expect, test } from 'vitest';
import {
  formatManifest,
  headOf,
  parseHead,
  parseManifest,
  type Manifest,
  type PartitionRow,
} from '../../src/repository/manifest.ts';

const id = '20261101T030000Z-00ff';
const uuid = '5f0c3a52-97b1-4f0e-8a55-0d3f1b2c4e6a';

function partition(number: number, records: number): PartitionRow {
  const coverage = { ranges: [], epochs: [], gaps: [], truncations: [] };
  return { partition: number, coverage, sealed: [], records, rawBytes: 1000, firstMs: 1n, lastMs: 2n };
}

const manifest: Manifest = {
  incarnations: [
    {
      topic: 'orders',
      topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
      firstSeen: null,
      isExpected: true,
      settings: null,
      partitions: [partition(0, 40), partition(1, 2)],
    },
  ],
  groups: null,
  acls: null,
  scramUsers: null,
  quotas: null,
  accessRefusals: [],
  expired: [],
  format: 1,
  id,
  seq: 7,
  previous: null,
  repository: uuid,
  instance: 'main',
  installation: uuid,
  cluster: 'k3PN8zE1QCa7mL0rT5wXyA',
  tool: 'varve ","incarnations":[ test',
  takenMs: 1,
  packs: [],
};

const totals = { topics: 1, partitions: 2, records: 42, rawBytes: 2000 };

test('the head stands first, with totals of what follows, and is read without that', () => {
  const raw = formatManifest(manifest);
  const end = raw.indexOf(',"incarnations":[');

  const head = parseHead(Buffer.concat([raw.subarray(0, end), Buffer.from(',"incarnations":[no JSON')]), id);

  expect(head).toEqual(headOf(manifest));
  expect(head).toMatchObject({ id, seq: 7, tool: manifest.tool, totals });
  expect(parseManifest(raw, id)).toEqual(manifest);
});

test('a manifest without totals, as earlier versions wrote it, is read whole for its head', () => {
  const earlier: object = JSON.parse(formatManifest(manifest).toString());
  Reflect.deleteProperty(earlier, 'totals');

  expect(parseHead(Buffer.from(JSON.stringify(earlier)), id)).toEqual(headOf(manifest));
});

test('a head of another snapshot, or of a newer format, is refused as the whole is', () => {
  const raw = formatManifest(manifest).toString();

  expect(() => parseHead(Buffer.from(raw), '20261102T030000Z-00ff')).toThrow('it says that it is that of');
  expect(() => parseHead(Buffer.from(raw.replace('"format":1', '"format":2')), id)).toThrow(
    'expected format 1, got 2',
  );
});
