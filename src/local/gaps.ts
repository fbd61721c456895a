import { join } from 'node:path';
import type { Disk, Random } from '../host/host.ts';
import { replaceFile } from '../host/host.ts';
import type { Coverage, Gap } from './coverage.ts';
import { listIncarnations } from './incarnation.ts';
import { readJournal } from './journal.ts';
import { partitionFolder, type PartitionKey } from './layout.ts';

/** Records that were never saved because the cluster no longer had them. */
export interface FoundGap extends Gap, PartitionKey {
  /** True where somebody has said that it is known. */
  readonly isAccepted: boolean;
}

/** `<local.dir>/gaps.accepted`: one gap a line, as `gapId` writes it. */
const acceptedName = 'gaps.accepted';

export async function readCoverage(
  disk: Disk,
  localFolder: string,
  key: PartitionKey,
): Promise<Coverage | undefined> {
  return await readJournal(disk, partitionFolder(localFolder, key));
}

export async function listGaps(disk: Disk, localFolder: string): Promise<FoundGap[]> {
  const accepted = await readAccepted(disk, localFolder);
  const found: FoundGap[] = [];
  for (const { topic, topicId, partitions } of await listIncarnations(disk, localFolder)) {
    for (const partition of partitions) {
      const key = { topic, topicId, partition };
      const coverage = await readCoverage(disk, localFolder, key);
      for (const gap of coverage?.gaps ?? []) {
        found.push({ ...key, ...gap, isAccepted: accepted.has(gapId({ ...key, ...gap })) });
      }
    }
  }
  return found;
}

/** Notes that these gaps are known; the sink may be running. */
export async function acceptGaps(
  ports: { disk: Disk; random: Random },
  localFolder: string,
  gaps: readonly (PartitionKey & Gap)[],
): Promise<void> {
  const accepted = await readAccepted(ports.disk, localFolder);
  for (const gap of gaps) accepted.add(gapId(gap));
  const lines = [...accepted].map((line) => `${line}\n`).join('');
  await replaceFile(ports, join(localFolder, acceptedName), Buffer.from(lines));
}

/** The gaps that somebody has said are known, as `gapId` writes them. */
export async function readAccepted(disk: Disk, localFolder: string): Promise<Set<string>> {
  const bytes = await disk.readFile(join(localFolder, acceptedName));
  return new Set(bytes?.toString('utf8').split('\n').filter(Boolean));
}

export function gapId(gap: PartitionKey & Pick<Gap, 'from' | 'to'>): string {
  return `${gap.topic} ${gap.topicId} ${gap.partition} ${gap.from} ${gap.to}`;
}
