import type { Host } from '../host/host.ts';
import { readLastDrill } from '../drill/drill.ts';
import type { DaemonFacts, DrillFacts } from '../observe/observe.ts';
import { readJournals } from '../restore/restore.ts';
import type { Sink } from '../sink/sink.ts';
import type { Cycles } from './cycles.ts';
import type { Drills } from './drills.ts';
import type { Filling } from './filling.ts';
import type { TargetGate } from './gate.ts';
import type { Retention } from './retention.ts';

/** One that cannot be read is not finished either. */
async function unfinishedRestores({ host, folder }: { host: Host; folder: string }): Promise<number> {
  try {
    return (await readJournals(host, folder)).filter(({ finishedMs }) => finishedMs === null).length;
  } catch {
    return 1;
  }
}

async function drillFacts(o: {
  host: Host;
  drills: Drills | undefined;
  folder: string;
}): Promise<DrillFacts | undefined> {
  const last = await readLastDrill(o.host, o.folder).catch(() => undefined);
  if (o.drills === undefined && last === undefined) return undefined;
  return { ...(o.drills?.facts ?? { runningSinceMs: undefined, nextMs: undefined }), last };
}

export async function factsOf(o: {
  host: Host;
  startedMs: number;
  sink: Sink;
  cycles: Cycles | undefined;
  drills: Drills | undefined;
  gate: TargetGate;
  filling: Filling;
  retention: Retention;
  repository: DaemonFacts['repository'];
  folder: string;
  minFreeBytes: number;
}): Promise<DaemonFacts> {
  const { host, sink, cycles, gate, filling } = o;
  const known = cycles?.facts;
  const stuckSinceMs = gate.state.kind === 'stuck' ? gate.state.sinceMs : undefined;
  // A disk that is gone is told by what refuses it.
  const localFreeBytes = await host.disk.freeBytes(o.folder).catch(() => undefined);
  if (localFreeBytes !== undefined) filling.note({ atMs: host.clock.nowMs(), freeBytes: localFreeBytes });
  return {
    nowMs: host.clock.nowMs(),
    startedMs: o.startedMs,
    sink: sink.metrics(),
    retentionMs: o.retention.keptMs,
    trouble: sink.trouble,
    repository: o.repository,
    unfinishedRestores: await unfinishedRestores(o),
    drills: await drillFacts(o),
    localFreeBytes,
    localFullInMs: filling.untilMs(o.minFreeBytes),
    cycles: known && { ...known, ...(stuckSinceMs === undefined ? {} : { target: 'stuck' }), stuckSinceMs },
  };
}
