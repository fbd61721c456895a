import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { here } from './on-disk.ts';

test('init makes the folder with those above it, and says whose it is', async () => {
  await using at = await here();
  const folder = join(at.folder, 'deep', 'er');
  const env = { VARVE_LOCAL_DIR: folder, VARVE_INSTANCE: 'second' };
  const { status, stdout } = await at.run(['init', '--json'], { env });
  const { schema, local } = JSON.parse(stdout);

  expect(status).toBe(0);
  expect(schema).toBe('varve.init/1');
  expect(local).toEqual({
    folder,
    made: true,
    installation: expect.stringMatching(/^[0-9a-f-]{36}$/),
    instance: 'second',
    cluster: null,
    repository: null,
  });
  const written = JSON.parse(await readFile(join(folder, 'varve.json'), 'utf8'));
  expect(written).toMatchObject({ format: 1, installation: local.installation });
});

test('init changes nothing where it was done before, and says so', async () => {
  await using at = await here();
  const first = await at.run(['init']);
  const before = await readFile(join(at.folder, 'varve.json'));
  const second = await at.run(['init']);

  expect(first.stdout).toContain(`made: local folder ${at.folder}\n`);
  expect(second.stdout).toContain(`was there: local folder ${at.folder}\n`);
  expect(await readFile(join(at.folder, 'varve.json'))).toEqual(before);
});

test('init refuses a folder of another instance, and one that is no folder', async () => {
  await using at = await here();
  await at.run(['init']);
  const file = join(at.folder, 'file');
  await writeFile(file, '');
  const other = await at.run(['init'], { env: { VARVE_LOCAL_DIR: at.folder, VARVE_INSTANCE: 'second' } });
  const unusable = await at.run(['init'], { env: { VARVE_LOCAL_DIR: file } });

  expect(other.status).toBe(11);
  expect(unusable.status).toBe(13);
  expect(unusable.stderr).toContain('hint: local.dir must be a folder');
});
