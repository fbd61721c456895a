import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemHost, type Disk, type Host } from '../../src/host/host.ts';
import { probeTarget, type ProbeFinding } from '../../src/repository/repository.ts';

async function target(): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'varve probe-'));
  return { folder, [Symbol.asyncDispose]: async () => rm(folder, { recursive: true }) };
}

function hostWith(calls: Partial<Disk>): Host {
  const own = Object.entries(calls).map(([name, value]) => [name, { value }]);
  const disk: Disk = Object.create(systemHost.disk, Object.fromEntries(own));
  return { ...systemHost, disk };
}

function refuse(code: string) {
  return async (): Promise<never> => {
    throw Object.assign(new Error(`${code}: refused`), { code });
  };
}

/** A system whose table of mounts has one more, at the folder. */
function mounted(folder: string, options: string): Host {
  const at = folder.replaceAll(' ', String.raw`\040`);
  const table = `21 1 8:1 / / rw - ext4 /dev/sda1 rw\n99 21 0:50 / ${at} rw,relatime shared:3 - nfs4 nas:/vol ${options}\n`;
  const readFile = async (path: string): Promise<Buffer | undefined> =>
    path === '/proc/self/mountinfo' ? Buffer.from(table) : systemHost.disk.readFile(path);
  return hostWith({ readFile });
}

function worst(findings: readonly ProbeFinding[]): readonly ProbeFinding[] {
  return findings.filter(({ level }) => level !== 'ok');
}

test('a folder that can do all of it is found able, and nothing is left behind', async () => {
  await using at = await target();
  const findings = await probeTarget(systemHost, at.folder);

  expect(worst(findings)).toEqual([]);
  expect(findings.map(({ what }) => what)).toEqual([
    'mount',
    'write and fsync',
    'hard links',
    'rename',
    'symbolic links',
    'reading back',
    'fsync of a folder',
    'clock of the target',
    'room on the target',
  ]);
  expect(await readdir(at.folder)).toEqual([]);
});

test('a folder that is not there is not made', async () => {
  await using at = await target();
  const folder = join(at.folder, 'repository');
  expect((await probeTarget(systemHost, folder)).at(-1)).toMatchObject({ level: 'warn', what: 'target' });
  await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('where the repository of this installation is not, the volume is not mounted: nothing is tried', async () => {
  await using at = await target();
  const findings = await probeTarget(systemHost, at.folder, 'dd4a1f0e-7f6f-4c6e-8f5b-0c7d1c0b9a10');
  expect(worst(findings)).toMatchObject([{ level: 'fail', what: 'repository', code: 'target-unusable' }]);
  expect(findings.map(({ what }) => what)).toEqual(['mount', 'repository']);
});

test.each([
  ['link', 'EIO', 'hard links', 'target-unusable'],
  ['makeSymlink', 'EIO', 'symbolic links', 'target-unusable'],
  ['rename', 'EIO', 'rename', 'target-unusable'],
  ['open', 'EDQUOT', 'write and fsync', 'no-space'],
  ['makeFolder', 'EROFS', 'write', 'target-unusable'],
  ['stat', 'EACCES', 'target', 'target-unusable'],
] as const)('%s that ends with %s is told as %s', async (call, code, what, told) => {
  await using at = await target();
  const findings = await probeTarget(hostWith({ [call]: refuse(code) }), at.folder);

  expect(findings.find(({ level }) => level === 'fail')).toMatchObject({ what, code: told });
  expect(await readdir(at.folder)).toEqual([]);
});

test('a target without links of either kind can be worked with, and it is told how', async () => {
  await using at = await target();
  const findings = await probeTarget(
    hostWith({ link: refuse('EPERM'), makeSymlink: refuse('EPERM') }),
    at.folder,
  );
  expect(worst(findings)).toMatchObject([
    { level: 'warn', what: 'hard links', hint: expect.stringContaining('varve export') },
    { level: 'warn', what: 'symbolic links', hint: expect.stringContaining('varve list') },
  ]);
  expect(await readdir(at.folder)).toEqual([]);
});

test('no fsync of folders is a warning, a failing one a failure', async () => {
  await using at = await target();
  const without = await probeTarget(hostWith({ syncFolder: refuse('EINVAL') }), at.folder);
  const failing = await probeTarget(hostWith({ syncFolder: refuse('EIO') }), at.folder);

  expect(without).toContainEqual(expect.objectContaining({ level: 'warn', what: 'fsync of a folder' }));
  expect(failing).toContainEqual(expect.objectContaining({ level: 'fail', code: 'target-unusable' }));
});

test('clocks that differ and a target that is nearly full are warned of', async () => {
  await using at = await target();
  const host = hostWith({ freeBytes: async () => 5e6 });
  const clock = Object.create(host.clock, { nowMs: { value: () => Date.now() + 3_600_000 } });

  expect(worst(await probeTarget({ ...host, clock }, at.folder))).toMatchObject([
    { level: 'warn', what: 'clock of the target', detail: '3600 s behind' },
    { level: 'warn', what: 'room on the target', detail: '5 MB free' },
  ]);
});

test.each([
  ['rw,hard,vers=4.1,local_lock=none', []],
  ['rw,soft,vers=4.1', [{ level: 'warn', what: 'mount option soft' }]],
  ['rw,softerr', [{ level: 'warn', what: 'mount option softerr' }]],
  [
    'rw,nolock,local_lock=all',
    [
      { level: 'warn', what: 'mount option nolock' },
      { level: 'warn', what: 'mount option local_lock=all' },
    ],
  ],
  ['ro,hard', [{ level: 'fail', what: 'mount option ro', code: 'target-unusable' }]],
])('of a mount with %s the risks are told', async (options, expected) => {
  await using at = await target();
  const findings = await probeTarget(mounted(at.folder, options), at.folder);

  expect(worst(findings)).toMatchObject(expected);
  expect(findings[0]?.detail).toBe(`nfs4 from nas:/vol at ${at.folder}`);
});

test('whose repository it is, where that is not who makes files there, is told: a cycle would be refused', async () => {
  await using at = await target();
  await mkdir(join(at.folder, 'keys'));
  const own = process.geteuid?.();
  const isKeys = (path: string): boolean => path === join(at.folder, 'keys');
  const host = hostWith({
    async stat(path) {
      const found = await systemHost.disk.stat(path);
      return found && isKeys(path) ? { ...found, owner: 4711 } : found;
    },
  });
  expect(worst(await probeTarget(systemHost, at.folder))).toEqual([]);
  expect(worst(await probeTarget(host, at.folder))).toMatchObject([
    {
      level: 'fail',
      what: 'owner',
      code: 'target-unusable',
      detail: expect.stringContaining(`uid 4711, and what this process makes there to uid ${own}`),
    },
  ]);
});
