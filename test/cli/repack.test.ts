import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import { serveHolding } from '../../src/cli/holding.ts';
import { systemHost } from '../../src/host/host.ts';
import { TargetGate } from '../../src/daemon/gate.ts';
import { serveOrder, type Repack } from '../../src/daemon/orders.ts';
import { repackInTurn } from '../../src/daemon/repacking.ts';
import { LocalFolder, type Serve } from '../../src/local/local.ts';
import { loadGiven } from '../config/given.ts';
import { dayMs, keyOf, Store } from '../snapshot/given.ts';
import { varveHere } from './here.ts';

/** As a daemon does whose configuration names another repository. */
const worksElsewhere: Serve = async (request, reply) => {
  const { signal } = new AbortController();
  const { config } = await loadGiven({ env: { VARVE_REPOSITORY_DIR: '/elsewhere' } });
  const gate = new TargetGate(systemHost);
  const port: Repack = async (asked) =>
    repackInTurn({ ...asked, config, installation: '', host: systemHost, gate, signal });
  await serveOrder(request, reply, {
    holder: 'run',
    startedAt: '',
    started: Promise.resolve(),
    clock: systemHost.clock,
    signal,
    ahead: () => undefined,
    sink: () => undefined,
    snapshot: () => undefined,
    repack: () => port,
    facts: () => ({}),
  });
};

function summary({ stdout }: CommandEnd): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}

test('repack shows what it costs, asks, leaves it to whoever holds the folder, and has nothing to do twice', async () => {
  await using store = await Store.make();
  for (const daysAgo of [72, 71, 70]) {
    store.nowMs = Date.now() - daysAgo * dayMs;
    await store.append(keyOf('orders'), 20);
    await store.cycle();
  }
  const config = {
    kafka: { brokers: ['127.0.0.1:1'] },
    local: { dir: store.local, minFree: '1MiB' },
    repository: { dir: store.target, keyFile: store.keyFile },
  };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
  const repack = async (...words: string[]): Promise<CommandEnd> =>
    varveHere(['repack', ...words], { cwd: store.folder });

  const shown = await repack('--dry-run');
  expect(shown).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('keep the old packs until they expire'),
  });
  const plan = summary(await repack('--dry-run', '--json'));
  expect(plan).toMatchObject({ dryRun: true, snapshot: null });
  expect(await repack()).toMatchObject({ status: 2 });
  const stop = new AbortController();
  const holders = [
    { serve: serveHolding('expire'), status: 11, hint: /wait until/ },
    { serve: worksElsewhere, status: 18, hint: /stop the daemon/ },
    { serve: async () => stop.abort(), status: 6, hint: /its log/ }, // while it works, whoever asked is interrupted
  ];
  for (const { serve, status, hint } of holders) {
    await using held = new AsyncDisposableStack();
    held.use(await LocalFolder.open(systemHost, store.local, { instance: 'main', serve }));
    const changes = { signal: stop.signal };
    const refused = await varveHere(['repack', '--yes', '--json'], { cwd: store.folder, changes });
    expect(refused).toMatchObject({ status });
    expect(JSON.parse(refused.stdout).error.hint).toMatch(hint);
  }
  {
    // A cycle of the daemon was faster.
    const left = { months: [], warnings: [], snapshot: null, base: 'b', packsBefore: 1, packsAfter: 1 };
    const serve: Serve = async (_, reply) => reply({ repack: left });
    await using held = new AsyncDisposableStack();
    held.use(await LocalFolder.open(systemHost, store.local, { instance: 'main', serve }));
    const { status, stdout, stderr } = await repack('--yes');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/until they expire.*\nnothing to do any more: .*\n$/);
  }
  const done = await repack('--yes', '--json');
  expect(done).toMatchObject({ status: 0 });
  expect(summary(done)).toMatchObject({ packsAfter: plan['packsAfter'], snapshot: expect.any(String) });
  expect(Number(plan['packsAfter'])).toBeLessThan(3);
  expect(await repack('--yes')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('nothing to do'),
  });
  expect(await varveHere(['verify', '--deep'], { cwd: store.folder })).toMatchObject({ status: 0 });

  const archive = { keep: '1mo' };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify({ ...config, archive }));
  const expiring = summary(await varveHere(['expire', '--dry-run', '--json'], { cwd: store.folder }));
  expect(expiring['archive']).toContainEqual(
    expect.objectContaining({ reason: expect.stringContaining('past the keep of orders (1mo)') }),
  );
});
