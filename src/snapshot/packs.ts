/** New packs: the segments of one cycle, by month, sealed into the staging folder and read back from it. */
import { dirname, join } from 'node:path';
import { topicToken, type BlockPool } from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import {
  formatIndex,
  indexMemberName,
  packPath,
  PackWriter,
  readPastCache,
  SentCheck,
  type IndexedSegment,
  type Pack,
  type ReadBack,
  type Repository,
  type WrittenPack,
} from '../repository/repository.ts';
import { monthText, type Month } from '../schedule/schedule.ts';
import type { SegmentToSeal } from './plan.ts';
import type { SnapshotSettings } from './request.ts';
import { Sealer, type DamagedSegment } from './seal.ts';

export const packBytesMax = 8 * 1024 ** 3;

export interface PackPorts {
  readonly host: Host;
  readonly repository: Repository;
  readonly pool: BlockPool;
  readonly signal: AbortSignal;
  readonly onSealed: (rawBytes: number) => void;
}

export interface PackPlan {
  /** `staging/<id>` */
  readonly staging: string;
  readonly seq: number;
  readonly plainNames: boolean;
  /** Where packs go that snapshots share; undefined where each snapshot has its own. */
  readonly shared: string | undefined;
  /** Topics with an archive rule of their own have packs of their own. */
  readonly archiveGroupOf: (topic: string) => string;
}

export interface NewPacks {
  readonly packs: readonly (Pack & { readonly index: Pack['index'] })[];
  readonly segments: readonly IndexedSegment[];
  readonly damaged: readonly DamagedSegment[];
}

/** Seals everything, syncs it, and holds what the target gives back against what was sent. */
export async function sealPacks(
  segments: readonly SegmentToSeal[],
  plan: PackPlan,
  ports: PackPorts,
): Promise<NewPacks> {
  const packs: Pack[] = [];
  const sealed: IndexedSegment[] = [];
  const damaged: DamagedSegment[] = [];
  const counts = new Map<Month, number>();
  for (const group of groupsOf(segments, plan.archiveGroupOf)) {
    const queue = [...group.segments];
    while (queue.length > 0) {
      const path = await freePath(group.month, { counts, plan, ports });
      const made = await sealPack(queue, { path, plan }, ports);
      damaged.push(...made.damaged);
      sealed.push(...made.segments);
      if (made.pack !== undefined) packs.push(made.pack);
    }
  }
  return { packs, segments: sealed, damaged };
}

/** A pack is bound to its name: where packs are shared, one that a lost snapshot of the same seq left keeps it. */
export async function freePath(
  month: Month,
  {
    counts,
    plan,
    ports,
  }: {
    counts: Map<Month, number>;
    plan: Pick<PackPlan, 'seq' | 'shared'>;
    ports: Pick<PackPorts, 'host'>;
  },
): Promise<string> {
  for (let number = counts.get(month) ?? 0; ; number += 1) {
    const path = packPath({ month: monthText(month), seq: plan.seq, number });
    const isTaken =
      plan.shared !== undefined && (await ports.host.disk.stat(join(plan.shared, path))) !== undefined;
    if (isTaken) continue;
    counts.set(month, number + 1);
    return path;
  }
}

interface Group {
  readonly month: Month;
  readonly segments: readonly SegmentToSeal[];
}

function groupsOf(segments: readonly SegmentToSeal[], archiveGroupOf: PackPlan['archiveGroupOf']): Group[] {
  const groups = new Map<string, { month: Month; segments: SegmentToSeal[] }>();
  for (const segment of segments) {
    const name = `${segment.month} ${archiveGroupOf(segment.key.topic)}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { month: segment.month, segments: [segment] });
    else group.segments.push(segment);
  }
  return [...groups.values()].toSorted((a, b) => a.month - b.month);
}

/** Which packs a topic's segments share: those of a topic with an archive rule of its own are apart. */
export function archiveGroups({ archive }: Pick<SnapshotSettings, 'archive'>): PackPlan['archiveGroupOf'] {
  return (topic) => (Object.hasOwn(archive.topics, topic) ? topic : '');
}

type MemberOf = Pick<IndexedSegment, 'topic' | 'topicId' | 'partition' | 'branch' | 'base'>;

/** Takes segments from the queue until the pack is full. Without a pack where all of them were damaged. */
async function sealPack(
  queue: SegmentToSeal[],
  { path, plan }: { path: string; plan: PackPlan },
  ports: PackPorts,
): Promise<{ pack: Pack | undefined; segments: IndexedSegment[]; damaged: DamagedSegment[] }> {
  const { host, repository } = ports;
  const file = join(plan.staging, path);
  await host.disk.makeFolder(dirname(file));
  const sealer = new Sealer(ports);
  const damaged: DamagedSegment[] = [];
  await using writer = await PackWriter.create(host.disk, file);
  const names = new Set<string>();
  while (writer.bytes < packBytesMax) {
    const segment = queue.shift();
    if (segment === undefined) break;
    const name = memberName({ ...segment, ...segment.key }, { repository, plainNames: plan.plainNames });
    if (names.has(name)) {
      queue.unshift(segment); // two copies of one offset: each in a pack of its own
      break;
    }
    names.add(name);
    const damage = await sealer.seal(segment, writer, name);
    if (damage !== undefined) damaged.push(damage);
  }
  if (sealer.segments.length === 0) {
    await writer[Symbol.asyncDispose]();
    await host.disk.removeFile(file);
    return { pack: undefined, segments: [], damaged };
  }
  const index = await sealIndex(writer, { path, segments: sealer.segments }, ports);
  const written = await writer.finish();
  const back = await readBack(host, file, written);
  const pack: Pack = {
    path,
    ...(plan.shared === undefined ? {} : { shared: true }),
    bytes: written.bytes,
    sha256: back.sha256,
    index,
    segments: sealer.segments.length,
    rawBytes: sealer.segments.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    checkedMs: host.clock.nowMs(),
    readBack: back.how,
  };
  return { pack, segments: sealer.segments, damaged };
}

export async function sealIndex(
  writer: PackWriter,
  { path, segments }: { path: string; segments: readonly IndexedSegment[] },
  { repository }: Pick<PackPorts, 'repository'>,
): Promise<Pack['index']> {
  const { identity, place } = repository;
  const raw = formatIndex({ pack: path, segments });
  const { instance } = place;
  const sealed = repository.seal(
    { kind: 'index', repository: identity.repository, instance, pack: path },
    raw,
  );
  await writer.begin(indexMemberName);
  await writer.write([sealed]);
  return await writer.end();
}

export async function readBack(host: Host, file: string, written: WrittenPack): Promise<ReadBack> {
  const check = new SentCheck(written.pieces);
  const back = await readPastCache(host.disk, file, (bytes) => check.add(bytes));
  if (back.bytes === written.bytes && check.isSame()) return back;
  throw new VarveError(
    'damage',
    `${file}: the target gives back something else than what was written (${back.bytes} of ${written.bytes} bytes)`,
    {
      hint: 'nothing was published; look at the target, its server and the network, then run the cycle again',
    },
  );
}

export function memberName(
  { topic, topicId, partition, branch, base }: MemberOf,
  o: { repository: Repository; plainNames: boolean },
): string {
  const token = o.plainNames
    ? `${topic}.${topicId}`
    : topicToken(o.repository.root, { id: topicId, name: topic });
  const suffix = branch === 0 ? '' : `.e${branch}`;
  return `${token}/${partition}/${String(base).padStart(20, '0')}${suffix}.log.zst.sealed`;
}
