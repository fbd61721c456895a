import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemHost, type Disk } from '../../src/host/host.ts';
import { lengthProblem } from '../../src/repository/repository.ts';

/** A file system that tells every file longer than it is, as gocryptfs does for a second after a link. */
const { disk: real } = systemHost;
const lying: Disk = Object.create(real, {
  stat: {
    value: async (path: string) => {
      const stat = await real.stat(path);
      return stat && { ...stat, byteLength: stat.byteLength + 50 };
    },
  },
  open: {
    value: async (path: string) => {
      const file = await real.open(path, 'read');
      const told = (await file.byteLength()) + 50;
      return Object.assign(file, { byteLength: async () => told });
    },
  },
});

test('a length that the target tells wrong is no damage where the bytes end where they must; any other length is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-length-'));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(async () => rm(folder, { recursive: true }));
  const path = join(folder, 'pack');
  await writeFile(path, Buffer.alloc(1000));
  for (const disk of [real, lying]) {
    expect(await lengthProblem(disk, path, 1000)).toBeUndefined();
    expect(await lengthProblem(disk, path, 999)).toMatch(/expected 999 bytes, got 10[05]0/);
    expect(await lengthProblem(disk, path, 1001)).toMatch(/expected 1001 bytes, got 10[05]0/);
    expect(await lengthProblem(disk, join(folder, 'none'), 1)).toBe('it is missing');
    expect(await lengthProblem(disk, folder, 1)).toBe('it is no file');
  }
});
