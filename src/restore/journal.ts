/**
 * What a restore has begun: kept beside the local files and in the target, so that the same command goes on after
 * anything, and the sources and group offsets it reads stay the ones that it was begun with.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { VarveError } from '../errors.ts';
import { ensureFolder, replaceFile, type Host } from '../host/host.ts';
import type { Cluster, OffsetToCommit } from '../kafka/kafka.ts';
import { assertHeardOf } from './group-work.ts';

const offset = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .transform(BigInt);
const range = z.tuple([offset, offset]).transform(([from, to]) => ({ from, to }));
const count = z.number().int().nonnegative();

const partitionSchema = z.object({
  partition: count,
  /** Where it begins in the target; null until the topic is there, but where it is emptied and ends here. */
  start: offset.nullable(),
  /** The offsets of the source that belong to it. */
  ranges: z.array(range),
  /** In the end, once all of it is there. */
  end: offset.nullable(),
  /** Whose batches these are, where it is not the producer of the whole: a broker had forgotten that one. */
  producer: z.object({ producerId: offset, producerEpoch: z.number().int() }).optional(),
});

const topicSchema = z.object({
  source: z.string(),
  sourceId: z.string(),
  target: z.string(),
  action: z.enum(['create', 'recreate', 'empty', 'append', 'fill']),
  /** Of the topic that goes. */
  oldId: z.string().nullable(),
  /** Of the topic that is written; null until it is there. */
  topicId: z.string().nullable(),
  partitionCount: count,
  replicationFactor: z.number().int(),
  temporary: z.array(z.tuple([z.string(), z.string()])),
  /** What the topic has in the end, but for retention that would delete what was restored. */
  final: z.array(z.tuple([z.string(), z.string()])),
  /** Of retention and cleanup policy, from whatever level they come. */
  effective: z.array(z.tuple([z.string(), z.string()])),
  state: z.enum(['planned', 'writing', 'restored']),
  /** Of one that was emptied: somebody else wrote into it, and it is to be emptied again. */
  isMixed: z.boolean().optional(),
  partitions: z.array(partitionSchema),
  /** Where the numbers of partitions differ: the offsets of the source; `partitions` are those of the target then. */
  sources: z.array(z.object({ partition: count, ranges: z.array(range) })).optional(),
});

const journalSchema = z.object({
  format: z.literal(1),
  id: z.string(),
  request: z.string(),
  /** As it was typed, for people. */
  command: z.string(),
  startedMs: count,
  finishedMs: count.nullable(),
  cluster: z.string(),
  producerId: offset,
  producerEpoch: z.number().int(),
  snapshots: z.array(z.object({ instance: z.string(), id: z.string() })),
  /** What was asked for and cannot be had, accepted when it began: it ends with 3, however often it goes on. */
  incomplete: z.array(z.string()).default([]),
  topics: z.array(topicSchema),
  groups: z.array(
    z.object({
      group: z.string(),
      to: z.enum(['saved', 'earliest', 'latest']),
      offsets: z.array(
        z.object({
          target: z.string(),
          partition: count,
          sourceOffset: offset.nullable(),
          metadata: z.string(),
        }),
      ),
    }),
  ),
  /** Where groups stood before anything was changed; nobody knows it where the journal comes from the target. */
  before: z
    .array(
      z.object({
        group: z.string(),
        offsets: z.array(
          z.object({
            topic: z.string(),
            partition: count,
            /** Null where the group had none. */
            offset: offset.nullable(),
            leaderEpoch: z.number().int(),
            metadata: z.string(),
          }),
        ),
      }),
    )
    .optional(),
  /** When the groups were put back there. */
  rolledBackMs: count.optional(),
});

export type Journal = Readonly<z.infer<typeof journalSchema>>;
export type JournalTopic = Readonly<z.infer<typeof topicSchema>>;
export type JournalPartition = Readonly<z.infer<typeof partitionSchema>>;

export function restoresFolder(localFolder: string): string {
  return join(localFolder, 'restores');
}

export function newRestoreId(host: Pick<Host, 'clock' | 'random'>): string {
  const at = new Date(host.clock.nowMs()).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${at}-${host.random.bytes(2).toString('hex')}`;
}

export async function writeJournal(
  host: Pick<Host, 'disk' | 'random'>,
  localFolder: string | undefined,
  journal: Journal,
): Promise<void> {
  if (localFolder === undefined) return;
  const folder = restoresFolder(localFolder);
  await ensureFolder(host.disk, folder);
  await replaceFile(host, join(folder, `${journal.id}.json`), Buffer.from(`${textOf(journal)}\n`));
}

function textOf(journal: Journal): string {
  return JSON.stringify(
    {
      ...journal,
      topics: journal.topics.map((topic) => ({
        ...topic,
        partitions: topic.partitions.map((row) => ({
          ...row,
          ranges: rangesText(row.ranges),
        })),
        ...(topic.sources && {
          sources: topic.sources.map((row) => ({ ...row, ranges: rangesText(row.ranges) })),
        }),
      })),
    },
    (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
  );
}

function rangesText(ranges: JournalPartition['ranges']): [bigint, bigint][] {
  return ranges.map(({ from, to }) => [from, to]);
}

/** All that this installation knows of, the newest last. */
export async function readJournals(
  host: Pick<Host, 'disk'>,
  localFolder: string | undefined,
): Promise<Journal[]> {
  if (localFolder === undefined) return [];
  const folder = restoresFolder(localFolder);
  const found: Journal[] = [];
  for (const { name, kind } of (await host.disk.list(folder)) ?? []) {
    if (kind !== 'file' || !name.endsWith('.json') || name.startsWith('.')) continue;
    const bytes = await host.disk.readFile(join(folder, name));
    if (bytes !== undefined) found.push(parseJournal(bytes.toString('utf8'), join(folder, name)));
  }
  // An id tells the second alone.
  return found.toSorted((a, b) => a.startedMs - b.startedMs || (a.id < b.id ? -1 : 1));
}

function parseJournal(text: string, where: string): Journal {
  try {
    return journalSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new VarveError('damage', `${where}: it is not the journal of a restore`, {
      hint: 'look at the disk; move the file away if that restore is of no interest any more',
      cause,
    });
  }
}

const groupPrefix = 'varve-restore-';

export function groupOf(id: string): string {
  return `${groupPrefix}${id}`;
}

/** A commit's metadata holds 4,096 bytes. */
const metadataBytesMax = 4000;

/**
 * Notes one topic of the journal in the target itself: in each partition's commit what belongs to it, in that of
 * partition 0 what belongs to the whole. The topic must be there. What does not fit stays in the local journal alone.
 */
export async function commitJournal(
  cluster: Cluster,
  journal: Journal,
  o: { topic: JournalTopic; signal: AbortSignal },
): Promise<void> {
  const { topic, signal } = o;
  const rows: OffsetToCommit[] = [];
  const mapped = new Map(topic.partitions.map((row) => [row.partition, row]));
  for (let partition = 0; partition < topic.partitionCount; partition += 1) {
    const row = mapped.get(partition);
    if (row === undefined && partition > 0) continue;
    const head = partition === 0 ? { whole: wholeOf(journal, topic) } : {};
    const own = {
      v: 1,
      id: topic.topicId,
      ...(row !== undefined && { row: shortOf(row) }),
      ...(topic.sources && { from: sourcesAt(topic.sources, partition, topic.partitionCount) }),
    };
    const full = JSON.stringify({ ...own, ...head });
    const metadata = Buffer.byteLength(full) <= metadataBytesMax ? full : JSON.stringify(own);
    if (Buffer.byteLength(metadata) > metadataBytesMax) continue;
    rows.push({ topic: topic.target, partition, offset: row?.start ?? 0n, leaderEpoch: -1, metadata });
  }
  const answers = await cluster.commitOffsets(groupOf(journal.id), rows, { signal });
  assertHeardOf(groupOf(journal.id), answers);
  for (const { partition, errorCode } of answers) {
    if (errorCode !== 0)
      throw new VarveError(
        'kafka-refused',
        `the journal of the restore cannot be kept in ${topic.target}/${partition}: error ${errorCode}`,
        {
          hint: `grant this user READ on group ${groupPrefix}* and on the topic`,
        },
      );
  }
}

function shortOf({ start, ranges, end, producer }: JournalPartition): object {
  return {
    s: start === null ? null : String(start),
    r: ranges.map(({ from, to }) => [String(from), String(to)]),
    e: end === null ? null : String(end),
    ...(producer && { p: [String(producer.producerId), producer.producerEpoch] }),
  };
}

/** The sources take turns over the partitions: what one commit holds is limited. */
function sourcesAt(
  sources: NonNullable<JournalTopic['sources']>,
  partition: number,
  partitionCount: number,
): [partition: number, ranges: [string, string][]][] {
  return sources
    .filter((row) => row.partition % partitionCount === partition)
    .map((row) => [row.partition, row.ranges.map(({ from, to }) => [String(from), String(to)])]);
}

function wholeOf(journal: Journal, topic: JournalTopic): object {
  const { partitions: _partitions, sources: _sources, ...rest } = topic;
  const { topics: _topics, groups: _groups, before: _before, ...about } = journal;
  return { about: { ...about, producerId: String(journal.producerId) }, topic: rest };
}

const rowSchema = z.object({
  v: z.literal(1),
  id: z.string(),
  row: z
    .object({
      s: offset.nullable(),
      r: z.array(range),
      e: offset.nullable(),
      p: z.tuple([offset, z.number().int()]).optional(),
    })
    .transform(({ s: start, r: ranges, e: end, p }) => ({
      start,
      ranges,
      end,
      ...(p && { producer: { producerId: p[0], producerEpoch: p[1] } }),
    }))
    .optional(),
  from: z.array(z.tuple([count, z.array(range)])).optional(),
  whole: z
    .object({
      about: journalSchema.omit({ topics: true, groups: true, before: true }),
      topic: topicSchema.omit({ partitions: true, sources: true }),
    })
    .optional(),
});

/** Restores that the target tells of, as far as it does: those whose local journal was lost. Without their groups. */
export async function findJournals(
  cluster: Cluster,
  o: { known: ReadonlySet<string>; signal: AbortSignal },
): Promise<Journal[]> {
  const { known, signal } = o;
  const names = await cluster.groupNames({ signal });
  const found: Journal[] = [];
  for (const group of names) {
    if (!group.startsWith(groupPrefix) || known.has(group.slice(groupPrefix.length))) continue;
    const topics: JournalTopic[] = [];
    let about: Omit<Journal, 'topics' | 'groups' | 'before'> | undefined;
    const rows = await cluster.committedOffsets(group, { signal });
    const parsed = rows.flatMap(({ topic, partition, metadata }) => {
      const row = rowSchema.safeParse(jsonOf(metadata));
      return row.success ? [{ topic, partition, ...row.data }] : [];
    });
    for (const { topic, whole } of parsed) {
      if (whole === undefined) continue;
      about = whole.about;
      const partitions = parsed.flatMap(({ topic: name, partition, row }) =>
        name === topic && row !== undefined ? [{ partition, ...row }] : [],
      );
      const sources = parsed.flatMap(({ topic: name, from = [] }) =>
        name === topic ? from.map(([partition, ranges]) => ({ partition, ranges })) : [],
      );
      topics.push({
        ...whole.topic,
        partitions: partitions.toSorted((a, b) => a.partition - b.partition),
        ...(sources.length > 0 && { sources: sources.toSorted((a, b) => a.partition - b.partition) }),
      });
    }
    if (about !== undefined) found.push({ ...about, topics, groups: [] });
  }
  return found;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
