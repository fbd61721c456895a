import type { Host } from '../host/host.ts';
import type { DaemonFacts } from '../observe/observe.ts';
import { readJournals } from '../restore/restore.ts';
import type { Sink } from '../sink/sink.ts';
import type { Cycles } from './cycles.ts';
import type { TargetGate } from './gate.ts';

/** One that cannot be read is not finished either. */
async function unfinishedRestores({ host, folder }: { host: Host; folder: string }): Promise<number> {
  try {
    return (await readJournals(host, folder)).filter(({ finishedMs }) => finishedMs === null).length;
  } catch {
    return 1;
  }
}

export async function factsOf(o: {
  host: Host;
  startedMs: number;
  sink: Sink;
  cycles: Cycles | undefined;
  gate: TargetGate;
  folder: string;
}): Promise<DaemonFacts> {
  const { sink, cycles, gate } = o;
  const known = cycles?.facts;
  const stuckSinceMs = gate.state.kind === 'stuck' ? gate.state.sinceMs : undefined;
  return {
    startedMs: o.startedMs,
    sink: sink.metrics(),
    trouble: sink.trouble,
    // A disk that is gone is told by what refuses it.
    unfinishedRestores: await unfinishedRestores(o),
    localFreeBytes: await o.host.disk.freeBytes(o.folder).catch(() => undefined),
    cycles: known && { ...known, ...(stuckSinceMs === undefined ? {} : { target: 'stuck' }), stuckSinceMs },
  };
}
