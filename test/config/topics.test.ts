import { expect, test } from 'vitest';
import { matchesGlob, matchesTopic, nearest } from '../../src/config/config.ts';
import { problemsOf } from './given.ts';

function takes(include: readonly string[], exclude: readonly string[], name: string): boolean {
  return matchesTopic({ topics: { include, exclude } }, name);
}

test('a topic is taken where a glob of include matches and none of exclude does', () => {
  expect(takes(['*'], [], 'orders')).toBe(true);
  expect(takes(['orders', 'pay*'], [], 'payments')).toBe(true);
  expect(takes(['orders'], [], 'orders2')).toBe(false);
  expect(takes(['*'], ['tmp.*'], 'tmp.a')).toBe(false);
  expect(takes(['orders'], ['orders'], 'orders')).toBe(false);
  expect(takes([], [], 'orders')).toBe(false);
});

test("the cluster's own topics and this program's are never taken, even when named", () => {
  for (const name of [
    '__consumer_offsets',
    '__transaction_state',
    '__cluster_metadata',
    '__share_group_state',
    '__varve-x',
  ]) {
    expect(takes(['*', '__*', name], [], name), name).toBe(false);
  }
});

test('other topics that begin with two underscores are taken only when named exactly', () => {
  expect(takes(['*', '__*'], [], '__schemas')).toBe(false);
  expect(takes(['__schemas'], [], '__schemas')).toBe(true);
  expect(takes(['*'], [], '_schemas')).toBe(true);
});

test('asking by name for a topic that is never taken is an error, not a silence', async () => {
  const overrides = [{ path: 'topics.include', value: '*,__consumer_offsets', flag: '--set' }];

  expect(await problemsOf({ overrides })).toEqual([
    "topics.include: __consumer_offsets holds a cluster's own state and is never backed up (--set)",
  ]);
});

test.each([
  ['*', '', true],
  ['a*c', 'abc', true],
  ['a*c', 'abcd', false],
  ['a?c', 'ac', false],
  ['a?c', 'abc', true],
  ['*a*b', 'xaxxb', true],
  ['a.c', 'abc', false],
  ['**', 'x', true],
])('the glob %s against %j: %s', (glob, name, expected) => {
  expect(matchesGlob(glob, name)).toBe(expected);
});

test('a hostile glob takes no longer than its length', () => {
  const startedMs = performance.now();

  expect(matchesGlob('a*'.repeat(120) + 'b', 'a'.repeat(249))).toBe(false);
  expect(performance.now() - startedMs).toBeLessThan(1000);
});

test.each([
  ['brokres', 'brokers'],
  ['segmentbytes', 'segmentBytes'],
  ['xyzzy', undefined],
])('the nearest to %s is %s', (word, expected) => {
  expect(nearest(word, ['brokers', 'segmentBytes', 'dir'])).toBe(expected);
});
