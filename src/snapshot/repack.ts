/**
 * The newest snapshot once more, with fewer and larger packs. It is published like any other: a process that is killed
 * leaves nothing but a staging folder, and the snapshots before keep the packs that they have.
 */
import type { Stretch } from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import {
  acquireLock,
  packsFolder,
  sharesPacks,
  readIndex,
  readMarks,
  readMemory,
  rebuildViews,
  Repository,
  secretOf,
  snapshotFolder,
  stagingFolder,
  sweepStaging,
  targetNowMs,
  writeMark,
  writeMemory,
  type Manifest,
  asHead,
  openBase,
  type OpenedManifest,
  type Pack,
  type RepositoryLock,
} from '../repository/repository.ts';
import { monthAt, viewsOf, type Month } from '../schedule/schedule.ts';
import { findRollback, openCatalog, type Catalog } from './base.ts';
import { linkPacks } from './link.ts';
import { archiveGroups, freePath, memberName, packBytesMax } from './packs.ts';
import { publish, type PublishStep } from './publish.ts';
import { copyIntoPack, WrongPack, type CopyPorts } from './repack-copy.ts';
import { costOf, isWorthRepacking, planRepack, type RepackCost, type RepackedMonth } from './repack-plan.ts';
import type { SnapshotSettings } from './request.ts';
import { Checks, planRotation, standingDamage } from './rotate.ts';
import { nextSnapshotId } from './stage.ts';
import type { VerifyProgress } from './verify.ts';

export interface RepackPorts {
  readonly host: Host;
  readonly emit: (event: VerifyProgress) => void;
  readonly signal: AbortSignal;
  readonly stretch: Stretch;
  /** Called before each named step; a test stops the process there. */
  readonly onStep?: (step: PublishStep | 'copy') => void;
}

export interface RepackRequest {
  readonly localFolder: string;
  readonly installation: string;
  readonly tool: string;
  /** Without it the plan is made, and nothing is written. */
  readonly apply: boolean;
}

export interface RepackReport extends RepackCost {
  /** The snapshot that it was planned for; null where there is none. */
  readonly base: string | null;
  /** The one that was published. */
  readonly snapshot: string | null;
  readonly warnings: readonly string[];
}

interface Found {
  readonly repository: Repository;
  readonly catalog: Catalog;
  readonly base: OpenedManifest;
  readonly checks: Checks;
  readonly plan: readonly RepackedMonth[];
}

export async function repackSnapshot(
  settings: SnapshotSettings,
  request: RepackRequest,
  ports: RepackPorts,
): Promise<RepackReport> {
  const { host, stretch } = ports;
  const place = { folder: settings.repository.dir ?? '', instance: settings.instance };
  const repository = await Repository.open(host, place, secretOf(settings.repository), { stretch });
  await using lock = request.apply ? await acquireLock(host, place, request) : undefined;
  if (lock !== undefined) await sweepStaging(host, place);
  const found = await lookForWork({ settings, request, ports, repository, nowMs: await nowOf(lock) });
  if (found === undefined) {
    return { ...costOf([], { packs: 0, olderSnapshots: 0 }), base: null, snapshot: null, warnings: [] };
  }
  const { base, catalog, plan } = found;
  const cost = costOf(plan, {
    packs: base.manifest.packs.length,
    olderSnapshots: olderWith(plan, catalog),
  });
  const report = { ...cost, base: base.manifest.id, snapshot: null, warnings: [] };
  if (lock === undefined || plan.length === 0) return report;
  await assertRoom(host, settings, cost);
  const warnings: string[] = [];
  const published = await publishRepacked(found, { cost, request, ports, lock, warnings });
  await afterwards(found, published, { settings, request, ports, lock });
  return { ...report, snapshot: published.manifest.id, warnings };

  async function nowOf(held: RepositoryLock | undefined): Promise<number> {
    const nowMs = host.clock.nowMs();
    return held === undefined ? nowMs : Math.min(nowMs, await targetNowMs(host, place));
  }
}

async function lookForWork(o: {
  settings: SnapshotSettings;
  request: RepackRequest;
  ports: RepackPorts;
  repository: Repository;
  nowMs: number;
}): Promise<Found | undefined> {
  const { settings, request, ports, repository } = o;
  const { disk } = ports.host;
  // Before the catalog: a cycle that runs beside a plan publishes first, and notes it then.
  const memory = await readMemory(ports.host, request.localFolder);
  const catalog = await openCatalog(disk, repository);
  const whose = { repository: repository.identity.repository, instance: settings.instance };
  const rollback = findRollback(catalog, memory, whose);
  if (rollback !== undefined) throw rollback;
  const marks = await readMarks(ports.host, repository);
  const checks = new Checks(catalog.opened, marks);
  assertWhole(catalog, standingDamage(marks, catalog.opened, checks).length);
  const base = await openBase(disk, repository, catalog.opened.at(-1));
  if (base === undefined) return undefined;
  const { plainNames } = settings.repository;
  const rules = {
    before: monthAt(o.nowMs),
    packBytesMax,
    archiveGroupOf: archiveGroups(settings),
    nameOf: (segment: Parameters<typeof memberName>[0]) => memberName(segment, { repository, plainNames }),
  };
  const snapshot = snapshotFolder(repository.place, base.manifest.id);
  const opened = [];
  for (const pack of base.manifest.packs.filter((one) => isWorthRepacking(one, rules))) {
    ports.signal.throwIfAborted();
    opened.push({ pack, segments: (await readIndex(disk, repository, { snapshot, pack })).segments });
  }
  return { repository, catalog, base, checks, plan: planRepack(opened, rules) };
}

function assertWhole({ problems }: Catalog, damagedPacks: number): void {
  if (problems.length === 0 && damagedPacks === 0) return;
  const what = problems[0]?.error.message ?? `${damagedPacks} packs are marked as damaged`;
  throw new VarveError('damage', `nothing is repacked in a repository that is damaged: ${what}`, {
    hint: 'run varve verify and put back what it names, then run the command again',
  });
}

function olderWith(plan: readonly RepackedMonth[], { opened }: Catalog): number {
  const old = new Set(plan.flatMap(({ packs }) => packs.map(({ sha256 }) => sha256)));
  return opened.filter(({ manifest }) => manifest.packs.some(({ sha256 }) => old.has(sha256))).length;
}

const roomBytes = 64 * 1024 * 1024;

async function assertRoom(host: Host, settings: SnapshotSettings, { writeBytes }: RepackCost): Promise<void> {
  const folder = settings.repository.dir ?? '';
  const free = await host.disk.freeBytes(folder);
  if (free >= writeBytes + roomBytes) return;
  throw new VarveError(
    'no-space',
    `${folder}: expected room for ${writeBytes + roomBytes} bytes, got ${free}: nothing was written`,
    { hint: 'make room on the target; varve expire --dry-run shows what the policy would let go of' },
  );
}

async function publishRepacked(
  { repository, catalog, base, checks, plan }: Found,
  o: {
    cost: RepackCost;
    request: RepackRequest;
    ports: RepackPorts;
    lock: RepositoryLock;
    warnings: string[];
  },
): Promise<OpenedManifest> {
  const { host, signal, onStep = (): void => undefined } = o.ports;
  const { place } = repository;
  const id = nextSnapshotId(host, catalog);
  const seq = base.manifest.seq + 1;
  const staging = stagingFolder(place, id);
  await host.disk.makeFolder(staging);
  const gone = new Set(plan.flatMap(({ packs }) => packs));
  const kept = base.manifest.packs.filter((pack) => !gone.has(pack));
  const { linked, missing } = await linkPacks(
    kept,
    { id, previous: base.manifest.id },
    { host, repository, signal, onStep, warn: (message) => o.warnings.push(message) },
  );
  const shared = (await sharesPacks(host.disk, place)) ? packsFolder(place) : undefined;
  if (missing[0] !== undefined) throw damagedPack(`pack ${missing[0].pack.path}: ${missing[0].problem}`);
  let readBytes = 0;
  const onRead = (bytes: number): void => {
    readBytes += bytes;
    o.ports.emit({ type: 'verify-progress', readBytes, totalBytes: o.cost.readBytes });
  };
  const copying = { host, repository, signal, onRead };
  const fresh: Pack[] = [];
  try {
    for (const month of plan)
      fresh.push(...(await copyMonth(month, { seq, staging, shared, base, onStep }, copying)));
  } catch (error) {
    if (!(error instanceof WrongPack)) throw error;
    await o.lock.assertHeld();
    const mark = { snapshot: base.manifest.id, type: 'damaged', atMs: host.clock.nowMs() } as const;
    await writeMark(host, repository, { ...mark, packs: [error.pack] });
    throw damagedPack(error.message);
  }
  const manifest: Manifest = {
    ...base.manifest,
    id,
    seq,
    previous: { id: base.manifest.id, digest: base.digest },
    tool: o.request.tool,
    packs: [...linked.map((pack) => ({ ...pack, checkedMs: checks.atMs(pack) })), ...fresh],
  };
  const assertLocked = async (): Promise<void> => o.lock.assertHeld();
  return await publish(manifest, { host, repository, assertLocked, onStep });
}

async function copyMonth(
  { month, into }: RepackedMonth,
  o: {
    seq: number;
    staging: string;
    shared: string | undefined;
    base: OpenedManifest;
    onStep: (step: 'copy') => void;
  },
  ports: CopyPorts,
): Promise<Pack[]> {
  const snapshot = snapshotFolder(ports.repository.place, o.base.manifest.id);
  const fresh: Pack[] = [];
  const counts = new Map<Month, number>();
  const isShared = o.shared !== undefined;
  for (const segments of into) {
    o.onStep('copy');
    const path = await freePath(month, { counts, plan: o, ports });
    fresh.push(await copyIntoPack(segments, { path, staging: o.staging, snapshot, isShared }, ports));
  }
  return fresh;
}

/** The old packs were read whole on the way; the memory and the views are those of the new snapshot. */
async function afterwards(
  { repository, catalog, plan }: Found,
  published: OpenedManifest,
  o: { settings: SnapshotSettings; request: RepackRequest; ports: RepackPorts; lock: RepositoryLock },
): Promise<void> {
  const { settings, request, lock } = o;
  const { host } = o.ports;
  const { manifest, digest } = published;
  const known = await readMemory(host, request.localFolder);
  const newest = { id: manifest.id, seq: manifest.seq, digest };
  // It was noted of this very repository, or not at all.
  if (known?.repository === manifest.repository && known.instance === manifest.instance)
    await writeMemory(host, request.localFolder, { ...known, newest });
  await lock.assertHeld();
  const nowMs = host.clock.nowMs();
  const packs = plan.flatMap((month) => month.packs);
  await writeMark(host, repository, { snapshot: manifest.id, type: 'checked', atMs: nowMs, packs });
  const marks = await readMarks(host, repository);
  const opened = [...catalog.opened, asHead(published)];
  const facts = { published: true, nowMs, targetNowMs: nowMs, vanishedTopics: [], shrunk: false };
  const checks = new Checks(opened, marks);
  const { snapshots } = planRotation({ ...catalog, opened }, { settings, marks, checks, facts });
  await rebuildViews(host, repository.place, viewsOf(snapshots, settings.retain));
}

function damagedPack(message: string): VarveError {
  return new VarveError('damage', `${message}: nothing was published`, {
    hint: 'put the pack back from another copy of the repository, run varve verify, then run the command again',
  });
}
