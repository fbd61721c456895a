/**
 * `<local.dir>/archive.json`: until which month the policy keeps packs whose index was read, so that it is not read in
 * each cycle again. It only ever spares a look at what stays; what goes is always read. Losing it costs those looks.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile, type Host } from '../host/host.ts';
import type { Month } from '../schedule/schedule.ts';
import type { SnapshotSettings } from './request.ts';

/** By the digest of a pack: the last month in which it is kept; null: for ever. */
export type KeptUntil = ReadonlyMap<string, Month | null>;

const schema = z.object({
  /** What it holds for: another policy needs another look. */
  policy: z.string(),
  until: z.record(z.string(), z.number().int().nullable()),
});

const fileName = 'archive.json';

export async function readKeptUntil(
  { disk }: Pick<Host, 'disk'>,
  localFolder: string,
  archive: SnapshotSettings['archive'],
): Promise<KeptUntil> {
  try {
    const bytes = await disk.readFile(join(localFolder, fileName));
    const found = schema.parse(JSON.parse(bytes?.toString('utf8') ?? ''));
    if (found.policy === policyText(archive)) return new Map(Object.entries(found.until));
  } catch {
    // It is not there, or not what a cycle wrote: everything is looked at.
  }
  return new Map();
}

export async function writeKeptUntil(
  host: Pick<Host, 'disk' | 'random'>,
  localFolder: string,
  o: { archive: SnapshotSettings['archive']; until: KeptUntil },
): Promise<void> {
  const document = { policy: policyText(o.archive), until: Object.fromEntries(o.until) };
  await replaceFile(host, join(localFolder, fileName), Buffer.from(JSON.stringify(document)));
}

function policyText(archive: SnapshotSettings['archive']): string {
  const topics = Object.entries(archive.topics).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([archive.keep, topics]))
    .digest('hex');
}
