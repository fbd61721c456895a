/** What a repository holds of one instance, as layers: each topic's months, and why each snapshot stays. Read only. */
import type { Host } from '../host/host.ts';
import {
  readIndex,
  readMarks,
  snapshotFolder,
  type Manifest,
  type Memory,
  openBase,
  type OpenedManifest,
  type Repository,
} from '../repository/repository.ts';
import { parseMonth, type Month } from '../schedule/schedule.ts';
import { openCatalog } from './base.ts';
import { overviewOf, topicsOf, type Overview, type SnapshotRow, type TopicRow } from './overview.ts';
import type { SnapshotSettings } from './request.ts';
import { Checks, planRotation } from './rotate.ts';

export interface Strata extends Omit<Overview, 'snapshots' | 'clusters' | 'created'> {
  /** Newest last. */
  readonly snapshots: readonly LayeredSnapshot[];
  /** As the newest snapshot has them. */
  readonly topics: readonly LayeredTopic[];
  /** What of it could not be had, in words. */
  readonly unread: readonly string[];
  /** For the next look. */
  readonly layers: Layers;
}

export interface LayeredSnapshot extends SnapshotRow {
  /** Why it stays, or why the next cycle lets it go. */
  readonly reasons: readonly string[];
}

export interface LayeredTopic extends Omit<TopicRow, 'gaps' | 'partitions'> {
  readonly months: readonly { readonly month: Month; readonly bytes: number }[];
  readonly partitions: readonly {
    readonly partition: number;
    /** Where what was ever saved begins, and behind the last offset that is held. */
    readonly from: bigint;
    readonly to: bigint;
    readonly gaps: readonly { readonly from: bigint; readonly to: bigint; readonly at: string }[];
  }[];
}

export async function strataOf(
  host: Host,
  settings: SnapshotSettings,
  o: {
    memory: Memory | undefined;
    localFolder?: string | undefined;
    repository: Repository;
    known?: Layers | undefined;
  },
): Promise<Strata> {
  const { repository, memory, localFolder } = o;
  const { instance } = settings;
  const open = async (): Promise<Repository> => repository;
  const overview = await overviewOf(host, settings, { instance, memory, localFolder, open });
  const catalog = await openCatalog(host.disk, repository);
  const marks = await readMarks(host, repository);
  const checks = new Checks(catalog.opened, marks);
  const nowMs = host.clock.nowMs();
  const facts = { published: true, nowMs, targetNowMs: nowMs, vanishedTopics: [], shrunk: false };
  const { plan } = planRotation(catalog, { settings, marks, checks, facts });
  const reasons = new Map(
    plan.decisions.map((decision) => [decision.id, decision.reasons.map(({ text }) => text)]),
  );
  const newest = await openBase(host.disk, repository, catalog.opened.at(-1));
  const found =
    newest === undefined
      ? { layers: new Map(), unread: [] }
      : await layersOf(host, repository, newest, o.known ?? new Map());
  return {
    ...overview,
    snapshots: overview.snapshots.map((row) => ({ ...row, reasons: reasons.get(row.id) ?? [] })),
    topics: newest === undefined ? [] : layered(newest.manifest, found.layers),
    ...found,
  };
}

/** What the indexes of a month's packs say together. */
interface Layer {
  /** By their digests. */
  readonly packs: ReadonlySet<string>;
  /** Of each topic id. */
  readonly bytes: ReadonlyMap<string, number>;
}

export type Layers = ReadonlyMap<Month, Layer>;

/** Pack by pack: one index at a time is in memory, and none is read again whose month has only grown since. */
async function layersOf(
  { disk }: Pick<Host, 'disk'>,
  repository: Repository,
  { manifest }: OpenedManifest,
  known: Layers,
): Promise<{ layers: Layers; unread: string[] }> {
  const snapshot = snapshotFolder(repository.place, manifest.id);
  const layers = new Map<Month, Layer>();
  const unread: string[] = [];
  for (const [month, inMonth] of Map.groupBy(manifest.packs, ({ path }) => parseMonth(path.slice(0, 7)))) {
    if (month === undefined) continue;
    const there = new Set(inMonth.map(({ sha256 }) => sha256));
    const before = known.get(month);
    const isGrown = before !== undefined && before.packs.isSubsetOf(there);
    const packs = new Set(isGrown ? before.packs : []);
    const bytes = new Map(isGrown ? before.bytes : []);
    for (const pack of inMonth.filter(({ sha256 }) => !packs.has(sha256))) {
      try {
        const { segments } = await readIndex(disk, repository, { snapshot, pack });
        for (const { topicId, rawBytes } of segments)
          bytes.set(topicId, (bytes.get(topicId) ?? 0) + rawBytes);
        packs.add(pack.sha256);
      } catch (error) {
        unread.push(error instanceof Error ? error.message : String(error)); // a layer less is drawn, and it is said
      }
    }
    layers.set(month, { packs, bytes });
  }
  return { layers, unread };
}

function layered(manifest: Manifest, layers: Layers): LayeredTopic[] {
  const months = [...layers].toSorted(([a], [b]) => a - b);
  const rows = new Map(manifest.incarnations.map((row) => [row.topicId, row.partitions]));
  return topicsOf(manifest).map((topic) => ({
    ...topic,
    months: months.flatMap(([month, layer]) => {
      const bytes = layer.bytes.get(topic.topicId);
      return bytes === undefined ? [] : { month, bytes };
    }),
    partitions: (rows.get(topic.topicId) ?? []).map(({ partition, coverage }) => ({
      partition,
      from: coverage.ranges[0]?.from ?? 0n,
      to: coverage.ranges.at(-1)?.to ?? 0n,
      gaps: coverage.gaps,
    })),
  }));
}
