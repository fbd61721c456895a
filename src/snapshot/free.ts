/** Local segments that a checked snapshot holds are let go of: after their time, or when room is short. */
import { dirname } from 'node:path';
import type { Disk, Host } from '../host/host.ts';
import { listIncarnations, listSegments, measureSegmentFile, partitionFolder } from '../local/local.ts';
import { ignoring, type Manifest, type PartitionRow } from '../repository/repository.ts';
import { sealedFrom } from './rows.ts';

interface Freeable {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

export interface FreeRequest {
  readonly localFolder: string;
  readonly localKeepMs: number;
  readonly localMinFreeBytes: number;
  /** Nothing on the disk is older. */
  readonly sinceMs: number;
}

/** `base` is a snapshot that an earlier cycle published and this one has found whole. */
export async function freeSegments(
  base: Pick<Manifest, 'incarnations'>,
  request: FreeRequest,
  host: Host,
): Promise<{ segments: number; bytes: number }> {
  const { disk, clock } = host;
  let free = await disk.freeBytes(request.localFolder);
  const oldestKeptMs = clock.nowMs() - request.localKeepMs;
  if (request.sinceMs > oldestKeptMs && free >= request.localMinFreeBytes) return { segments: 0, bytes: 0 };
  let segments = 0;
  let bytes = 0;
  const folders = new Set<string>();
  for (const segment of await freeable(base, request.localFolder, host)) {
    if (segment.modifiedMs > oldestKeptMs && free >= request.localMinFreeBytes) continue;
    await disk.removeFile(segment.path);
    folders.add(dirname(segment.path));
    segments += 1;
    bytes += segment.bytes;
    free += segment.bytes;
  }
  for (const folder of folders) await removeEmptyMonth(disk, folder);
  return { segments, bytes };
}

/** Nothing is written into it any more: a newer segment of the partition stays, and months never go backwards. */
async function removeEmptyMonth(disk: Disk, folder: string): Promise<void> {
  if ((await disk.list(folder))?.length !== 0) return;
  await ignoring(['ENOTEMPTY', 'EEXIST', 'ENOENT'], async () => disk.removeFolder(folder));
}

/** Oldest first. */
async function freeable(
  base: Pick<Manifest, 'incarnations'>,
  localFolder: string,
  { disk }: Host,
): Promise<Freeable[]> {
  const rows = new Map<string, PartitionRow>();
  for (const { topicId, partitions } of base.incarnations)
    for (const row of partitions) rows.set(`${topicId}/${row.partition}`, row);
  const found: Freeable[] = [];
  for (const { topic, topicId, partitions } of await listIncarnations(disk, localFolder)) {
    for (const partition of partitions) {
      const row = rows.get(`${topicId}/${partition}`);
      if (row === undefined || row.sealed.length === 0) continue;
      const segments = await listSegments(disk, partitionFolder(localFolder, { topic, topicId, partition }));
      for (const [index, { path, branch, base: from }] of segments.entries()) {
        const to = sealedFrom(row.sealed, branch, from);
        const following = segments[index + 1];
        // The newest of a branch may go on behind what was sealed: only one behind it tells that it does not.
        if (to === undefined || following?.branch !== branch) continue;
        if (following.base > to && ((await measureSegmentFile(disk, { path, base: from })) ?? from) > to)
          continue;
        const stat = await disk.stat(path);
        if (stat !== undefined) found.push({ path, bytes: stat.byteLength, modifiedMs: stat.modifiedMs });
      }
    }
  }
  return found.toSorted((a, b) => a.modifiedMs - b.modifiedMs);
}
