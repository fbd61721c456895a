/** What an export is made of, and the two ways to write it. */
import manifest from '../../package.json' with { type: 'json' };
import { VarveError } from '../errors.ts';
import {
  FreshFile,
  writeExport,
  type Excerpt,
  type ExportedTopic,
  type ExportSource,
} from '../exchange/exchange.ts';
import type { SavedGroups } from '../repository/repository.ts';
import { chooseLife, chooseTopics, planStretches, type Backup } from '../restore/restore.ts';
import type { CommandContext } from './command.ts';
import { CountProgress } from './count-progress.ts';
import { addRecords, ChunkedOutput, refuseEmptySelection, type Selection } from './printing.ts';
import { jsonLines } from './records.ts';
import { choosePartitions } from './selection.ts';

export interface ExportAsked {
  readonly topics: readonly string[];
  readonly allTopics: boolean;
  readonly excludeTopics: readonly string[];
  readonly partitions: readonly string[];
  readonly incarnation: string | undefined;
  readonly snapshot: string | undefined;
  readonly instance: string | undefined;
  readonly localOnly: boolean;
  readonly selection: Selection;
  readonly acceptMissing: boolean;
  readonly format: 'tar' | 'jsonl';
  /** Undefined for stdout. */
  readonly path: string | undefined;
}

export interface FoundExport {
  readonly sources: readonly ExportSource[];
  /** But this program's own; null where no snapshot tells any. */
  readonly groups: SavedGroups | null;
  /** Why it ends with 3. */
  readonly incomplete: readonly string[];
}

export interface ExportReport {
  readonly path: string | undefined;
  readonly format: ExportAsked['format'];
  readonly byteLength: number;
  readonly records: number;
  readonly topics: readonly TopicRow[];
  /** Null where none are written, or no snapshot tells any. */
  readonly groups: number | null;
  readonly incomplete: readonly string[];
}

interface TopicRow {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: number;
  readonly records: number;
  readonly gaps: number;
  /** Ranges that policy let go of. */
  readonly expired: number;
  readonly hasSettings: boolean;
}

/** Refuses what was saved once and is not at hand, unless that is accepted. */
export async function findExport(backup: Backup, asked: ExportAsked): Promise<FoundExport> {
  const chosen = chooseTopics(backup.topics, { ...asked, toTopic: undefined, map: [] });
  if (asked.incarnation !== undefined && chosen.length > 1) {
    throw new VarveError('usage', `--incarnation: expected one topic, got ${chosen.length}`, {
      hint: 'a topic id is that of one topic: export it alone',
    });
  }
  const sources: ExportSource[] = [];
  const incomplete: string[] = [];
  for (const { topic } of chosen) {
    const { life } = chooseLife(await backup.lives(topic), asked.incarnation);
    const partitions = choosePartitions(life, asked.partitions).map((row) => ({
      ...row,
      plan: planStretches(row.copies),
    }));
    const missing = partitions.flatMap(({ partition, plan }) =>
      plan.missing.map(({ from, to }) => `partition ${partition}: ${from} to ${to - 1n}`),
    );
    if (missing.length > 0) {
      const text = `offsets of topic ${topic} were backed up, and no source at hand has them: ${missing.slice(0, 10).join('; ')}`;
      if (!asked.acceptMissing) {
        throw new VarveError('refused', text, {
          hint: 'bring the local folder, instance or snapshot that has them; --accept-missing writes what is there and ends with 3',
        });
      }
      incomplete.push(text);
    }
    sources.push({ life, partitions });
  }
  const groups = backup.groups && {
    readMs: backup.groupsReadMs ?? 0,
    groups: backup.groups.filter(({ group }) => !group.startsWith('varve-')),
  };
  return { sources, groups: groups ?? null, incomplete };
}

export async function writeTar(
  context: CommandContext,
  asked: ExportAsked,
  work: FoundExport,
): Promise<ExportReport> {
  const { host, signal } = context;
  const { sources, groups, incomplete } = work;
  const { path = '', selection } = asked;
  const shown = new CountProgress(context, { schema: 'varve.export/1', verb: 'written' });
  try {
    const excerpt = excerptOf(selection);
    const { topics, byteLength, groupCount } = await writeExport(
      sources,
      { path, excerpt, groups, tool: `varve ${manifest.version}` },
      {
        host,
        signal,
        onRecords: (records, bytes) => shown.add(records, bytes),
        check: async (written) => assertChosen({ selection, sources, counts: countsOf(written) }),
      },
    );
    return reportOf(asked, { sources, counts: countsOf(topics), byteLength, groups: groupCount, incomplete });
  } finally {
    shown.end();
  }
}

/** The lines of `varve cat --json`, one topic and one partition behind the other. */
export async function writeJsonLines(
  context: CommandContext,
  asked: ExportAsked,
  { sources, incomplete }: FoundExport,
): Promise<ExportReport> {
  const { path, selection } = asked;
  const shown = new CountProgress(context, {
    schema: path === undefined ? undefined : 'varve.export/1',
    verb: 'written',
  });
  await using file = path === undefined ? undefined : await FreshFile.create(context.host, path);
  const write: CommandContext['write'] =
    file === undefined ? context.write : async (chunk) => file.write([Buffer.from(chunk)]);
  const output = new ChunkedOutput(write);
  const counts: number[] = [];
  try {
    for (const { life, partitions } of sources) {
      let count = 0;
      for (const row of partitions) {
        const format = jsonLines(life.topic, row.partition);
        const onBatch = (records: number): void => {
          context.signal.throwIfAborted();
          shown.add(records, 0);
        };
        count += await addRecords({ life, ...row }, { selection, format, output, onBatch });
      }
      await output.flush();
      counts.push(count);
    }
    await assertChosen({ selection, sources, counts });
    await file?.finish();
  } finally {
    shown.end();
  }
  return reportOf(asked, { sources, counts, byteLength: file?.byteLength ?? 0, groups: null, incomplete });
}

function reportOf(
  { path, format }: ExportAsked,
  o: {
    sources: readonly ExportSource[];
    counts: readonly number[];
    byteLength: number;
    groups: number | null;
    incomplete: readonly string[];
  },
): ExportReport {
  const { counts, byteLength, groups, incomplete } = o;
  const topics = o.sources.map(({ life, partitions }, index) => ({
    topic: life.topic,
    topicId: life.topicId,
    partitions: partitions.length,
    records: counts[index] ?? 0,
    gaps: sum(partitions.map(({ plan }) => plan.gaps.length)),
    expired: sum(partitions.map(({ plan }) => plan.expired.length)),
    hasSettings: life.settings !== undefined,
  }));
  return { path, format, byteLength, records: sum(counts), topics, groups, incomplete };
}

function excerptOf({ time, key }: Selection): Excerpt | null {
  if (time.from === undefined && time.to === undefined && key === undefined) return null;
  return { fromMs: time.from ?? null, toMs: time.to ?? null, key: key ?? null };
}

function countsOf(topics: readonly ExportedTopic[]): number[] {
  return topics.map(({ partitions }) => sum(partitions.map(({ records }) => records)));
}

/** Something of each topic that has records must have been selected; a key need be in one of them only. */
async function assertChosen(o: {
  selection: Selection;
  sources: readonly ExportSource[];
  counts: readonly number[];
}): Promise<void> {
  const total = sum(o.counts);
  for (const [index, source] of o.sources.entries()) {
    const isEmpty = (o.selection.key === undefined ? o.counts[index] : total) === 0;
    if (isEmpty) await refuseEmptySelection(source.life);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
