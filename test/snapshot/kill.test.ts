import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keyOf, Store } from './given.ts';

const program = new URL('cycle-process.ts', import.meta.url);

interface Ended {
  readonly signal: string | null;
  readonly steps: number | undefined;
}

/** Runs a cycle that kills itself at a step, or is killed so many milliseconds after it began. */
async function cycleKilled(store: Store, o: { atStep?: number; afterMs?: number }): Promise<Ended> {
  const child = fork(program, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  await once(child, 'message');
  let steps: number | undefined;
  child.on('message', (message: { steps: number }) => {
    steps = message.steps;
  });
  child.send({ settings: store.settings, request: store.request({}), killAt: o.atStep ?? 0 });
  if (o.afterMs !== undefined) {
    const timer = store.realAfter(o.afterMs, () => child.kill('SIGKILL'));
    await ended;
    timer.cancel();
  }
  const [, signal] = await ended;
  return { signal: typeof signal === 'string' ? signal : null, steps };
}

async function localFiles(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await readdir(folder, { recursive: true })) {
    if (name.endsWith('.log')) found.set(name, (await readFile(join(folder, name))).toString('base64'));
  }
  return found;
}

async function assertUnharmed(store: Store, local: Map<string, string>): Promise<void> {
  const verified = await store.verify();
  expect(verified.findings).toEqual([]);
  expect(await localFiles(store.local)).toEqual(local);
  const report = await store.cycle();
  expect(report).toMatchObject({ finding: null });
  expect(await readdir(join(store.target, 'main', 'staging'))).toEqual([]);
  const after = await store.verify();
  expect(after.findings).toEqual([]);
  expect(after.snapshots).toBeGreaterThanOrEqual(verified.snapshots + 1);
  expect(await localFiles(store.local)).toEqual(local);
}

test('a cycle that is killed at any of its steps leaves what was published whole, and the next one goes on', async () => {
  await using store = await Store.make();
  store.nowMs = Date.now();
  await store.append(keyOf('orders'), 100);
  await store.cycle();
  const { steps } = await cycleKilled(store, {});
  expect(steps).toBeGreaterThan(10);
  for (let step = 1; step <= (steps ?? 0); step += 1) {
    await store.append(keyOf('orders'), 50);
    await store.append(keyOf(`topic-${step}`), 20);
    const local = await localFiles(store.local);
    expect(await cycleKilled(store, { atStep: step }), `step ${step}`).toMatchObject({ signal: 'SIGKILL' });
    await assertUnharmed(store, local);
  }
});

test('a cycle that is killed at random moments leaves what was published whole, and the next one goes on', async () => {
  await using store = await Store.make();
  store.nowMs = Date.now();
  await store.append(keyOf('orders'), 100);
  await store.cycle();
  for (const afterMs of [1, 8, 15, 30, 45, 60, 80, 100, 130, 170]) {
    await store.append(keyOf('orders'), 5000, { valueBytes: 1000 });
    const local = await localFiles(store.local);
    await cycleKilled(store, { afterMs });
    await assertUnharmed(store, local);
  }
});
