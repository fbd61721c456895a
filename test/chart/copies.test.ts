import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chartFiles } from '../../scripts/docs/chart.ts';
import { checkout } from '../tidy/tree.ts';

test('what the chart has from elsewhere is what `node scripts/docs/chart.ts` would write', async () => {
  const files = await chartFiles();
  expect([...files.keys()]).toContain('chart/files/alerts.yaml');
  for (const [path, text] of files) expect(await readFile(join(checkout, path), 'utf8'), path).toBe(text);
});
