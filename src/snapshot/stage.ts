/** Everything of the next snapshot but its manifest, in the staging folder. */
import { availableParallelism } from 'node:os';
import { BlockPool } from '../crypto/crypto.ts';
import type { Host } from '../host/host.ts';
import { listIncarnations, PartitionLog, readCoverage, type PartitionKey } from '../local/local.ts';
import {
  packsFolder,
  readIndex,
  sharesPacks,
  snapshotFolder,
  snapshotIdAt,
  stagingFolder,
  timeOfSnapshotId,
  type IncarnationRow,
  type Pack,
  type PartitionRow,
} from '../repository/repository.ts';
import { planArchive, takenAt, type Hold } from '../schedule/schedule.ts';
import type { Catalog } from './base.ts';
import { carryPacks, keepsForever, type Carried } from './carry.ts';
import type { Ground } from './ground.ts';
import { readKeptUntil, writeKeptUntil } from './kept-until.ts';
import { archiveGroups, sealPacks, type NewPacks } from './packs.ts';
import { isUnchanged, segmentsToSeal, type CutPartition, type SegmentToSeal } from './plan.ts';
import { linkPacks, type LinkedPacks } from './link.ts';
import { addSealed, sealedFrom } from './rows.ts';

export interface Staged {
  readonly id: string;
  readonly takenMs: number;
  readonly seq: number;
  /** The rows that the next manifest builds on. */
  readonly known: readonly IncarnationRow[];
  readonly cut: readonly CutPartition[];
  readonly firstSeen: ReadonlyMap<string, string | undefined>;
  readonly carried: Carried;
  readonly links: LinkedPacks;
  readonly fresh: NewPacks;
  readonly warnings: readonly string[];
}

const threadsMax = 4;
/** Ids are in the order of their seqs, even where the clock went back. */
const idStepMs = 1000;

export async function stage(ground: Ground, holds: readonly Hold[]): Promise<Staged> {
  const { ports, repository, base, beganMs, targetNowMs } = ground;
  const { host } = ports;
  const id = nextSnapshotId(host, ground.catalog, beganMs);
  const seq = (base?.manifest.seq ?? 0) + 1;
  await host.disk.makeFolder(stagingFolder(repository.place, id));
  const clocks = { nowMs: beganMs, targetNowMs };
  const carried = await carry(ground, { holds, ...clocks });
  const warnings: string[] = [];
  const links = await link(ground, { id, packs: carried.packs, warnings });
  const known = await knownRows(ground, links);
  const { cut, segments: found, firstSeen } = await planSegments(ground, known);
  const segments = withoutExpired(ground, holds, found);
  const fresh = await seal(ground, { id, seq, segments });
  const takenMs = takenAt(beganMs, base?.manifest.takenMs);
  return { id, takenMs, seq, known, cut, firstSeen, carried, links, fresh, warnings };
}

export function nextSnapshotId(
  { random, clock }: Pick<Host, 'random' | 'clock'>,
  { opened }: Pick<Catalog, 'opened'>,
  nowMs = clock.nowMs(),
): string {
  const latestMs = Math.max(0, ...opened.map(({ manifest }) => timeOfSnapshotId(manifest.id)));
  return snapshotIdAt(random, Math.max(nowMs, latestMs + idStepMs));
}

/** What was seen of old packs is noted for the next cycle; a local disk that is full keeps nothing from being published. */
async function carry(
  { ports, repository, base, settings, request }: Ground,
  o: { holds: readonly Hold[]; nowMs: number; targetNowMs: number },
): Promise<Carried> {
  const { host } = ports;
  const { archive } = settings;
  if (keepsForever(archive) || o.holds.length > 0)
    return await carryPacks(base, archive, { host, repository, ...o });
  const known = await readKeptUntil(host, request.localFolder, archive);
  const carried = await carryPacks(base, archive, { host, repository, known, ...o });
  const until = carried.keptUntil;
  const isSame = until.size === known.size && [...until.keys()].every((sha256) => known.has(sha256));
  if (!isSame) await writeKeptUntil(host, request.localFolder, { archive, until }).catch(() => undefined); // it is looked at again
  return carried;
}

async function link(
  { ports, repository, base }: Ground,
  { id, packs, warnings }: { id: string; packs: readonly Pack[]; warnings: string[] },
): Promise<LinkedPacks> {
  if (base === undefined) return { linked: [], missing: [], copied: [] };
  const { host, emit, signal, onStep = (): void => undefined } = ports;
  const warn = (message: string): void => {
    warnings.push(message);
    emit({ type: 'cycle-warned', message });
  };
  const previous = base.manifest.id;
  const found = await linkPacks(packs, { id, previous }, { host, repository, signal, onStep, warn });
  for (const { pack, problem } of found.missing) emit({ type: 'pack-damaged', pack: pack.path, problem });
  return found;
}

/** The last manifest's rows; where packs were lost, only what the others hold, so that local files fill the hole. */
async function knownRows(
  { ports, repository, base }: Ground,
  { linked, missing }: LinkedPacks,
): Promise<readonly IncarnationRow[]> {
  const rows = base?.manifest.incarnations ?? [];
  if (base === undefined || missing.length === 0) return rows;
  const snapshot = snapshotFolder(repository.place, base.manifest.id);
  const held = new Map<string, PartitionRow>();
  for (const pack of linked) {
    const { segments } = await readIndex(ports.host.disk, repository, { snapshot, pack });
    for (const segment of segments) {
      const key = `${segment.topicId}/${segment.partition}`;
      const { branch, base: from, next: to, records, rawBytes, firstMs, lastMs } = segment;
      const row = held.get(key);
      held.set(key, {
        partition: segment.partition,
        coverage: { ranges: [], epochs: [], gaps: [], truncations: [] },
        sealed: addSealed(row?.sealed ?? [], { branch, from, to }),
        records: (row?.records ?? 0) + records,
        rawBytes: (row?.rawBytes ?? 0) + rawBytes,
        firstMs: row === undefined || row.firstMs === null || firstMs < row.firstMs ? firstMs : row.firstMs,
        lastMs: row === undefined || row.lastMs === null || lastMs > row.lastMs ? lastMs : row.lastMs,
      });
    }
  }
  const nothing = { sealed: [], records: 0, rawBytes: 0, firstMs: null, lastMs: null };
  return rows.map((row) => ({
    ...row,
    partitions: row.partitions.map((partition) => ({
      ...partition,
      ...nothing,
      ...held.get(`${row.topicId}/${partition.partition}`),
      coverage: partition.coverage,
    })),
  }));
}

/** What policy has let go of is not sealed again from files that are still there. */
function withoutExpired(
  { settings, beganMs, targetNowMs, base }: Ground,
  holds: readonly Hold[],
  segments: readonly SegmentToSeal[],
): readonly SegmentToSeal[] {
  const kept = segments.map(({ path, month, key }) => ({ path, month, topics: [key.topic] }));
  const { expire } = planArchive(kept, settings.archive, { nowMs: beganMs, targetNowMs, holds: [] });
  const gone = new Set(expire.map(({ path }) => path));
  const wentBefore = ({ key, branch, base: from }: SegmentToSeal): boolean => {
    const ranges = base?.manifest.expired.filter(
      ({ topicId, partition }) => topicId === key.topicId && partition === key.partition,
    );
    return sealedFrom(ranges ?? [], branch, from) !== undefined;
  };
  // In doubt nothing more is let go of; what went before does not come back for it.
  return segments.filter((segment) => !gone.has(segment.path) || (holds.length > 0 && !wentBefore(segment)));
}

async function planSegments(
  ground: Ground,
  known: readonly IncarnationRow[],
): Promise<{ cut: CutPartition[]; segments: SegmentToSeal[]; firstSeen: Map<string, string | undefined> }> {
  const { host } = ground.ports;
  const { localFolder } = ground.request;
  const rows = new Map<string, PartitionRow>();
  for (const { topicId, partitions } of known)
    for (const row of partitions) rows.set(`${topicId}/${row.partition}`, row);
  const held = new Map(ground.request.cut.map((cut) => [`${cut.topicId}/${cut.partition}`, cut]));
  const busy = new Set(ground.request.busy.map(({ topicId, partition }) => `${topicId}/${partition}`));
  const cut: CutPartition[] = [];
  const segments: SegmentToSeal[] = [];
  const firstSeen = new Map<string, string | undefined>();
  for (const incarnation of await listIncarnations(host.disk, localFolder)) {
    const { topic, topicId } = incarnation;
    firstSeen.set(topicId, incarnation.firstSeen);
    for (const partition of incarnation.partitions) {
      ground.ports.signal.throwIfAborted();
      const key = `${topicId}/${partition}`;
      if (busy.has(key)) continue;
      const row = rows.get(key);
      const at = held.get(key) ?? (await notHeld(ground, { topic, topicId, partition }, row));
      if (at === undefined) continue;
      cut.push(at);
      segments.push(...(await segmentsToSeal(host.disk, localFolder, { cut: at, row })));
    }
  }
  return { cut, segments, firstSeen };
}

/** A partition that nobody writes. What its journal says that a snapshot holds needs no look at the files. */
async function notHeld(
  ground: Ground,
  key: PartitionKey,
  row: PartitionRow | undefined,
): Promise<CutPartition | undefined> {
  const coverage = await readCoverage(ground.ports.host.disk, ground.request.localFolder, key);
  if (coverage !== undefined && row !== undefined && isUnchanged(coverage, row)) return { ...key, coverage };
  return await recovered(ground, key);
}

/** What a start of the daemon would find in its files. */
async function recovered({ ports, request }: Ground, key: PartitionKey): Promise<CutPartition | undefined> {
  const { host } = ports;
  const options = {
    segmentBytes: 1,
    onRefusal: async (error: unknown): Promise<void> => {
      throw error;
    },
  };
  await using log = await PartitionLog.open(request.localFolder, key, host, options);
  for (const repair of log.repairs) {
    if (repair.kind === 'damaged-file')
      ports.emit({ type: 'segment-damaged', ...key, path: repair.path, problem: repair.problem });
  }
  const coverage =
    log.coverage.ranges.length > 0 ? log.coverage : await readCoverage(host.disk, request.localFolder, key);
  return coverage === undefined || coverage.ranges.length === 0 ? undefined : { ...key, coverage };
}

async function seal(
  { ports, repository, settings }: Ground,
  { id, seq, segments }: { id: string; seq: number; segments: readonly SegmentToSeal[] },
): Promise<NewPacks> {
  if (segments.length === 0) return { packs: [], segments: [], damaged: [] };
  const { host, signal, emit } = ports;
  let totalBytes = 0;
  for (const { path } of segments) totalBytes += (await host.disk.stat(path))?.byteLength ?? 0;
  let doneBytes = 0;
  const onSealed = (rawBytes: number): void => {
    doneBytes += rawBytes;
    emit({ type: 'cycle-progress', doneBytes, totalBytes });
  };
  await using own = new AsyncDisposableStack();
  const threads = Math.min(threadsMax, availableParallelism());
  const pool = ports.pool ?? own.use(new BlockPool({ threads, level: settings.repository.level }));
  const isShared = await sharesPacks(host.disk, repository.place);
  const plan = {
    staging: stagingFolder(repository.place, id),
    seq,
    plainNames: settings.repository.plainNames,
    shared: isShared ? packsFolder(repository.place) : undefined,
    archiveGroupOf: archiveGroups(settings),
  };
  const fresh = await sealPacks(segments, plan, { host, repository, pool, signal, onSealed });
  for (const { segment, problem } of fresh.damaged) {
    const { topic, partition } = segment.key;
    emit({ type: 'segment-damaged', topic, partition, path: segment.path, problem });
  }
  return fresh;
}
