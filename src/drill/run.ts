import { messageOf, VarveError, type ErrorCode } from '../errors.ts';
import { readJournals } from '../restore/restore.ts';
import { ReadingSession } from '../target/target.ts';
import { drillsFolder, holdDrills, writeLastDrill } from './folder.ts';
import { rehearse, type Rehearsal } from './rehearse.ts';
import type { DrillPorts, DrillRequest } from './ports.ts';
import { damageOf, problemOf, resultOf, type DrillProblem, type DrillReport } from './report.ts';
import { newDrillId, sweepScratch, targetsOf } from './scratch.ts';

/** Throws where there was nothing to drill with; what a drill found out is in its report, also where it failed. */
export async function runDrill(request: DrillRequest, ports: DrillPorts): Promise<DrillReport> {
  const { host, localFolder, warn } = ports;
  await using held = new AsyncDisposableStack();
  const folder = localFolder === undefined ? undefined : drillsFolder(localFolder);
  if (folder !== undefined) held.use(await holdDrills(host, folder));
  const isRestore = request.kind === 'restore';
  if (isRestore && folder !== undefined) await sweepFirst(folder, ports);
  const atMs = host.clock.nowMs();
  const id = newDrillId(host);
  let done: Drilled;
  let left: string[] = [];
  try {
    done = await drill(request, { ...ports, id, folder });
  } catch (error) {
    const isTried = error instanceof VarveError && !notDrilled.has(error.code) && !ports.signal.aborted;
    const tookMs = host.clock.nowMs() - atMs;
    if (isTried && localFolder !== undefined)
      await writeLastDrill(host, localFolder, { atMs, passed: false, tookMs });
    throw error;
  } finally {
    if (isRestore && folder !== undefined) left = await sweepLast(folder, ports);
  }
  if (ports.signal.aborted) throw stopped();
  const told = { id, ...done, atMs, kind: request.kind, left, tookMs: host.clock.nowMs() - atMs };
  const isNoted = await note(told, ports);
  if (localFolder !== undefined) await writeLastDrill(host, localFolder, told);
  if (left.length > 0) warn(`scratch topics are left, the next drill deletes them: ${left.join(', ')}`);
  return { ...told, isNoted };
}

/** What an earlier drill left behind when it was killed. */
async function sweepFirst(folder: string, ports: DrillPorts): Promise<void> {
  const left = await sweepScratch({ ...ports, folder });
  if (left.length > 0) ports.warn(`scratch topics of an earlier drill are left: ${left.join(', ')}`);
}

const sweepMsMax = 60_000;

/** Also where the drill was told to stop: with a time of its own. */
async function sweepLast(folder: string, { host, connect, warn }: DrillPorts): Promise<string[]> {
  const late = new AbortController();
  const timer = host.clock.after(sweepMsMax, () => late.abort());
  try {
    return await sweepScratch({ host, folder, connect, signal: late.signal });
  } catch (error) {
    warn(`the scratch topics could not be deleted: ${messageOf(error)}`);
    return (await readJournals(host, folder)).flatMap(targetsOf);
  } finally {
    timer.cancel();
  }
}

type Drilled = Rehearsal & Pick<DrillReport, 'snapshot' | 'takenMs'>;

/** The session is over when this returns: the next order may follow. */
async function drill(
  request: DrillRequest,
  ports: DrillPorts & { readonly id: string; readonly folder: string | undefined },
): Promise<Drilled> {
  const { host, settings, memory, signal, ask, warn } = ports;
  await using reading = new ReadingSession(host, { settings, signal, run: ask });
  const { overview, newest } = await reading.overview({ instance: settings.instance, memory });
  const detail = newest.find(({ row }) => row.instance === settings.instance);
  // A snapshot that does not open is newer than the newest that does: it is what would be restored from.
  const damaged = overview.problems.findLast(({ id }) => detail === undefined || id >= detail.row.id);
  for (const { id, problem } of overview.problems) warn(`${settings.instance}/${id}: ${problem}`);
  if (damaged !== undefined) {
    const snapshot = detail?.row.id ?? damaged.id;
    const takenMs = detail?.row.takenMs ?? 0;
    return { snapshot, takenMs, ...failedBefore(damageOf(`${damaged.id}: ${damaged.problem}`)) };
  }
  if (detail === undefined) {
    throw new VarveError('nothing-selected', `instance ${settings.instance} has no snapshot to drill with`, {
      hint: 'varve backup publishes the first one',
    });
  }
  const whose = { snapshot: detail.row.id, takenMs: detail.row.takenMs };
  try {
    return { ...whose, ...(await rehearse(request, { ...ports, detail, reading })) };
  } catch (error) {
    if (!(error instanceof VarveError) || notDrilled.has(error.code) || signal.aborted) throw error;
    return { ...whose, ...failedBefore(problemOf(error)) };
  }
}

/** What says nothing of the backup. */
const notDrilled: ReadonlySet<ErrorCode> = new Set(['usage', 'config', 'nothing-selected', 'locked']);

function failedBefore(problem: DrillProblem): Rehearsal {
  const nothing = { isWhole: false, topics: [], leftOut: [], records: 0, bytes: 0, notes: [] };
  return { passed: false, problem, ...nothing };
}

function stopped(): VarveError {
  return new VarveError('interrupted', 'the drill was stopped before its end: nothing is noted of it', {
    hint: 'run the command again',
  });
}

async function note(
  told: Omit<DrillReport, 'isNoted'>,
  { ask, settings, signal, warn }: DrillPorts,
): Promise<boolean> {
  const { snapshot, atMs } = told;
  const params = { snapshot, atMs, drill: resultOf(told) };
  try {
    await ask({ order: 'noteDrill', params, settings, signal });
    return true;
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    warn(`the result could not be noted in the repository: ${error.message}`);
    return false;
  }
}
