/** One cycle: from closed local segments to a published snapshot, and what is let go of afterwards. */
import { messageOf } from '../errors.ts';
import type { Clock } from '../host/host.ts';
import {
  sweepPacks,
  writeMark,
  type Manifest,
  type Memory,
  asHead,
  type OpenedHead,
  type Pack,
  nextAccess,
} from '../repository/repository.ts';
import type { Catalog } from './base.ts';
import { doseOf, recheckPacks, type CheckedPacks } from './recheck.ts';
import type { CyclePhase } from './events.ts';
import { freeSegments } from './free.ts';
import { openGround, rotationOf, sourceFacts, type CyclePorts, type Ground } from './ground.ts';
import { nextExpired, nextRows } from './incarnations.ts';
import type { MissingPack } from './link.ts';
import { publish } from './publish.ts';
import { codeToNote, remember, standingHolds, type Course, type Given } from './remember.ts';
import { reportOf } from './report.ts';
import type { CycleReport, CycleRequest, SnapshotSettings } from './request.ts';
import { assertNewest, carryOutRotation, letGoOfMarks, type RotatePlan } from './rotate.ts';
import { stage, type Staged } from './stage.ts';

/** Runs a cycle and notes how it went, whichever way it went. */
export async function runCycle(
  settings: SnapshotSettings,
  request: CycleRequest,
  ports: CyclePorts,
): Promise<CycleReport> {
  const beganMs = ports.host.clock.nowMs();
  const course: Course = {};
  const note = async (attempt: NonNullable<Memory['lastAttempt']>): Promise<void> =>
    remember({ settings, request, ports, beganMs }, course, attempt);
  try {
    const report = await run({ settings, request, ports, beganMs }, course);
    await note({ atMs: beganMs, outcome: 'published' });
    return report;
  } catch (error) {
    const message = messageOf(error);
    const attempt = { atMs: beganMs, outcome: 'failed', code: codeToNote(error), message } as const;
    await note(attempt).catch(() => undefined); // the cycle's own error is the one to tell
    throw error;
  }
}

async function run(given: Given, course: Course): Promise<CycleReport> {
  const { host } = given.ports;
  const phases = new Phases(host.clock, given.ports);
  await using held = new AsyncDisposableStack();
  phases.begin('open');
  const ground = await openGround(given, held);
  course.ground = ground;
  phases.begin('seal');
  const holds = ground.base === undefined ? [] : rotationOf(ground, ground.catalog).plan.holds;
  const staged = await stage(ground, ground.leap === undefined ? holds : [...holds, ground.leap]);
  phases.begin('publish');
  const onStep = given.ports.onStep ?? ((): void => undefined);
  const published = await publish(manifestOf(ground, staged), {
    host,
    repository: ground.repository,
    assertLocked: async () => ground.lock.assertHeld(),
    onStep,
  });
  course.published = published;
  await remember(given, course, { atMs: given.beganMs, outcome: 'published' });
  phases.begin('check');
  const catalog = { ...ground.catalog, opened: [...ground.catalog.opened, asHead(published)] };
  const checked = await recheck(ground, catalog, staged.links.missing);
  phases.begin('rotate');
  const rotation = rotationOf(ground, catalog);
  course.held = standingHolds(ground, rotation);
  assertNewest(rotation.plan, published.manifest.id);
  const isWhole = checked.damaged.length === 0 && staged.links.missing.length === 0;
  const assertLocked = async (): Promise<void> => ground.lock.assertHeld();
  const ports = { host, repository: ground.repository, assertLocked };
  const expired = isWhole ? await carryOutRotation(rotation, { ...ports, settings: given.settings }) : [];
  const gone = new Set(expired.map(({ id }) => id));
  const opened = catalog.opened.filter(({ manifest }) => !gone.has(manifest.id));
  if (isWhole) await sweep(ground, rotation, opened);
  await letGoOfMarks(ground.marks, { ...catalog, opened }, ports);
  phases.begin('free');
  const freed =
    ground.base === undefined || !isWhole
      ? { segments: 0, bytes: 0 }
      : await freeSegments(
          ground.base.manifest,
          {
            ...given.request,
            sinceMs: ground.memory?.sinceMs ?? 0,
            // Where the time is not believed nothing is old, and goes for want of room alone.
            ...(isTimeDoubted(ground, rotation) && { localKeepMs: Infinity }),
          },
          host,
        );
  phases.end();
  return await reportOf({
    ground,
    staged,
    published,
    rotation,
    expired,
    freed,
    checked,
    phasesMs: phases.tookMs,
  });
}

function isTimeDoubted({ leap }: Ground, { plan }: RotatePlan): boolean {
  return leap !== undefined || plan.holds.some(({ kind }) => kind === 'clocks-disagree');
}

function manifestOf(ground: Ground, staged: Staged): Manifest {
  const { repository, base, request, checks } = ground;
  const accepted = request.accept.shrink;
  const { vanishedTopics } = sourceFacts(ground);
  const isIncluded = (topic: string): boolean => vanishedTopics.includes(topic);
  const linked = staged.links.linked.map((pack) => ({ ...pack, checkedMs: checks.atMs(pack) }));
  return {
    format: 1,
    id: staged.id,
    seq: staged.seq,
    previous: base === undefined ? null : { id: base.manifest.id, digest: base.digest },
    repository: repository.identity.repository,
    instance: repository.place.instance,
    installation: request.installation,
    cluster: request.cluster,
    tool: request.tool,
    takenMs: staged.takenMs,
    packs: [...linked, ...staged.fresh.packs],
    incarnations: nextRows({
      known: staged.known,
      cut: staged.cut,
      firstSeen: staged.firstSeen,
      topics: request.topics,
      isAccepted: (topic) => accepted || !isIncluded(topic),
      sealed: staged.fresh.segments,
      expired: staged.carried.expired,
      at: new Date(staged.takenMs).toISOString(),
    }),
    groups: request.groups ?? base?.manifest.groups ?? null,
    ...nextAccess(request.access, base?.manifest),
    expired: nextExpired(base?.manifest.expired ?? [], {
      sealed: staged.fresh.segments,
      expired: staged.carried.expired,
    }),
  };
}

/** Packs that snapshots shared and none has any more. What holds snapshots, holds them as well. */
async function sweep(
  { ports, repository, lock, request }: Ground,
  { plan }: RotatePlan,
  opened: readonly OpenedHead[],
): Promise<void> {
  if (plan.holds.length > 0 || request.accept.rollback) return;
  const manifests = opened.map(({ manifest }) => manifest);
  await sweepPacks(ports.host, repository.place, { manifests, assertLocked: async () => lock.assertHeld() });
}

/** After the publication: what is damaged in a carried pack is marked, and holds up nothing that is new. */
async function recheck(
  ground: Ground,
  { opened }: Catalog,
  missing: readonly MissingPack[],
): Promise<CheckedPacks> {
  const { ports, repository, checks, lock, base, beganMs, settings } = ground;
  const { host, signal } = ports;
  for (const pack of opened.at(-1)?.manifest.packs ?? []) checks.note(pack, pack.checkedMs);
  const result = await recheckPacks(opened, {
    host,
    place: repository.place,
    signal,
    checkedMs: (pack) => checks.atMs(pack),
    dose: doseOf({
      sinceMs: base?.manifest.takenMs,
      nowMs: beganMs,
      maxAgeMs: settings.verify.maxAge,
    }),
  });
  const atMs = host.clock.nowMs();
  await lock.assertHeld();
  const snapshot = opened.at(-1)?.manifest.id ?? '';
  const mark = async (type: 'checked' | 'damaged', packs: readonly Pack[]): Promise<void> => {
    if (packs.length > 0) await writeMark(host, repository, { snapshot, type, atMs, packs });
  };
  await mark('checked', result.checked);
  await mark(
    'damaged',
    [...result.damaged, ...missing].map(({ pack }) => pack),
  );
  for (const { pack, problem } of result.damaged)
    ports.emit({ type: 'pack-damaged', pack: pack.path, problem });
  for (const pack of result.checked) checks.note(pack, atMs);
  return result;
}

/** How long each part of a cycle took. */
class Phases {
  readonly tookMs: Partial<Record<CyclePhase, number>> = {};
  readonly #clock: Clock;
  readonly #ports: Pick<CyclePorts, 'emit' | 'onStep'>;
  #now: { readonly phase: CyclePhase; readonly sinceMs: number } | undefined;

  constructor(clock: Clock, ports: Pick<CyclePorts, 'emit' | 'onStep'>) {
    this.#clock = clock;
    this.#ports = ports;
  }

  begin(phase: CyclePhase): void {
    this.end();
    this.#now = { phase, sinceMs: this.#clock.nowMs() };
    this.#ports.emit({ type: 'cycle-phase', phase });
    this.#ports.onStep?.(phase);
  }

  end(): void {
    if (this.#now === undefined) return;
    this.tookMs[this.#now.phase] = this.#clock.nowMs() - this.#now.sinceMs;
    this.#now = undefined;
  }
}
