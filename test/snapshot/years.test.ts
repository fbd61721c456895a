import { expect, test } from 'vitest';
import { grownSince, yearsOf, type Year } from './years.ts';

// `npm run soak` takes every day of the five years.

test('in five years a cycle costs what is kept, and not what was: archive.keep of three months', async () => {
  const years = await yearsOf({
    years: 5,
    stepDays: 20,
    settings: { archive: { keep: { months: 3 }, topics: {} } },
  });
  expect(grownSince(years, { from: 1 })).toEqual([]);
  for (const { daysUnread } of years) expect(daysUnread).toBeLessThanOrEqual(35);
});

test('in five years of keeping everything a cycle grows with the packs that are kept, and with nothing else', async () => {
  const years = await yearsOf({ years: 5, stepDays: 40 });
  const [first, , , , last] = years;
  if (first === undefined || last === undefined) throw new Error('expected five years');
  expect(last.packs).toBe(5 * first.packs);
  expect(callsPerLink(last)).toBeLessThan(callsPerLink(first));
  expect(last.manifestBytes / last.packs).toBeLessThan(first.manifestBytes / first.packs);
  for (const [index, count] of small(last).entries())
    expect(count).toBeLessThanOrEqual((small(years[1] ?? last)[index] ?? 0) * 1.1 + 2);
});

function callsPerLink({ targetCalls, links }: Year): number {
  return targetCalls / links;
}

function small({ localCalls, marks, trash, localFolders }: Year): number[] {
  return [localCalls, marks, trash, localFolders];
}
