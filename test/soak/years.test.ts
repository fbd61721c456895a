import { expect, test } from 'vitest';
import { grownSince, yearsOf } from '../snapshot/years.ts';

test('1,825 daily cycles: the fifth year costs what the second did, and everything is verified', async () => {
  let cycles = 0;
  const years = await yearsOf({
    years: 5,
    stepDays: 1,
    settings: { archive: { keep: { months: 13 }, topics: { orders: { keep: { months: 2 } } } } },
    onCycle: async () => {
      cycles += 1;
    },
  });
  expect(cycles).toBe(1825);
  expect(grownSince(years, { from: 2 })).toEqual([]);
  for (const { daysUnread } of years) expect(daysUnread).toBeLessThanOrEqual(35);
});
