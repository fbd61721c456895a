import { messageOf, VarveError } from '../errors.ts';
import type { Config } from '../config/config.ts';
import { listIncarnations, type LocalFolder } from '../local/local.ts';
import type { Host } from '../host/host.ts';
import { durableKey, type DurableOffsets } from '../sink/sink.ts';
import type { TargetGate } from './gate.ts';
import { snapshotSettings } from './snapshots.ts';

/**
 * How far the newest snapshot holds each partition, where the local files are new: so a lost disk costs no second copy.
 * Undefined where the files tell it themselves, or the target cannot.
 */
export async function savedOffsets(o: {
  config: Config;
  host: Host;
  gate: TargetGate;
  local: LocalFolder;
  signal: AbortSignal;
  warn: (message: string) => void;
}): Promise<DurableOffsets | undefined> {
  const { config, host, gate, local, signal, warn } = o;
  if (config.repository.dir === undefined) return undefined;
  if ((await listIncarnations(host.disk, local.path)).length > 0) return undefined;
  try {
    const { overview, newest } = await gate.run({
      order: 'overview',
      settings: snapshotSettings(config),
      params: { instance: config.instance, memory: undefined },
      signal,
    });
    await local.bindRepository(overview.repository);
    const found = newest.flatMap(({ manifest }) =>
      manifest.incarnations.flatMap(({ topicId, partitions }) =>
        partitions.flatMap(({ partition, coverage }) => {
          const end = coverage.ranges.at(-1)?.to;
          return end === undefined ? [] : ([[durableKey({ topicId, partition }), end]] as const);
        }),
      ),
    );
    return found.length === 0 ? undefined : new Map(found);
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    if (error.code !== 'no-repository')
      warn(`the newest snapshot cannot be asked where to begin, the group is: ${messageOf(error)}`);
    return undefined;
  }
}
