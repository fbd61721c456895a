/** Cycles, and exports of a snapshot, in processes of their own that are killed. */
import { fork } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect } from 'vitest';
import type { Store } from './given.ts';
import type { KilledOrder } from './killed-process.ts';

const program = new URL('killed-process.ts', import.meta.url);

export interface Ended {
  readonly signal: string | null;
  readonly steps: number | undefined;
}

interface KillAt {
  /** It kills itself there. */
  readonly atStep?: number;
  /** Or is killed so many milliseconds after it began. */
  readonly afterMs?: number;
}

export async function cycleKilled(store: Store, at: KillAt): Promise<Ended> {
  return await killed(store, { cycle: store.request({}) }, at);
}

export async function exportKilled(
  store: Store,
  { atStep, ...work }: { snapshot: string; to: string; atStep?: number },
): Promise<Ended> {
  return await killed(store, work, atStep === undefined ? {} : { atStep });
}

async function killed(store: Store, work: KilledOrder['work'], o: KillAt): Promise<Ended> {
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
  child.send({ settings: store.settings, work, killAt: o.atStep ?? 0 } satisfies KilledOrder);
  if (o.afterMs !== undefined) {
    const timer = store.realAfter(o.afterMs, () => child.kill('SIGKILL'));
    await ended;
    timer.cancel();
  }
  const [, signal] = await ended;
  return { signal: typeof signal === 'string' ? signal : null, steps };
}

/** By digest: there are many megabytes. */
export async function localFiles(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await readdir(folder, { recursive: true })) {
    if (name.endsWith('.log')) found.set(name, hash('sha256', await readFile(join(folder, name))));
  }
  return found;
}

export async function assertUnharmed(store: Store, local: Map<string, string>): Promise<void> {
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

/** By their paths below the folder. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
}
