/** What an export holds, by name, and the document that describes it. Both are drawn in docs/format.md. */
import { z } from 'zod';
import { VarveError } from '../errors.ts';
import {
  savedGroupsJson,
  savedGroupsShape,
  topicSettingsShape,
  type SavedGroups,
  type TopicSettings,
} from '../repository/repository.ts';
import type { Range } from '../restore/restore.ts';

const folder = 'varve-export';
export const documentName = `${folder}/export.json`;
export const sumsName = `${folder}/SHA256SUMS`;
/** Nothing in memory is larger: a batch is at most as large as a sink takes one. */
export const memberBytesMax = 256 * 1024 * 1024;
export const textBytesMax = 64 * 1024 * 1024;
export const membersMax = 500_000;
const partitionsMax = 100_000;

export interface ExportDocument {
  readonly format: 1;
  readonly tool: string;
  readonly exportedMs: number;
  /** What records were left out by; null where none was. */
  readonly excerpt: Excerpt | null;
  readonly topics: readonly ExportedTopic[];
  /** Those with an offset on these topics; null where no snapshot tells any. */
  readonly groups: SavedGroups | null;
}

export interface Excerpt {
  /** Inclusive. */
  readonly fromMs: bigint | null;
  /** Exclusive. */
  readonly toMs: bigint | null;
  readonly key: Buffer | null;
}

export interface ExportedTopic {
  readonly topic: string;
  readonly topicId: string;
  readonly firstSeen: string | null;
  readonly cluster: string | null;
  readonly settings: TopicSettings | null;
  readonly partitions: readonly ExportedPartition[];
}

export interface ExportedPartition {
  readonly partition: number;
  readonly records: number;
  /** Which offsets it answers for. */
  readonly ranges: readonly Range[];
  /** Saved once, and in no source that was at hand. */
  readonly missing: readonly Range[];
  /** Saved once, and let go of by policy. */
  readonly expired: readonly Range[];
  /** Deleted by the cluster before they could be saved. */
  readonly gaps: readonly Range[];
}

export interface SegmentName {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly base: bigint;
}

export function segmentName({ topic, topicId, partition, base }: SegmentName): string {
  return `${folder}/topics/${topic}/${topicId}/${partition}/${String(base).padStart(20, '0')}.log`;
}

const segmentPattern = new RegExp(
  `^${folder}/topics/([a-zA-Z0-9._-]{1,249})/([A-Za-z0-9_-]{22})/(0|[1-9][0-9]{0,8})/([0-9]{20})\\.log$`,
);
const folderPattern = new RegExp(
  `^${folder}/(topics/([a-zA-Z0-9._-]{1,249}/([A-Za-z0-9_-]{22}/([0-9]{1,9}/)?)?)?)?$`,
);

export function parseSegmentName(name: string): SegmentName | undefined {
  const [, topic, topicId, partition, base] = segmentPattern.exec(name) ?? [];
  if (topic === undefined || topicId === undefined || base === undefined || isDots(topic)) return undefined;
  return { topic, topicId, partition: Number(partition), base: BigInt(base) };
}

/** A tar that was made anew of unpacked files holds their folders, too. */
export function isFolderName(name: string): boolean {
  return folderPattern.test(name) && !name.split('/').some(isDots);
}

function isDots(name: string): boolean {
  return name === '.' || name === '..';
}

const offsetMax = 2n ** 63n - 1n;
const offset = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt)
  .refine((at) => at <= offsetMax);
const time = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .transform(BigInt);
const count = z.number().int().nonnegative();
/** In order, none empty, none over another. */
const ranges = z
  .array(z.tuple([offset, offset]).transform(([from, to]) => ({ from, to })))
  .refine((rows) =>
    rows.every(({ from, to }, index) => from < to && (index === 0 || (rows[index - 1]?.to ?? 0n) <= from)),
  );
const partitionNumber = count.max(partitionsMax - 1);

const documentShape = z.object({
  format: z.literal(1),
  tool: z.string(),
  exportedMs: count,
  excerpt: z
    .object({
      fromMs: time.nullable(),
      toMs: time.nullable(),
      key: z
        .base64()
        .transform((text) => Buffer.from(text, 'base64'))
        .nullable(),
    })
    .nullable(),
  topics: z
    .array(
      z.object({
        topic: z.string().regex(/^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/),
        topicId: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
        firstSeen: z.string().nullable(),
        cluster: z.string().nullable(),
        settings: topicSettingsShape.extend({ partitions: count.max(partitionsMax) }).nullable(),
        partitions: z
          .array(
            z.object({
              partition: partitionNumber,
              records: count,
              ranges,
              missing: ranges,
              expired: ranges,
              gaps: ranges,
            }),
          )
          .refine((rows) => isEachOnce(rows.map(({ partition }) => partition))),
      }),
    )
    .min(1)
    .refine((rows) => isEachOnce(rows.map(({ topic }) => topic))),
  groups: savedGroupsShape.nullable(),
});

function isEachOnce(names: readonly (string | number)[]): boolean {
  return new Set(names).size === names.length;
}

export function formatDocument({ excerpt, topics, groups, ...head }: ExportDocument): Buffer {
  const document = {
    ...head,
    excerpt: excerpt && {
      fromMs: excerpt.fromMs === null ? null : String(excerpt.fromMs),
      toMs: excerpt.toMs === null ? null : String(excerpt.toMs),
      key: excerpt.key?.toString('base64') ?? null,
    },
    topics: topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((row) => ({
        ...row,
        ranges: pairs(row.ranges),
        missing: pairs(row.missing),
        expired: pairs(row.expired),
        gaps: pairs(row.gaps),
      })),
    })),
    groups: groups && savedGroupsJson(groups),
  };
  return Buffer.from(`${JSON.stringify(document, null, 1)}\n`);
}

function pairs(rows: readonly Range[]): string[][] {
  return rows.map(({ from, to }) => [String(from), String(to)]);
}

export function parseDocument(bytes: Buffer, path: string): ExportDocument {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw notAnExport(path, `${documentName} is not JSON`, cause);
  }
  const format: unknown = typeof json === 'object' && json !== null ? Reflect.get(json, 'format') : undefined;
  if (typeof format === 'number' && format > 1) {
    throw new VarveError('no-repository', `${path}: expected format 1 of an export, got ${format}`, {
      hint: 'a newer varve wrote this file: use that version',
    });
  }
  const parsed = documentShape.safeParse(json);
  if (parsed.success) return parsed.data;
  throw notAnExport(path, `${documentName}: ${z.prettifyError(parsed.error).slice(0, 1000)}`);
}

export function notAnExport(path: string, problem: string, cause?: unknown): VarveError {
  return new VarveError('damage', `${path} is not as varve export wrote it: ${problem}`, {
    hint: 'nothing was touched: find another copy of the file',
    cause,
  });
}
