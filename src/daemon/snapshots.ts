import manifest from '../../package.json' with { type: 'json' };
import { localFolderOf, matchesTopic, type Config } from '../config/config.ts';
import type { Host } from '../host/host.ts';
import type { Cluster } from '../kafka/kafka.ts';
import type { LocalFolder } from '../local/local.ts';
import { durableKey, type DurableOffsets, type Sink } from '../sink/sink.ts';
import type { CycleReport, CycleRequest, SnapshotSettings } from '../snapshot/snapshot.ts';
import type { TargetEvent } from '../target/target.ts';
import { readClusterFacts, unreadFacts, type ClusterFacts } from './cluster-facts.ts';
import type { TargetGate } from './gate.ts';

export type Accepted = CycleRequest['accept'];

export const nothingAccepted: Accepted = {
  rollback: false,
  cluster: false,
  shrink: false,
  clock: false,
};

export interface SnapshotPorts {
  readonly config: Config;
  readonly host: Host;
  readonly gate: TargetGate;
  readonly local: LocalFolder;
  /** Absent where Kafka is away. */
  readonly cluster: Cluster | undefined;
  /** Why it is. */
  readonly away?: unknown;
  /** Absent where nobody reads: the cycle then recovers the files by itself. */
  readonly sink: Sink | undefined;
  readonly onEvent: (event: TargetEvent) => void;
  readonly signal: AbortSignal;
}

/** What crosses to the child, and nothing else of the configuration. */
export function snapshotSettings(config: Config): SnapshotSettings {
  const { instance, repository, retain, archive, verify, cycle, topics, local } = config;
  return { instance, repository, retain, archive, verify, cycle, topics, localFolder: local.dir };
}

/** One cycle: groups and configs, the cut, then everything else in the child. */
export async function takeSnapshot(ports: SnapshotPorts, accept: Accepted): Promise<CycleReport> {
  const { config, gate, local, sink, signal, onEvent } = ports;
  const report = await gate.run({
    order: 'cycle',
    settings: snapshotSettings(config),
    // The child starts meanwhile: what lies between the pause and the snapshot is the cycle's own work.
    async params() {
      const facts = await clusterFacts(ports);
      const cut = (await sink?.cut()) ?? { partitions: [], busy: [] };
      const { identity } = local;
      return {
        localFolder: localFolderOf(config),
        localKeepMs: config.local.keep,
        localMinFreeBytes: config.local.minFree,
        installation: identity.installation,
        cluster: identity.cluster ?? '',
        tool: `varve ${manifest.version}`,
        cut: cut.partitions,
        busy: cut.busy,
        ...facts,
        accept,
      };
    },
    onEvent,
    signal,
  });
  await local.bindRepository(report.repository);
  sink?.noteDurable(durableOf(report));
  return report;
}

async function clusterFacts({ cluster, away, config, host, signal }: SnapshotPorts): Promise<ClusterFacts> {
  if (cluster === undefined) return unreadFacts(away);
  try {
    return await readClusterFacts(cluster, {
      isWanted: (topic) => matchesTopic(config, topic),
      nowMs: host.clock.nowMs(),
      signal,
    });
  } catch (error) {
    return unreadFacts(error);
  }
}

function durableOf({ durable }: CycleReport): DurableOffsets {
  return new Map(durable.map((row) => [durableKey(row), BigInt(row.offset)]));
}
