import { localFolderOf, type Config } from '../config/config.ts';
import { readLastDrill, runDrill } from '../drill/drill.ts';
import type { Host } from '../host/host.ts';
import { connectCluster } from '../kafka/kafka.ts';
import type { DrillEvent } from '../observe/observe.ts';
import { readMemory } from '../repository/repository.ts';
import { newProgress } from '../restore/restore.ts';
import type { Cycles } from './cycles.ts';
import { Drills } from './drills.ts';
import type { TargetGate } from './gate.ts';
import { kafkaPorts, kafkaSettings } from './settings.ts';
import { snapshotSettings } from './snapshots.ts';

const frameBytesInFlightMax = 12 * 1024 * 1024;

/** The drills of a daemon, on a connection of their own; undefined where none is scheduled. */
export async function drillsOf(o: {
  config: Config;
  host: Host;
  gate: TargetGate;
  cycles: () => Cycles | undefined;
  sinceMs: number;
  emit: (event: DrillEvent) => void;
  signal: AbortSignal;
}): Promise<Drills | undefined> {
  const { config, host, gate, emit } = o;
  const { schedule, topics, maxBytes } = config.drill;
  if (schedule === undefined) return undefined;
  const localFolder = localFolderOf(config);
  const last = await readLastDrill(host, localFolder);
  return new Drills({
    host,
    timetable: { schedule, timezone: config.cycle.timezone },
    settledMs: last?.atMs ?? o.sinceMs,
    isCycleAhead: () => o.cycles()?.isAhead ?? false,
    emit,
    signal: o.signal,
    drill: async (signal) =>
      runDrill(
        { topics, bytesMax: maxBytes, kind: 'restore' },
        {
          host,
          settings: snapshotSettings(config),
          memory: await readMemory(host, localFolder),
          localFolder,
          ask: (order) => gate.run(order),
          connect: async (until) =>
            connectCluster({
              settings: kafkaSettings(config.kafka, host),
              ports: kafkaPorts(host),
              signal: until,
              frameBytesInFlightMax,
            }),
          addresses: config.kafka.brokers.join(','),
          progress: newProgress(),
          warn: (message) => emit({ type: 'drill-warned', message }),
          signal,
        },
      ),
  });
}
