import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import { keyOf, Store } from '../snapshot/given.ts';
import { varveHere } from './here.ts';

/** A repository with two snapshots, and a configuration for the commands to find. No broker is anywhere. */
export async function published(): Promise<{ store: Store; ids: string[] } & AsyncDisposable> {
  const store = await Store.make();
  store.nowMs = Date.now() - 60_000;
  await store.append(keyOf('orders'), 100);
  await store.append(keyOf('payments', 1), 30);
  const ids = [(await store.cycle()).id];
  store.nowMs = Date.now();
  await store.append(keyOf('orders'), 50);
  ids.push((await store.cycle()).id);
  await configure(store, {});
  return { store, ids, [Symbol.asyncDispose]: async () => store[Symbol.asyncDispose]() };
}

export async function configure(store: Store, more: object): Promise<void> {
  const config = {
    kafka: { brokers: ['127.0.0.1:1'] },
    local: { dir: store.local, minFree: '1MiB' },
    repository: { dir: store.target, keyFile: store.keyFile },
    ...more,
  };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
}

export async function run(store: Store, ...words: string[]): Promise<CommandEnd> {
  return await varveHere(words, { cwd: store.folder });
}

/** What the command printed last, as an object. */
export async function json(
  store: Store,
  ...words: string[]
): Promise<{ status: number | null } & Record<string, unknown>> {
  const { status, stdout } = await run(store, ...words, '--json');
  const last: Record<string, unknown> = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '{}');
  return { ...last, status };
}
