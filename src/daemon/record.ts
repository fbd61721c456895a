import { localFolderOf, type Config } from '../config/config.ts';
import type { Host } from '../host/host.ts';
import { readMemory, writeMemory } from '../repository/repository.ts';
import type { CycleRecord } from './cycles.ts';

/** What earlier cycles left beside the local files. The first start begins the record: from then on cycles are due. */
export async function recordOf(host: Host, config: Config): Promise<CycleRecord> {
  const folder = localFolderOf(config);
  const nowMs = host.clock.nowMs();
  const known = await readMemory(host, folder);
  if (known === undefined) {
    await writeMemory(host, folder, {
      repository: '',
      instance: config.instance,
      newest: null,
      latestNowMs: nowMs,
      sinceMs: nowMs,
      lastAttempt: null,
      lastSuccess: null,
    });
  }
  return {
    sinceMs: known?.sinceMs ?? nowMs,
    lastAttemptMs: known?.lastAttempt?.atMs,
    lastSuccessMs: known?.lastSuccess?.atMs,
    newestSeq: known?.newest?.seq,
    isPublished: known?.lastAttempt?.outcome === 'published',
  };
}
