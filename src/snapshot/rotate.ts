/** After a publication: which snapshots go, and the views of those that stay. */
import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import {
  moveToTrash,
  obsoleteMarks,
  rebuildViews,
  sweepMarks,
  type Marks,
  type OpenedHead,
  type Pack,
  type Repository,
} from '../repository/repository.ts';
import {
  isFuture,
  planRetention,
  viewsOf,
  type RetainedSnapshot,
  type RetainPlan,
  type RotationFacts,
} from '../schedule/schedule.ts';
import type { Catalog } from './base.ts';
import type { SnapshotSettings } from './request.ts';

/**
 * When each pack was last read whole, over all snapshots and marks: they share the packs. What is dated in the future,
 * by a clock that was ahead, would hide for as long that a pack is damaged, or unread.
 */
export class Checks {
  readonly #latestMs = new Map<string, number>();

  constructor(opened: readonly OpenedHead[], marks: Marks) {
    for (const { manifest } of opened) {
      for (const pack of manifest.packs)
        if (!isFuture(pack.checkedMs, marks.readMs)) this.note(pack, pack.checkedMs);
    }
    for (const { packs, atMs } of marks.checked) for (const pack of packs) this.note(pack, atMs);
  }

  note({ sha256 }: Pick<Pack, 'sha256'>, atMs: number): void {
    if (atMs > (this.#latestMs.get(sha256) ?? 0)) this.#latestMs.set(sha256, atMs);
  }

  atMs({ sha256 }: Pick<Pack, 'sha256'>): number {
    return this.#latestMs.get(sha256) ?? 0;
  }

  /** The moment since which everything of a snapshot was read. */
  verifiedMs({ packs, takenMs }: { packs: readonly Pack[]; takenMs: number }): number {
    return packs.reduce(
      (least, pack) => Math.min(least, this.atMs(pack)),
      packs.length === 0 ? takenMs : Infinity,
    );
  }
}

/** Damage that no later clean read has lifted, of packs that are still there. */
export function standingDamage(
  marks: Marks,
  opened: readonly OpenedHead[],
  checks: Checks,
): Pick<Pack, 'sha256'>[] {
  const there = new Set(opened.flatMap(({ manifest }) => manifest.packs.map(({ sha256 }) => sha256)));
  return marks.damaged.flatMap(({ packs, atMs }) =>
    packs.filter((pack) => there.has(pack.sha256) && checks.atMs(pack) <= atMs),
  );
}

export function retained(
  opened: readonly OpenedHead[],
  o: { checks: Checks; marks: Marks; maxAgeMs: number; nowMs: number; damaged: ReadonlySet<string> },
): RetainedSnapshot[] {
  return opened.map(({ manifest, publishedMs }) => ({
    id: manifest.id,
    takenMs: manifest.takenMs,
    publishedMs,
    good: !manifest.packs.some(({ sha256 }) => o.damaged.has(sha256)),
    verified: o.nowMs - o.checks.verifiedMs(manifest) <= o.maxAgeMs,
    pinned: o.marks.pinned.has(manifest.id),
    misdated: o.marks.misdated.has(manifest.id) && Math.max(manifest.takenMs, publishedMs) > o.nowMs,
  }));
}

export interface RotatePlan {
  readonly plan: RetainPlan;
  readonly snapshots: readonly RetainedSnapshot[];
}

export function planRotation(
  catalog: Catalog,
  o: {
    settings: SnapshotSettings;
    marks: Marks;
    checks: Checks;
    facts: Omit<RotationFacts, 'damaged'>;
    /** By something else than packs and snapshots. */
    isDamaged?: boolean;
  },
): RotatePlan {
  const { settings, marks, checks, facts } = o;
  const standing = standingDamage(marks, catalog.opened, checks);
  const damaged = new Set(standing.map(({ sha256 }) => sha256));
  const snapshots = retained(catalog.opened, {
    checks,
    marks,
    maxAgeMs: settings.verify.maxAge,
    nowMs: facts.nowMs,
    damaged,
  });
  const { minAge, ...counts } = settings.retain;
  // What a mark said that does not open may have been a pin, or damage.
  const unknown = catalog.problems.length + marks.problems.length;
  const plan = planRetention(
    snapshots,
    { ...counts, minAgeMs: minAge },
    { ...facts, damaged: damaged.size > 0 || unknown > 0 || o.isDamaged === true },
  );
  return { plan, snapshots };
}

export interface Expired {
  readonly id: string;
  readonly reason: string;
}

/** Moves what the plan expires to the trash, then shows what is left under the names that operators know. */
export async function carryOutRotation(
  { plan, snapshots }: RotatePlan,
  o: {
    host: Host;
    repository: Repository;
    settings: SnapshotSettings;
    assertLocked: () => Promise<void>;
  },
): Promise<Expired[]> {
  const { place } = o.repository;
  const expired: Expired[] = [];
  for (const { id, decision, reasons } of plan.decisions) {
    if (decision === 'keep') continue;
    await o.assertLocked();
    await moveToTrash(o.host, place, id);
    expired.push({ id, reason: reasons.map(({ text }) => text).join('; ') });
  }
  const gone = new Set(expired.map(({ id }) => id));
  await o.assertLocked();
  await rebuildViews(
    o.host,
    place,
    viewsOf(
      snapshots.filter(({ id }) => !gone.has(id)),
      o.settings.retain,
    ),
  );
  return expired;
}

/** Marks whose last word a manifest has taken over, or on which nothing hangs any more. */
export async function letGoOfMarks(
  marks: Marks,
  { opened, problems }: Catalog,
  o: { host: Host; repository: Repository; assertLocked: () => Promise<void> },
): Promise<void> {
  const noted = new Map<string, number>();
  for (const { manifest } of opened) {
    for (const { sha256, checkedMs } of manifest.packs) {
      const before = noted.get(sha256) ?? 0;
      noted.set(sha256, isFuture(checkedMs, marks.readMs) ? before : Math.max(checkedMs, before));
    }
  }
  const snapshots = new Set([...opened.map(({ manifest }) => manifest.id), ...problems.map(({ id }) => id)]);
  // What a manifest that does not open says of its packs is not known.
  const unknownMs = problems.length > 0 ? 0 : undefined;
  const notedMs = (sha256: string): number | undefined => noted.get(sha256) ?? unknownMs;
  const files = marks.files.filter(({ type, atMs }) => type !== 'checked' || !isFuture(atMs, marks.readMs));
  const obsolete = obsoleteMarks(files, { snapshots, notedMs, nowMs: marks.readMs });
  await o.assertLocked();
  await sweepMarks(o.host, o.repository, obsolete);
}

export function assertNewest(plan: RetainPlan, newest: string): void {
  const decision = plan.decisions.find(({ id }) => id === newest);
  if (decision?.decision === 'keep') return;
  throw new VarveError('failed', `the plan would expire the snapshot that was just published, ${newest}`);
}
