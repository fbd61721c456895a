/** Orders that change something in a repository. */
import { VarveError } from '../errors.ts';
import {
  openBase,
  acquireLock,
  breakLock,
  initRepository,
  listInstances,
  moveToTrash,
  purgeTrash,
  readLock,
  readMarks,
  rebuildViews,
  Repository,
  secretOf,
  targetNowMs,
  writeMark,
  type DrillResult,
  type InitResult,
  type LockHolder,
  type Memory,
  type RepositoryPlace,
} from '../repository/repository.ts';
import { clockLeap, viewsOf } from '../schedule/schedule.ts';
import {
  carryPacks,
  Checks,
  findRollback,
  openCatalog,
  planRotation,
  repackSnapshot,
  runCycle,
  type CycleReport,
  type CycleRequest,
  type RepackReport,
  type RepackRequest,
} from '../snapshot/snapshot.ts';
import type { OrderContext } from './context.ts';

export async function cycle(context: OrderContext, request: CycleRequest): Promise<CycleReport> {
  const { host, settings, emit, signal, stretch } = context;
  return await runCycle(settings, request, { host, emit, signal, stretch });
}

/** Where its `varve.json` was lost, the clusters are told by the snapshots. */
export async function init(
  context: OrderContext,
  { memory }: { memory: Memory | undefined },
): Promise<InitResult> {
  const { host, settings, stretch } = context;
  const place = placeOf(context);
  const secret = secretOf(settings.repository);
  const expected = memory?.repository === '' ? undefined : memory?.repository;
  const made = await initRepository(host, place, { secret, stretch, expected });
  if (!made.isMade || made.identity.clusters.length > 0) return made;
  let { identity } = made;
  for (const instance of await listInstances(host.disk, place.folder)) {
    const repository = await Repository.open(host, { ...place, instance }, secret, { stretch });
    const { opened: snapshots } = await openCatalog(host.disk, repository);
    for (const cluster of new Set(snapshots.map(({ manifest }) => manifest.cluster)))
      await repository.addCluster(host, cluster);
    ({ identity } = repository);
  }
  return { ...made, identity };
}

export async function pin(
  context: OrderContext,
  o: { id: string; pinned: boolean; reason: string | undefined },
): Promise<{ changed: boolean }> {
  const { host } = context;
  const repository = await opened(context);
  const marks = await readMarks(host, repository);
  if (marks.pinned.has(o.id) === o.pinned) return { changed: false };
  const type = o.pinned ? 'pinned' : 'unpinned';
  const reason = o.reason === undefined ? {} : { reason: o.reason };
  await writeMark(host, repository, { snapshot: o.id, type, atMs: host.clock.nowMs(), ...reason });
  return { changed: true };
}

/** Notes what a drill came to, with the snapshot it was made of. */
export async function noteDrill(
  context: OrderContext,
  o: { snapshot: string; atMs: number; drill: DrillResult },
): Promise<void> {
  const { host } = context;
  await writeMark(host, await opened(context), { ...o, type: 'drill' });
}

export interface ExpireStep {
  readonly id: string;
  readonly decision: 'keep' | 'expire';
  readonly reasons: readonly string[];
}

export interface ExpireResult {
  readonly steps: readonly ExpireStep[];
  readonly held: readonly string[];
  readonly expired: readonly string[];
  /** Packs of data past its keep, which the next cycle no longer carries on. */
  readonly archive: readonly ArchiveStep[];
}

export interface ArchiveStep {
  readonly pack: string;
  readonly bytes: number;
  readonly reason: string;
}

/** Plans by the configured policy, or for one snapshot by name; carries it out only when told so. */
export async function expire(
  context: OrderContext,
  o: { ids: readonly string[]; apply: boolean; installation: string; memory: Memory | undefined },
): Promise<ExpireResult> {
  const { host, settings } = context;
  const repository = await opened(context);
  const { place } = repository;
  await using lock = o.apply ? await acquireLock(host, place, o) : undefined;
  const catalog = await openCatalog(host.disk, repository);
  const whose = { repository: repository.identity.repository, instance: place.instance };
  const rollback = findRollback(catalog, o.memory, whose);
  if (rollback !== undefined) throw rollback;
  const marks = await readMarks(host, repository);
  const checks = new Checks(catalog.opened, marks);
  const nowMs = host.clock.nowMs();
  const latest = o.memory === undefined ? {} : { latestNowMs: o.memory.latestNowMs };
  const targetMs = o.apply ? await targetNowMs(host, place) : nowMs;
  const facts = {
    published: true,
    nowMs,
    targetNowMs: targetMs,
    ...latest,
    vanishedTopics: [],
    shrunk: false,
  };
  const { plan, snapshots } = planRotation(catalog, { settings, marks, checks, facts });
  const isNamed = (id: string): boolean => o.ids.length === 0 || o.ids.includes(id);
  for (const id of o.ids) {
    if (!plan.decisions.some((decision) => decision.id === id))
      throw new VarveError('nothing-selected', `there is no snapshot ${id}`, {
        hint: 'varve list shows those that are there',
      });
  }
  const chosen = plan.decisions.filter(({ id }) => isNamed(id));
  const gone = chosen.filter(({ decision }) => decision === 'expire').map(({ id }) => id);
  const leap = clockLeap(nowMs, o.memory?.latestNowMs);
  const holds = leap === undefined ? plan.holds : [...plan.holds, leap];
  const clocks = { nowMs, targetNowMs: targetMs, holds };
  const base = await openBase(host.disk, repository, catalog.opened.at(-1));
  const carried = await carryPacks(base, settings.archive, { host, repository, ...clocks });
  if (lock !== undefined) {
    for (const id of gone) {
      await lock.assertHeld();
      await moveToTrash(host, place, id);
    }
    await lock.assertHeld();
    const left = snapshots.filter(({ id }) => !gone.includes(id));
    await rebuildViews(host, place, viewsOf(left, settings.retain));
    await purgeTrash(host, place, { nowMs: targetMs });
  }
  return {
    steps: chosen.map(({ id, decision, reasons }) => ({
      id,
      decision,
      reasons: reasons.map(({ text }) => text),
    })),
    held: plan.holds.map(({ text }) => text),
    expired: lock === undefined ? [] : gone,
    archive: carried.gone.map(({ pack, reason }) => ({ pack: pack.path, bytes: pack.bytes, reason })),
  };
}

export async function repack(context: OrderContext, request: RepackRequest): Promise<RepackReport> {
  const { host, settings, emit, signal, stretch } = context;
  return await repackSnapshot(settings, request, { host, emit, signal, stretch });
}

export async function unlock(
  context: OrderContext,
  { apply }: { apply: boolean },
): Promise<LockHolder | undefined> {
  const place = placeOf(context);
  return apply ? await breakLock(context.host, place) : await readLock(context.host, place);
}

export function placeOf({ settings }: OrderContext): RepositoryPlace {
  return { folder: settings.repository.dir ?? '', instance: settings.instance };
}

export async function opened(context: OrderContext): Promise<Repository> {
  const { host, settings, stretch } = context;
  return await Repository.open(host, placeOf(context), secretOf(settings.repository), { stretch });
}
