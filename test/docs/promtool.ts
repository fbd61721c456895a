import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpackDebian } from '../../scripts/tools/apt.ts';

const cache = fileURLToPath(new URL('../../node_modules/.cache/promtool/', import.meta.url));

/** Prometheus' own judge of rules and metrics: the one on PATH, else Debian's, fetched once and not installed. */
export async function promtool(): Promise<string> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), cache];
  const found = folders.map((folder) => join(folder, 'promtool')).find((path) => existsSync(path));
  return found ?? (await fetched());
}

async function fetched(): Promise<string> {
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'fetching-'));
  try {
    await unpackDebian(['prometheus'], folder);
    await rename(join(folder, 'usr/bin/promtool'), join(cache, 'promtool'));
    return join(cache, 'promtool');
  } catch (cause) {
    throw new Error('promtool is neither on PATH nor to be had from Debian: install Prometheus', { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What it says, and whether it is content. Whatever it is to read goes to its input. */
export async function judged(
  words: readonly string[],
  input = '',
): Promise<{ status: number | null; said: string }> {
  const child = execFile(await promtool(), [...words]);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: string) => (said += text));
  child.stdin?.end(input);
  await once(child, 'close');
  return { status: child.exitCode, said };
}
