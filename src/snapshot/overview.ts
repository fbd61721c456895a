/** What is in a repository, for `list`, `info` and `check`: read only, without a lock. */
import type { Host } from '../host/host.ts';
import {
  listInstances,
  lookAtKeys,
  readMarks,
  sharesPacks,
  slotFiles,
  type DrillMark,
  type KeyProblem,
  type Manifest,
  type Marks,
  type Memory,
  type OpenedHead,
  type Repository,
} from '../repository/repository.ts';
import { viewsOf } from '../schedule/schedule.ts';
import { findRollback, openCatalog } from './base.ts';
import type { SnapshotSettings } from './request.ts';
import { Checks, retained, standingDamage } from './rotate.ts';

export interface SnapshotRow {
  readonly instance: string;
  readonly id: string;
  readonly seq: number;
  readonly takenMs: number;
  readonly publishedMs: number;
  readonly cluster: string;
  readonly topics: number;
  readonly partitions: number;
  readonly records: number;
  readonly rawBytes: number;
  /** Of all packs, most of which other snapshots share. */
  readonly bytes: number;
  /** Of the packs that came with it. */
  readonly newBytes: number;
  readonly verified: boolean;
  /** The moment since which everything in it was read. */
  readonly verifiedMs: number;
  readonly pinned: boolean;
  readonly views: readonly string[];
}

export interface ProblemRow {
  readonly instance: string;
  readonly id: string;
  readonly problem: string;
}

export interface DrillRow extends DrillMark {
  readonly instance: string;
}

export interface Overview {
  readonly repository: string;
  readonly clusters: readonly string[];
  readonly created: string;
  readonly snapshots: readonly SnapshotRow[];
  readonly problems: readonly ProblemRow[];
  /** The newest last, instance by instance. */
  readonly drills: readonly DrillRow[];
  readonly freeBytes: number;
  /** Instances whose daemon is gone for good, as somebody said, and has published nothing since. */
  readonly retired: readonly string[];
  /** Instances whose snapshots share one folder of packs. */
  readonly sharing: readonly string[];
  /** Under how many keys and passphrases it opens. */
  readonly keySlots: number;
  /** What is wrong with `keys/`, by itself and against the copy of it in the local folder. */
  readonly keyProblems: readonly KeyProblem[];
  readonly reads: PackReads;
}

/** When packs were last read again, by a cycle or a verification. */
export interface PackReads {
  readonly lastMs: number | undefined;
  /** The last time that found nothing wrong. */
  readonly cleanMs: number | undefined;
}

/** Newest last, instance by instance. `open` gives the repository as one instance sees it; `memory` is what was noted of it. */
export async function overviewOf(
  host: Host,
  settings: SnapshotSettings,
  o: {
    instance: string | undefined;
    memory: Memory | undefined;
    localFolder?: string | undefined;
    open: (instance: string) => Promise<Repository>;
  },
): Promise<Overview> {
  const folder = settings.repository.dir ?? '';
  const first = await o.open(o.instance ?? settings.instance);
  const remembered = o.memory === undefined || o.memory.newest === null ? [] : [o.memory.instance];
  const there = o.instance === undefined ? await listInstances(host.disk, folder) : [o.instance];
  const instances = o.instance === undefined ? [...new Set([...there, ...remembered])].toSorted() : there;
  const snapshots: SnapshotRow[] = [];
  const problems: ProblemRow[] = [];
  const drills: DrillRow[] = [];
  const reads: PackReads[] = [];
  const sharing: string[] = [];
  const retired: string[] = [];
  for (const instance of instances) {
    const found = await rowsOf(host, await o.open(instance), { settings, memory: o.memory });
    snapshots.push(...found.snapshots);
    problems.push(...found.problems);
    drills.push(...found.drills);
    reads.push(found.reads);
    if (found.isRetired) retired.push(instance);
    if (await sharesPacks(host.disk, { folder, instance })) sharing.push(instance);
  }
  const { repository, clusters, created } = first.identity;
  return {
    repository,
    clusters,
    created,
    snapshots,
    problems,
    drills,
    freeBytes: await host.disk.freeBytes(folder),
    retired,
    sharing,
    keySlots: (await slotFiles(host.disk, folder)).length,
    keyProblems: await lookAtKeys(host.disk, {
      folder,
      repository,
      opened: first,
      localFolder: o.localFolder,
    }),
    reads: {
      lastMs: latest(reads.map(({ lastMs }) => lastMs)),
      cleanMs: latest(reads.map(({ cleanMs }) => cleanMs)),
    },
  };
}

async function rowsOf(
  host: Host,
  repository: Repository,
  { settings, memory }: { settings: SnapshotSettings; memory: Memory | undefined },
): Promise<Pick<Overview, 'snapshots' | 'problems' | 'drills' | 'reads'> & { isRetired: boolean }> {
  const { instance } = repository.place;
  const catalog = await openCatalog(host.disk, repository);
  const marks = await readMarks(host, repository);
  const checks = new Checks(catalog.opened, marks);
  const damaged = new Set(standingDamage(marks, catalog.opened, checks).map(({ sha256 }) => sha256));
  const states = retained(catalog.opened, {
    checks,
    marks,
    maxAgeMs: settings.verify.maxAge,
    nowMs: host.clock.nowMs(),
    damaged,
  });
  const views = Map.groupBy(viewsOf(states, settings.retain), ({ snapshotId }) => snapshotId);
  const snapshots = catalog.opened.map((opened, index): SnapshotRow => {
    const { id } = opened.manifest;
    const state = states[index];
    return {
      instance,
      ...sizesOf(opened),
      verified: (state?.verified ?? false) && (state?.good ?? false),
      verifiedMs: checks.verifiedMs(opened.manifest),
      pinned: marks.pinned.has(id),
      views: (views.get(id) ?? []).map(({ name }) => name),
    };
  });
  const whose = { repository: repository.identity.repository, instance };
  const rollback = findRollback(catalog, memory, whose);
  const problems = [
    ...(rollback === undefined
      ? []
      : [{ instance, id: memory?.newest?.id ?? '', problem: rollback.message }]),
    ...catalog.problems.map(({ id, error }) => ({ instance, id, problem: error.message })),
    ...catalog.opened.flatMap(({ manifest }) =>
      manifest.packs
        .filter(({ sha256 }) => damaged.has(sha256))
        .map(({ path }) => ({ instance, id: manifest.id, problem: `pack ${path} is marked as damaged` })),
    ),
    ...marks.problems.map((problem) => ({ instance, id: 'marks', problem })),
  ];
  const drills = marks.drills.map((drill) => ({ instance, ...drill }));
  const newest = catalog.opened.at(-1)?.manifest.id;
  const isRetired = newest !== undefined && marks.retiredAt === newest;
  return { snapshots, problems, drills, reads: readsOf(marks, catalog.opened), isRetired };
}

/** A manifest takes over when each pack was read last, and the marks of that go. */
function readsOf({ checked, damaged }: Marks, opened: readonly OpenedHead[]): PackReads {
  const taken = opened.flatMap(({ manifest }) => manifest.packs.map(({ checkedMs }) => checkedMs));
  const times = checked.map(({ atMs }) => atMs);
  const bad = new Set(damaged.map(({ atMs }) => atMs));
  const clean = [...times, ...taken].filter((atMs) => !bad.has(atMs));
  return { lastMs: latest([...clean, ...bad]), cleanMs: latest(clean) };
}

function latest(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce(
    (best, at) => (best === undefined || (at !== undefined && at > best) ? at : best),
    undefined,
  );
}

function sizesOf({
  manifest,
  publishedMs,
}: OpenedHead): Omit<SnapshotRow, 'instance' | 'verified' | 'verifiedMs' | 'pinned' | 'views'> {
  const { id, seq, takenMs, cluster, packs, totals } = manifest;
  const own = `/${String(seq).padStart(10, '0')}-`;
  return {
    id,
    seq,
    takenMs,
    publishedMs,
    cluster,
    ...totals,
    bytes: packs.reduce((sum, pack) => sum + pack.bytes, 0),
    newBytes: packs.filter(({ path }) => path.includes(own)).reduce((sum, pack) => sum + pack.bytes, 0),
  };
}

/** Which snapshot an operator means: its id, a view such as `daily.0`, `latest`, or a moment. */
export function chooseSnapshot(
  snapshots: readonly SnapshotRow[],
  wanted: { readonly text: string; readonly timeMs: number | undefined },
): SnapshotRow | undefined {
  if (wanted.text === 'latest') return snapshots.at(-1);
  if (wanted.timeMs !== undefined) {
    const { timeMs } = wanted;
    return snapshots.findLast(({ takenMs }) => takenMs <= timeMs);
  }
  return snapshots.find(({ id, views }) => id === wanted.text || views.includes(wanted.text));
}

export interface TopicRow {
  readonly topic: string;
  readonly topicId: string;
  readonly firstSeen: string | null;
  readonly isExpected: boolean;
  readonly partitions: number;
  readonly records: number;
  readonly rawBytes: number;
  readonly firstMs: bigint | null;
  readonly lastMs: bigint | null;
  readonly gaps: number;
  readonly missingOffsets: bigint;
}

/** One row per incarnation: what can be had back of it. */
export function topicsOf(manifest: Manifest): TopicRow[] {
  return manifest.incarnations
    .map(({ topic, topicId, firstSeen, isExpected, partitions }) => ({
      topic,
      topicId,
      firstSeen,
      isExpected,
      partitions: partitions.length,
      records: partitions.reduce((sum, row) => sum + row.records, 0),
      rawBytes: partitions.reduce((sum, row) => sum + row.rawBytes, 0),
      firstMs: extreme(
        partitions.map((row) => row.firstMs),
        (a, b) => a < b,
      ),
      lastMs: extreme(
        partitions.map((row) => row.lastMs),
        (a, b) => a > b,
      ),
      gaps: partitions.reduce((sum, row) => sum + row.coverage.gaps.length, 0),
      missingOffsets: partitions
        .flatMap((row) => row.coverage.gaps)
        .reduce((sum, { from, to }) => sum + to - from, 0n),
    }))
    .toSorted((a, b) => (a.topic === b.topic ? 0 : a.topic < b.topic ? -1 : 1));
}

function extreme(
  values: readonly (bigint | null)[],
  isBetter: (a: bigint, b: bigint) => boolean,
): bigint | null {
  return values.reduce<bigint | null>(
    (best, value) => (value !== null && (best === null || isBetter(value, best)) ? value : best),
    null,
  );
}
