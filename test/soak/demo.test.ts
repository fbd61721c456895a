import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { demoEnd } from '../scripts/demo.ts';

test.each([
  ['to its end', {}, 0, /all equal, in \d+ s\n$/],
  ['again', {}, 0, /all equal, in \d+ s\n$/],
  [
    'interrupted while its daemon runs',
    { until: /page for people: \S+\n/ },
    130,
    /stopped; everything that it made is gone\n$/,
  ],
])('the demo, %s, takes everything away', async (_how, options, status, last) => {
  const end = await demoEnd(options);
  const folder = /made: local folder (\S+)\/local/.exec(end.said)?.[1] ?? '';
  const address = /page for people: (\S+)/.exec(end.said)?.[1] ?? '';
  expect(end.said).toMatch(last);
  expect(end.status).toBe(status);
  expect(folder).not.toBe('');
  expect(existsSync(folder)).toBe(false);
  await expect(fetch(address)).rejects.toThrow(/fetch failed/);
});
