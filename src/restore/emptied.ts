/**
 * A topic that was emptied and restored is in its backup twice under one id: as it was, and behind that what was put back.
 * From where it was put back on it is the topic; before the backup has all of that, it still is what it was. Pure.
 */
import type { Range } from './backup.ts';
import type { Journal, JournalTopic } from './journal.ts';
import { lengthOf, type SourcePartition, type SourceTopic } from './plan.ts';
import { clipStretches, without, type Stretches } from './stretches.ts';

export interface EachOnce {
  readonly sources: SourceTopic[];
  /** What is left out, and why. */
  readonly notes: string[];
}

export function withEachOnce(sources: readonly SourceTopic[], journals: readonly Journal[]): EachOnce {
  const notes: string[] = [];
  const left = sources.map((source) => {
    let { partitions } = source;
    for (const { id, topic } of emptyings(journals, source.life.topicId).toReversed()) {
      const isWhole = isSaved(topic, partitions);
      // Of another topic it was no copy of what is here.
      if (!isWhole && topic.sourceId !== topic.topicId) continue;
      const kept = partitions.map((row) => withoutOne(row, { topic, isWhole }));
      const count = offsetsIn(partitions) - offsetsIn(kept);
      if (count > 0n)
        notes.push(
          `topic ${source.life.topic}: ${count} offsets are left out that ${isWhole ? 'went with' : 'came back by'} the emptying of restore ${id}${isWhole ? '; --snapshot of a time before has them' : ', and are not all saved yet'}`,
        );
      partitions = kept;
      if (isWhole) break;
    }
    return partitions === source.partitions ? source : { ...source, partitions };
  });
  return { sources: left, notes };
}

/** Done, of this very topic; the newest last. */
function emptyings(
  journals: readonly Journal[],
  topicId: string,
): { readonly id: string; readonly topic: JournalTopic }[] {
  return journals
    .toSorted((a, b) => a.startedMs - b.startedMs)
    .flatMap(({ id, topics }) =>
      topics
        .filter((row) => row.action === 'empty' && row.state === 'restored' && row.topicId === topicId)
        .map((topic) => ({ id, topic })),
    );
}

function restoredIn({ partitions }: JournalTopic, partition: number): Range | undefined {
  const row = partitions.find((one) => one.partition === partition);
  return row === undefined || row.start === null || row.end === null
    ? undefined
    : { from: row.start, to: row.end };
}

/** Whether all that was put back is at hand, as far as it was asked for. */
function isSaved(topic: JournalTopic, partitions: readonly SourcePartition[]): boolean {
  const rows = partitions.flatMap(({ partition, plan }) => {
    const range = restoredIn(topic, partition);
    return range === undefined ? [] : [{ range, there: clipStretches(plan.stretches, [range]) }];
  });
  const isAny = rows.some(({ range }) => range.from < range.to);
  return isAny && rows.every(({ range, there }) => lengthOf(there) === range.to - range.from);
}

function withoutOne(
  row: SourcePartition,
  { topic, isWhole }: { topic: JournalTopic; isWhole: boolean },
): SourcePartition {
  const range = restoredIn(topic, row.partition);
  if (range === undefined) return row;
  const goes = isWhole ? { from: 0n, to: range.from } : range;
  return { ...row, plan: withoutRange(row.plan, goes) };
}

function withoutRange({ stretches, missing, expired, gaps }: Stretches, goes: Range): Stretches {
  const rest = (ranges: readonly Range[]): Range[] => ranges.flatMap((range) => without(range, [goes]));
  return {
    stretches: stretches.flatMap((stretch) =>
      without(stretch, [goes]).map((part) => ({ ...part, copies: stretch.copies })),
    ),
    missing: rest(missing),
    expired: rest(expired),
    gaps: rest(gaps),
  };
}

function offsetsIn(partitions: readonly SourcePartition[]): bigint {
  return partitions.reduce((sum, { plan }) => sum + lengthOf(plan.stretches), 0n);
}
