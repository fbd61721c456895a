import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemHost, type Disk } from '../../src/host/host.ts';
import { LocalFolder } from '../../src/local/local.ts';
import { batchOf, here, type Here, orders, save } from './on-disk.ts';

const served = { partitions: 12, records: 5, bytes: 9, stopped: 0, waiting: 0, inFlightBytes: 0 };

/** Runs check while somebody holds the folder who answers as a daemon does. */
async function checkWhileHeld(at: Here, status: object | null) {
  const daemon = await LocalFolder.open(systemHost, at.folder, {
    instance: 'main',
    serve: async (_request, reply) =>
      reply({ process: 4711, host: 'h', started: '2026-11-01T00:00:00Z', status }),
  });
  try {
    return await at.run(['check']);
  } finally {
    await daemon[Symbol.asyncDispose]();
  }
}

function withFreeBytes(freeBytes: number) {
  const disk: Disk = Object.create(systemHost.disk, { freeBytes: { value: async () => freeBytes } });
  return { host: { ...systemHost, disk } };
}

test('a folder that a daemon follows is healthy', async () => {
  await using at = await here();
  const { status, stdout } = await checkWhileHeld(at, served);

  expect(status).toBe(0);
  expect(stdout.split('\n')).toEqual([
    'healthy',
    `ok   local folder: ${at.folder} of cluster (none yet)`,
    'ok   daemon: process 4711 since 2026-11-01T00:00:00Z follows 12 partitions',
    'ok   gaps: none',
    expect.stringMatching(/^ok {3}room: .* free, local\.minFree is 1\.1 GB$/),
    '',
  ]);
});

test('no daemon is worth a word, but no failure: backup may be run from time to time', async () => {
  await using at = await here();
  await at.run(['init']);
  const { status, stdout } = await at.run(['check']);

  expect(status).toBe(0);
  expect(stdout).toMatch(/^healthy, but look at: daemon\n/);
  expect(stdout).toContain('warn daemon: none holds the local folder');
});

test('stopped partitions end with 3, partitions that wait with a word', async () => {
  await using at = await here();
  const stopped = await checkWhileHeld(at, { ...served, stopped: 2 });
  const waiting = await checkWhileHeld(at, { ...served, waiting: 1 });
  const starting = await checkWhileHeld(at, null);

  expect(stopped.status).toBe(3);
  expect(stopped.stdout).toContain('follows 12 partitions, of which 2 stopped');
  expect(waiting.status).toBe(0);
  expect(waiting.stdout).toContain('warn daemon: ');
  expect(starting.status).toBe(0);
  expect(starting.stdout).toContain('is still starting');
});

test('new gaps end with 3, until they are accepted', async () => {
  await using at = await here();
  await at.run(['init']);
  await save(at.folder, orders, [batchOf(0n, ['a']), { from: 1n, to: 5n }]);
  const before = await at.run(['check', '--json']);
  await at.run(['gaps', 'accept', '--yes']);
  const after = await at.run(['check']);

  expect(before.status).toBe(3);
  expect(JSON.parse(before.stdout)).toMatchObject({
    schema: 'varve.check/1',
    healthy: false,
    findings: [
      { level: 'ok', what: 'local folder', code: null, hint: null },
      { level: 'warn', what: 'daemon' },
      { level: 'fail', what: 'gaps', code: 'gap-new', detail: '1 new gap, 4 offsets in all, in 1 topic' },
      { level: 'ok', what: 'room' },
    ],
  });
  expect(after.status).toBe(0);
  expect(after.stdout).toContain('ok   gaps: none new, 1 accepted');
});

test('too little room ends with 14, also where gaps are new', async () => {
  await using at = await here();
  await at.run(['init']);
  await save(at.folder, orders, [{ from: 0n, to: 5n }]);
  const argv = ['check', '--set', 'local.minFree=1MiB'];
  const { status, stdout } = await at.run(argv, withFreeBytes(2 ** 20 - 1));

  expect(status).toBe(14);
  expect(stdout).toMatch(/^not healthy: gaps, room\n/);
  expect((await at.run(argv, withFreeBytes(2 ** 20))).status).toBe(3);
});

test('a folder that is missing, foreign or damaged is told as such', async () => {
  await using at = await here();
  const missing = await at.run(['check']);
  await at.run(['init']);
  const foreign = await at.run(['check', '--set', 'instance=second']);
  await save(at.folder, orders, [batchOf(0n, ['a']), { from: 1n, to: 5n }, { from: 5n, to: 6n }]);
  const journal = join(at.folder, 'topics', orders.topic, orders.topicId, '0', 'journal');
  await writeFile(journal, '00000000 {}\n', { flag: 'r+' });
  const damaged = await at.run(['check']);
  await rm(journal);
  await writeFile(join(at.folder, 'varve.json'), '{"format":2}');
  const newer = await at.run(['check']);

  expect(missing.status).toBe(13);
  expect(missing.stdout).toContain('hint: check local.dir; varve init makes the folder');
  expect(foreign.status).toBe(11);
  expect(damaged.status).toBe(4);
  expect(damaged.stdout).toContain(journal);
  expect(newer.status).toBe(10);
});

test('a wrong configuration ends with 2', async () => {
  await using at = await here();

  expect((await at.run(['check', '--set', 'local.minFree=lots'])).status).toBe(2);
});
