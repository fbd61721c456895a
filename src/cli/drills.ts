/** What the repository has noted of drills, for `info` and `check`. */
import type { Config } from '../config/config.ts';
import { bytesText, plural } from '../observe/observe.ts';
import type { Memory } from '../repository/repository.ts';
import { dueState } from '../schedule/schedule.ts';
import type { DrillRow, Overview } from '../snapshot/snapshot.ts';
import { ok, warn, type Finding } from './findings.ts';
import { agoText, momentText } from './times.ts';

const what = 'drill';
const hint = 'varve drill makes one now; its output tells what failed';

/** None where drills are neither scheduled nor made by hand. A backup is not ill because nobody rehearsed: never a failure. */
export function drillFindings(
  { drills }: Pick<Overview, 'drills'>,
  { config, memory, nowMs }: { config: Config; memory: Memory | undefined; nowMs: number },
): Finding[] {
  const own = drills.filter(({ instance }) => instance === config.instance);
  const last = own.at(-1);
  const good = own.findLast(({ passed }) => passed);
  if (last?.passed === false) return [warn(what, drillText(last, nowMs), hint)];
  const { schedule } = config.drill;
  if (schedule !== undefined) {
    const due = dueState(
      { schedule, timezone: config.cycle.timezone },
      { nowMs, sinceMs: memory?.sinceMs ?? nowMs, ...(good && { lastSuccessMs: good.atMs }) },
    );
    if (due.overdueMs !== undefined)
      return [warn(what, `one was due at ${momentText(due.overdueMs)}; ${drillText(good, nowMs)}`, hint)];
  }
  return last === undefined ? [] : [ok(what, drillText(last, nowMs))];
}

/** The newest of an instance. */
export function lastDrill({ drills }: Pick<Overview, 'drills'>, instance: string): DrillRow | undefined {
  return drills.findLast((row) => row.instance === instance);
}

export function drillText(drill: DrillRow | undefined, nowMs: number): string {
  if (drill === undefined) return 'no drill has passed yet';
  const { atMs, passed, kind, isWhole, topics, bytes, snapshot, message } = drill;
  const when = `the last drill, ${agoText(atMs, nowMs)}, of ${snapshot},`;
  if (!passed) return `${when} FAILED: ${message ?? 'for no known reason'}`;
  const did = kind === 'restore' ? 'restored and compared' : 'read and checked';
  return `${when} passed: ${isWhole ? 'everything' : 'a sample'} ${did}: ${plural(topics, 'topic')}, ${bytesText(bytes)}`;
}

export function drillDocument(drill: DrillRow | undefined): object | null {
  if (drill === undefined) return null;
  const { atMs, ...rest } = drill;
  return { at: momentText(atMs), ...rest };
}
