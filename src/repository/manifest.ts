/**
 * What a snapshot is, as a document: sealed under the snapshot's id and seq, written last. The JSON is drawn in
 * docs/format.md; offsets are text, because JSON's numbers end before they do.
 */
import { z } from 'zod';
import { VarveError } from '../errors.ts';
import type { SavedAccess } from './access.ts';
import { headSchema, manifestSchema } from './manifest-shape.ts';

export interface Manifest extends SavedAccess {
  readonly format: 1;
  readonly id: string;
  /** One more than that of the snapshot before. */
  readonly seq: number;
  readonly previous: { readonly id: string; readonly digest: string } | null;
  readonly repository: string;
  readonly instance: string;
  readonly installation: string;
  /** Kafka's id of the cluster. */
  readonly cluster: string;
  readonly tool: string;
  /** When the cut was made, by the clock of the daemon. */
  readonly takenMs: number;
  readonly packs: readonly Pack[];
  readonly incarnations: readonly IncarnationRow[];
  /** Null where no cycle ever read them. */
  readonly groups: SavedGroups | null;
  /** What policy has let go of so far, joined: why the packs hold less than is covered. */
  readonly expired: readonly ExpiredSegment[];
}

/** What is known of a snapshot without its incarnations and groups: of thousands of topics those are nearly all. */
export interface ManifestHead extends Pick<
  Manifest,
  | 'format'
  | 'id'
  | 'seq'
  | 'previous'
  | 'repository'
  | 'instance'
  | 'installation'
  | 'cluster'
  | 'tool'
  | 'takenMs'
  | 'packs'
> {
  readonly totals: Totals;
}

/** Of all incarnations. */
export interface Totals {
  readonly topics: number;
  readonly partitions: number;
  readonly records: number;
  readonly rawBytes: number;
}

export interface Pack {
  /** `<YYYY-MM>/<seq, 10 digits>-<n>.tar`, below the snapshot's folder. */
  readonly path: string;
  /** It lies in the instance's `packs/`, where every snapshot that has it finds it, and not below its snapshot's folder. */
  readonly shared?: true | undefined;
  readonly bytes: number;
  readonly sha256: string;
  /** Where `index.sealed` lies in it. */
  readonly index: { readonly position: number; readonly bytes: number };
  readonly segments: number;
  readonly rawBytes: number;
  /** When all of its bytes were last read and were the right ones, by the clock of the daemon. */
  readonly checkedMs: number;
  /** How the reading back after it was written went around the page cache. */
  readonly readBack: string;
}

export interface IncarnationRow {
  readonly topic: string;
  readonly topicId: string;
  readonly firstSeen: string | null;
  /** The cluster had it, and nobody has accepted yet that it went. */
  readonly isExpected: boolean;
  /** As the cluster told last; null where it never did. */
  readonly settings: TopicSettings | null;
  readonly partitions: readonly PartitionRow[];
}

export interface TopicSettings {
  readonly readMs: number;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** What differs from the cluster's defaults. */
  readonly configs: readonly (readonly [name: string, value: string])[];
}

export interface PartitionRow {
  readonly partition: number;
  readonly coverage: CoverageRow;
  /** Which offsets of which branch the packs hold, in order. */
  readonly sealed: readonly SealedRange[];
  readonly records: number;
  readonly rawBytes: number;
  /** Of the first batch, and the largest of all; null where no batch is held. */
  readonly firstMs: bigint | null;
  readonly lastMs: bigint | null;
}

export interface SealedRange {
  readonly branch: number;
  readonly from: bigint;
  readonly to: bigint;
}

/** As in the journal of the local folder. */
export interface CoverageRow {
  readonly ranges: readonly { readonly from: bigint; readonly to: bigint }[];
  readonly epochs: readonly { readonly epoch: number; readonly from: bigint }[];
  readonly gaps: readonly { readonly from: bigint; readonly to: bigint; readonly at: string }[];
  readonly truncations: readonly { readonly offset: bigint; readonly epoch: number; readonly at: string }[];
}

export interface SavedGroups {
  readonly readMs: number;
  readonly groups: readonly SavedGroup[];
}

export interface SavedGroup {
  readonly group: string;
  readonly protocolType: string;
  readonly offsets: readonly SavedOffset[];
}

export interface SavedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface ExpiredSegment extends SealedRange {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

export function formatManifest(manifest: Manifest): Buffer {
  const { incarnations, groups, expired } = manifest;
  return Buffer.from(
    JSON.stringify({
      ...headOf(manifest), // first, so that it can be read alone
      ...manifest,
      incarnations: incarnations.map((row) => ({ ...row, partitions: row.partitions.map(partitionJson) })),
      groups: groups && savedGroupsJson(groups),
      expired: expired.map((at) => [
        at.topic,
        at.topicId,
        at.partition,
        at.branch,
        String(at.from),
        String(at.to),
      ]),
    }),
  );
}

export function savedGroupsJson({ readMs, groups }: SavedGroups): object {
  return {
    readMs,
    groups: groups.map(({ group, protocolType, offsets }) => ({
      group,
      protocolType,
      offsets: offsets.map((at) => [at.topic, at.partition, String(at.offset), at.leaderEpoch, at.metadata]),
    })),
  };
}

export function headOf(manifest: Manifest): ManifestHead {
  const { format, id, seq, previous, repository, instance, installation, cluster, tool, takenMs, packs } =
    manifest;
  const head = { format, id, seq, previous, repository, instance, installation, cluster, tool, takenMs };
  const totals = { topics: manifest.incarnations.length, partitions: 0, records: 0, rawBytes: 0 };
  for (const { partitions } of manifest.incarnations) {
    totals.partitions += partitions.length;
    for (const { records, rawBytes } of partitions) {
      totals.records += records;
      totals.rawBytes += rawBytes;
    }
  }
  return { ...head, totals, packs };
}

/** No text of JSON holds this but a key: within text the quotes are escaped. */
const behindHead = ',"incarnations":[';

/** What stands before the incarnations, where that is the head; manifests of the first versions are read whole for it. */
export function parseHead(raw: Buffer, id: string): ManifestHead {
  const end = raw.indexOf(behindHead);
  if (end === -1) return headOf(parseManifest(raw, id));
  let json: unknown;
  try {
    json = JSON.parse(`${raw.toString('utf8', 0, end)}}`);
  } catch {
    json = undefined; // the whole tells what is wrong
  }
  const parsed = headSchema.safeParse(json);
  return parsed.success && parsed.data.id === id ? parsed.data : headOf(parseManifest(raw, id));
}

function partitionJson(row: PartitionRow): unknown {
  const { ranges, epochs, gaps, truncations } = row.coverage;
  return {
    ...row,
    coverage: {
      ranges: ranges.map(({ from, to }) => [String(from), String(to)]),
      epochs: epochs.map(({ epoch, from }) => [epoch, String(from)]),
      gaps: gaps.map(({ from, to, at }) => [String(from), String(to), at]),
      truncations: truncations.map((at) => [String(at.offset), at.epoch, at.at]),
    },
    sealed: row.sealed.map(({ branch, from, to }) => [branch, String(from), String(to)]),
    firstMs: row.firstMs === null ? null : String(row.firstMs),
    lastMs: row.lastMs === null ? null : String(row.lastMs),
  };
}

/** It was authentic before it came here: what does not fit was written by another version, or wrongly. */
export function parseManifest(raw: Buffer, id: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(raw.toString('utf8'));
  } catch (cause) {
    throw notAManifest(id, 'it is not JSON', cause);
  }
  const format: unknown = typeof json === 'object' && json !== null ? Reflect.get(json, 'format') : undefined;
  if (typeof format === 'number' && format > 1) {
    throw new VarveError('no-repository', `manifest of snapshot ${id}: expected format 1, got ${format}`, {
      hint: 'a newer varve wrote this snapshot: use that version',
    });
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw notAManifest(id, z.prettifyError(parsed.error));
  if (parsed.data.id !== id) throw notAManifest(id, `it says that it is that of ${parsed.data.id}`);
  return parsed.data;
}

function notAManifest(id: string, what: string, cause?: unknown): VarveError {
  return new VarveError('damage', `manifest of snapshot ${id}: ${what}`, {
    hint: 'restore the snapshot from another copy of the repository, then run varve verify',
    cause,
  });
}
