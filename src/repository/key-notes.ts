/**
 * `keys/removed.<16 hex>`: sealed notes of slots that somebody with the key removed. A slot that is missing without one
 * was lost, or taken away by somebody without the key.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, VarveError } from '../errors.ts';
import type { Disk, Host } from '../host/host.ts';
import { keysFolder } from './layout.ts';
import type { Repository } from './open.ts';
import { placeFile } from './links.ts';
import { digest } from './shapes.ts';
import { ignoring, readWhole } from './steps.ts';

const schema = z.object({
  format: z.literal(1),
  slot: z.string(),
  /** Of the slot's file. */
  sha256: digest,
  removed: z.string(),
});

/** By which a note names a slot's file. */
export function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function noteName(sha256: string): string {
  return `removed.${sha256.slice(0, 16)}`;
}

export async function noteRemoval(
  host: Host,
  repository: Repository,
  { slot, bytes }: { slot: string; bytes: Buffer },
): Promise<void> {
  const sha256 = digestOf(bytes);
  const removed = new Date(host.clock.nowMs()).toISOString();
  const raw = Buffer.from(JSON.stringify({ format: 1, slot, sha256, removed }));
  const name = noteName(sha256);
  const sealed = repository.seal(identityOf(repository, name), raw);
  const path = join(keysFolder(repository.place), name);
  // One that is there says the same.
  await ignoring(['EEXIST'], async () => placeFile(host, path, sealed, { mode: 0o440, readBack: true }));
}

export async function noteNames(disk: Disk, folder: string): Promise<string[]> {
  const entries = (await disk.list(keysFolder({ folder }))) ?? [];
  return entries.map(({ name }) => name).filter((name) => /^removed\.[0-9a-f]{16}$/.test(name));
}

/** The files, by their SHA-256, that were removed on purpose, and the notes that cannot be believed. */
export async function readRemovals(
  disk: Disk,
  repository: Repository,
): Promise<{ removed: Set<string>; problems: { name: string; problem: string }[] }> {
  const removed = new Set<string>();
  const problems: { name: string; problem: string }[] = [];
  const { folder } = repository.place;
  for (const name of await noteNames(disk, folder)) {
    try {
      const sealed = await readWhole(disk, join(keysFolder({ folder }), name));
      const raw = repository.openSealed(identityOf(repository, name), sealed);
      removed.add(schema.parse(JSON.parse(raw.toString('utf8'))).sha256);
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'damage') throw error;
      problems.push({ name, problem: messageOf(error) });
    }
  }
  return { removed, problems };
}

function identityOf(
  { identity }: Repository,
  name: string,
): { kind: 'mark'; repository: string; instance: string; snapshot: string; type: string } {
  const { repository } = identity;
  return { kind: 'mark', repository, instance: '', snapshot: name.slice('removed.'.length), type: 'removed' };
}
