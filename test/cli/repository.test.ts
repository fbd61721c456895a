import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { launcher } from '../../scripts/demo/varve.ts';
import { systemHost } from '../../src/host/host.ts';
import { LocalFolder } from '../../src/local/local.ts';
import { snapshotFolder } from '../../src/repository/repository.ts';
import { keyOf } from '../snapshot/given.ts';
import { batchOf, orders, save } from './on-disk.ts';
import { configure, json, published, run } from './published.ts';

// That their orders come through to a child and back: test/docs/schema.test.ts runs them all.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

async function silence(): Promise<void> {
  // Holding the folder is all that is wanted.
}

test('list shows snapshots and views, and what one of them holds by id, view, latest or time', async () => {
  await using at = await published();
  const { store, ids } = at;
  const all = await json(store, 'list');

  expect(all).toMatchObject({
    status: 0,
    schema: 'varve.list/1',
    problems: [],
    snapshots: [
      { id: ids[0], instance: 'main', seq: 1, records: 130, verified: true, pinned: false, views: [] },
      { id: ids[1], seq: 2, records: 180, views: ['daily.0', 'weekly.0', 'monthly.0'] },
    ],
  });
  for (const name of [ids[1] ?? '', 'daily.0', 'latest', new Date().toISOString()]) {
    const one = await json(store, 'list', name);
    expect(one, name).toMatchObject({ status: 0, snapshot: { id: ids[1] } });
    expect(one['topics'], name).toMatchObject([
      { topic: 'orders', partitions: 1, records: 150, gaps: 0 },
      { topic: 'payments', records: 30 },
    ]);
  }
  expect((await run(store, 'list')).stdout).toContain(`${ids[1]}`);
  expect(await run(store, 'list', 'daily.7')).toMatchObject({ status: 15 });
  expect(await run(store, 'list', 'yesterday')).toMatchObject({ status: 2 });
});

test('cat --snapshot gives the same records as the local files', async () => {
  await using at = await published();
  const local = await run(at.store, 'cat', '--topic', 'orders', '--json');
  const sealed = await run(at.store, 'cat', '--topic', 'orders', '--snapshot', 'latest', '--json');
  const first = await run(at.store, 'cat', '--topic', 'orders', '--snapshot', at.ids[0] ?? '', '--json');

  expect(local.status).toBe(0);
  expect(sealed).toMatchObject({ status: 0, stdout: local.stdout });
  expect(first.stdout).toBe(`${local.stdout.split('\n').slice(0, 100).join('\n')}\n`);
});

test('info and check tell a healthy backup, and what is wrong with one that is not', async () => {
  await using at = await published();
  const { store } = at;
  expect(await json(store, 'info')).toMatchObject({
    status: 0,
    healthy: true,
    snapshots: 2,
    lastDrill: null,
  });
  const { stdout } = await run(store, 'info', '--topics');
  expect(stdout).toMatch(/^healthy; the newest verified snapshot was taken [\d.]+ \w+ ago\n/);
  expect(stdout).toMatch(/orders +1 +150 /);
  expect(await json(store, 'check')).toMatchObject({ status: 0, healthy: true });

  await configure(store, { archive: { keep: '13mo', topics: { orders: { keep: 'forever' } } } });
  expect((await run(store, 'info')).stdout).toContain('data is kept for 13 months, orders for ever\n');

  await configure(store, { cycle: { schedule: '* * * * * *' } });
  store.nowMs = Date.now() - 3 * 3_600_000;
  await store.append(keyOf('orders'), 10);
  const memory = join(store.local, 'repository.json');
  const known = JSON.parse(await readFile(memory, 'utf8'));
  const longAgo = store.nowMs;
  const stale = { atMs: longAgo, outcome: 'published' };
  await writeFile(
    memory,
    JSON.stringify({
      ...known,
      sinceMs: longAgo,
      lastAttempt: stale,
      lastSuccess: { ...known.lastSuccess, atMs: longAgo },
    }),
  );
  expect(await run(store, 'check')).toMatchObject({
    status: 5,
    stdout: expect.stringContaining('not healthy: schedule'),
  });
  expect(await run(store, 'info')).toMatchObject({
    status: 5,
    stdout: expect.stringContaining('not in a snapshot yet: 1 segment'),
  });
});

test('check and info tell what held expiry in the last cycle, until one that nothing held', async () => {
  await using at = await published();
  const { store } = at;
  const payments = store.topics.get('payments');
  store.topics.delete('payments');
  await store.cycle();
  const held =
    /^warn expiry: nothing expired in the last cycle, .* ago: topics vanished.*: payments\n +hint: .*--accept-shrink$/m;
  for (const command of ['check', 'info'])
    expect(await run(store, command), command).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(held),
    });
  if (payments !== undefined) store.topics.set('payments', payments);
  await store.cycle();
  expect((await run(store, 'check')).stdout).not.toContain('expiry');
});

test('info ends with 3, as check does, where gaps are new, until they are accepted', async () => {
  await using at = await published();
  const { store } = at;
  await save(store.local, orders, [batchOf(0n, ['a']), { from: 1n, to: 5n }]);
  expect(await run(store, 'info')).toMatchObject({
    status: 3,
    stdout: expect.stringMatching(/^NOT healthy: gaps;[^]*1 new gap, 4 offsets in all/),
  });
  expect(await json(store, 'info')).toMatchObject({ status: 3, healthy: false });
  await run(store, 'gaps', 'accept', '--yes');
  expect(await run(store, 'info')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('no new gap'),
  });
});

test('check ends with the code of a last attempt that failed, until one succeeds', async () => {
  await using at = await published();
  const memory = join(at.store.local, 'repository.json');
  const known = JSON.parse(await readFile(memory, 'utf8'));
  const lastAttempt = {
    atMs: Date.now(),
    outcome: 'failed',
    code: 'no-space',
    message: 'the target is full',
  };
  await writeFile(memory, JSON.stringify({ ...known, lastAttempt }));
  const failed = await run(at.store, 'check');
  await at.store.append(keyOf('orders'), 10);
  await at.store.cycle();

  expect(failed).toMatchObject({ status: 14, stdout: expect.stringContaining('the target is full') });
  expect(await run(at.store, 'check')).toMatchObject({ status: 0 });
});

test('verify ends with 4 and names the file; without a key it checks digests alone', async () => {
  await using at = await published();
  const { store, ids } = at;
  for (const words of [['verify'], ['verify', '--fast'], ['verify', '--deep']])
    expect(await json(store, ...words), words.join(' ')).toMatchObject({ status: 0, ok: true, snapshots: 2 });
  await configure(store, { repository: { dir: store.target } });
  expect(await json(store, 'verify', '--fast')).toMatchObject({ status: 0, ok: true });
  expect(await run(store, 'verify')).toMatchObject({ status: 2 });
  await configure(store, {});
  await writeFile(join(snapshotFolder(store.place, ids[1] ?? ''), 'notes.txt'), 'hello');
  const found = await run(store, 'verify');
  expect(found).toMatchObject({ status: 4, stdout: expect.stringContaining(`main/${ids[1]}/notes.txt`) });
  expect(await run(store, 'verify', '--fast', '--deep')).toMatchObject({ status: 2 });
  expect(await run(store, 'verify', '--subset', '3/2')).toMatchObject({ status: 2 });
});

test('keys are added, proved, listed and removed, and the last one stays', async () => {
  await using at = await published();
  const { store } = at;
  const second = join(store.folder, 'second');
  expect(await run(store, 'key', 'generate', second)).toMatchObject({ status: 0 });
  expect(await run(store, 'key', 'generate', second)).toMatchObject({ status: 18 });
  await writeFile(join(store.folder, 'phrase'), 'correct horse battery staple\n');
  expect(await run(store, 'key', 'add', 'escrow', '--key-file', second)).toMatchObject({ status: 0 });
  expect(await run(store, 'key', 'add', 'escrow', '--key-file', second)).toMatchObject({ status: 18 });
  expect(await run(store, 'key', 'add', 'lost', '--key-file', 'nowhere')).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/--key-file .*nowhere: no such file/),
  });
  expect(await run(store, 'key', 'add', 'paper', '--passphrase-file', 'phrase')).toMatchObject({ status: 0 });
  expect(await json(store, 'key', 'list')).toMatchObject({
    slots: [{ slot: 'escrow', kind: 'key-file' }, { slot: 'main' }, { slot: 'paper', kind: 'passphrase' }],
    opensBy: 'main',
  });
  await configure(store, { repository: { dir: store.target, passphraseFile: join(store.folder, 'phrase') } });
  expect(await run(store, 'key', 'remove', 'main', '--yes')).toMatchObject({ status: 0 });
  await configure(store, { repository: { dir: store.target, keyFile: second } });
  expect(await run(store, 'key', 'remove', 'paper')).toMatchObject({ status: 2 });
  expect(await run(store, 'key', 'remove', 'paper', '--yes')).toMatchObject({ status: 0 });
  expect(await run(store, 'key', 'remove', 'escrow', '--yes')).toMatchObject({ status: 18 });
});

test('a pin is set and taken away; expire shows its plan and asks', async () => {
  await using at = await published();
  const { store, ids } = at;
  await configure(store, { retain: { daily: 1, weekly: 0, monthly: 0, minimum: 1, minAge: '0s' } });
  expect(await run(store, 'pin', ids[0] ?? '', '--reason', 'before the move')).toMatchObject({ status: 0 });
  const kept = await json(store, 'expire', '--dry-run');
  expect(kept).toMatchObject({ status: 0, dryRun: true, expired: [] });
  expect(kept['steps']).toMatchObject([
    { id: ids[1], decision: 'keep' },
    { id: ids[0], decision: 'keep', reasons: ['pinned'] },
  ]);
  expect(await run(store, 'unpin', ids[0] ?? '')).toMatchObject({ status: 0 });
  expect(await run(store, 'expire')).toMatchObject({ status: 2 });
  {
    await using held = new AsyncDisposableStack();
    held.use(await LocalFolder.open(systemHost, store.local, { instance: 'main', serve: silence }));
    expect(await run(store, 'expire', '--yes')).toMatchObject({ status: 11 });
  }
  expect(await json(store, 'expire', '--yes')).toMatchObject({ status: 0, expired: [ids[0]] });
  expect(await json(store, 'list')).toMatchObject({ snapshots: [{ id: ids[1] }] });
});

test('init is harmless when repeated; instances and locks are listed', async () => {
  await using at = await published();
  const { store } = at;
  expect(await json(store, 'init')).toMatchObject({ status: 0, repository: { made: false, slot: 'main' } });
  expect(await json(store, 'instance', 'list')).toMatchObject({
    instances: [{ name: 'main', snapshots: 2, isThis: true }],
  });
  expect(await json(store, 'unlock')).toMatchObject({ status: 0, holder: null });
  const holder = { installation: 'somebody', nonce: 'n', host: 'elsewhere', since: '2026-11-01T00:00:00Z' };
  await writeFile(join(store.target, 'main', 'lock', 'holder'), JSON.stringify(holder));
  await expect(store.cycle()).rejects.toMatchObject({ code: 'locked' });
  expect(await run(store, 'unlock')).toMatchObject({
    status: 2,
    stdout: expect.stringContaining('somebody'),
  });
  expect(await json(store, 'unlock', '--yes')).toMatchObject({ status: 0, removed: true });
  expect(await store.cycle()).toMatchObject({ finding: null });
});

test('without brokers a snapshot of what is on disk is still published, and ends with 3', async () => {
  await using at = await published();
  const { store } = at;
  await configure(store, {});
  const path = join(store.local, 'varve.json');
  const identity = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...identity, cluster: 'k3PN8zE1QCa7mL0rT5wXyA' }));
  await store.append(keyOf('orders'), 10);
  expect(await json(store, 'snapshot')).toMatchObject({
    status: 3,
    seq: 3,
    segments: 1,
    finding: 'incomplete',
  });
});

test('a reader that goes away does not make a failure look like a success', async () => {
  await using at = await published();
  const { store } = at;
  await rm(join(store.target, 'keys'), { recursive: true });
  const child = spawn(process.execPath, [launcher, 'check'], {
    cwd: store.folder,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.stdout.destroy();
  const [status] = await once(child, 'close');
  expect(status).toBe(4);
});
