import { expect, test } from 'vitest';
import {
  deletingRetention,
  finalChange,
  temporaryConfigs,
  wantedConfigs,
  type RetentionFacts,
} from '../../src/restore/topic-settings.ts';

const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 10, 21);

function retention(effective: Record<string, string>, more: Partial<RetentionFacts> = {}): string[] {
  const facts: RetentionFacts = {
    effective: new Map(Object.entries(effective)),
    firstMs: BigInt(nowMs - 90 * dayMs),
    lastMs: BigInt(nowMs),
    bytes: 1000,
    nowMs,
    ...more,
  };
  return deletingRetention(facts).map(({ name, value }) => `${name}=${value}`);
}

test('retention is left off where it would delete what was restored, and only there', () => {
  const week = String(7 * dayMs);
  expect(retention({ 'retention.ms': week })).toEqual([`retention.ms=${week}`]);
  expect(retention({ 'retention.ms': week, 'cleanup.policy': 'compact' })).toEqual([]);
  expect(retention({ 'retention.ms': week, 'cleanup.policy': 'compact, delete' })).toHaveLength(1);
  expect(retention({ 'retention.ms': '-1', 'retention.bytes': '-1' })).toEqual([]);
  expect(retention({ 'retention.ms': week }, { firstMs: BigInt(nowMs - dayMs) })).toEqual([]);
  expect(retention({ 'retention.ms': week }, { firstMs: undefined, lastMs: undefined })).toEqual([]);
  expect(retention({ 'retention.bytes': '999' })).toEqual(['retention.bytes=999']);
  expect(retention({ 'retention.bytes': '1000' })).toEqual([]);
});

test('temporary settings are those that the cluster knows, and each goes or becomes the final one', () => {
  const known = new Set(['retention.ms', 'retention.bytes', 'cleanup.policy', 'segment.ms']);
  const temporary = temporaryConfigs(known);
  expect(temporary.map(([name]) => name).toSorted()).toEqual([
    'cleanup.policy',
    'retention.bytes',
    'retention.ms',
  ]);
  const final = [
    ['cleanup.policy', 'compact'],
    ['segment.ms', '1000'],
    ['retention.ms', '5'],
  ] as const;
  const leftOff = [{ name: 'retention.ms', value: '5', reason: 'it would delete' }];
  expect(Object.fromEntries(finalChange({ temporary, final, leftOff }))).toEqual({
    'cleanup.policy': 'compact',
    'retention.bytes': undefined,
    'segment.ms': '1000',
  });
});

test('what belongs to a reassignment under way is never copied, and the command line wins', () => {
  const saved = [
    ['leader.replication.throttled.replicas', '0:1'],
    ['retention.ms', '7'],
  ] as const;
  expect(wantedConfigs(saved, [['retention.ms', '-1']])).toEqual([['retention.ms', '-1']]);
});
