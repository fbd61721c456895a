import { expect, test } from 'vitest';
import { chooseTopics } from '../../src/restore/restore.ts';

const known = ['__schemas', 'orders', 'orders.eu', 'payments'];

function choose(asked: Partial<Parameters<typeof chooseTopics>[1]>): string[] {
  const names = {
    topics: [],
    allTopics: false,
    excludeTopics: [],
    toTopic: undefined,
    map: [] as const,
    ...asked,
  };
  return chooseTopics(known, names).map(({ topic, target }) =>
    topic === target ? topic : `${topic}>${target}`,
  );
}

test('topics are chosen by name, by glob, all, and without some', () => {
  expect(choose({ topics: ['orders'] })).toEqual(['orders']);
  expect(choose({ topics: ['orders*'] })).toEqual(['orders', 'orders.eu']);
  expect(choose({ allTopics: true })).toEqual(['orders', 'orders.eu', 'payments']);
  expect(choose({ allTopics: true, excludeTopics: ['orders.*'] })).toEqual(['orders', 'payments']);
  expect(choose({ topics: ['__schemas'] })).toEqual(['__schemas']);
  expect(choose({ topics: ['orders'], toTopic: 'copy' })).toEqual(['orders>copy']);
  expect(
    choose({
      map: [
        ['orders', 'a'],
        ['payments', 'b'],
      ],
    }),
  ).toEqual(['orders>a', 'payments>b']);
});

test.each([
  [{ topics: ['order'] }, 'nothing-selected', 'did you mean orders?'],
  [{ topics: ['x*'] }, 'nothing-selected', 'no topic "x*"'],
  [{ map: [['gone', 'a']] as const }, 'nothing-selected', 'no topic "gone"'],
  [{ topics: ['orders'], excludeTopics: ['*'] }, 'nothing-selected', 'no topic is left'],
  [{ topics: ['orders*'], toTopic: 'copy' }, 'usage', 'expected one topic, got 2'],
  [{ topics: ['orders'], toTopic: 'a b' }, 'usage', 'no name for a topic'],
  [
    {
      map: [
        ['orders', 'a'],
        ['payments', 'a'],
      ] as const,
    },
    'usage',
    'two topics',
  ],
])('%j is refused', (asked, code, words) => {
  expect(() => choose(asked)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(words) }),
  );
});
