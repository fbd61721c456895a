/** Where groups stand once the records of their topics are there. Pure. */
import type { GroupPlan } from './group-plan.ts';
import type { GroupChange } from './group-work.ts';
import type { Journal } from './journal.ts';
import type { StreamEnd } from './stream.ts';
import type { TopicEnd } from './topic-report.ts';

/** The offsets of the source, by partition, of which it must be known where their records came to stand. */
export function wantedOffsets({ groups }: Pick<Journal, 'groups'>, target: string): Map<number, bigint[]> {
  const wanted = new Map<number, bigint[]>();
  for (const { offsets } of groups)
    for (const row of offsets) {
      if (row.target !== target || row.sourceOffset === null) continue;
      const known = wanted.get(row.partition);
      if (known === undefined) wanted.set(row.partition, [row.sourceOffset]);
      else known.push(row.sourceOffset);
    }
  return wanted;
}

/** What is to be set, in those topics that came to their end. */
export function groupChanges(groups: readonly GroupPlan[], ends: readonly TopicEnd[]): GroupChange[] {
  const byTarget = new Map(ends.map((end) => [end.plan.target, end]));
  return groups.flatMap(({ group, to, offsets }): GroupChange[] => {
    const rows = offsets.flatMap(({ target, partition, sourceOffset, metadata }) => {
      const end = byTarget.get(target);
      const row = end?.problem === undefined ? end?.partitions.get(partition) : undefined;
      if (row === undefined) return [];
      const offset = offsetFor(to, row, sourceOffset);
      return [{ topic: target, partition, offset, metadata: to === 'saved' ? metadata : '' }];
    });
    return rows.length === 0 ? [] : [{ group, offsets: rows }];
  });
}

function offsetFor(to: GroupPlan['to'], row: StreamEnd, sourceOffset: bigint | undefined): bigint {
  if (to === 'earliest') return row.start;
  if (to === 'latest' || sourceOffset === undefined) return row.end;
  return row.start + BigInt(row.ranks.rankOf(sourceOffset, row.counts.records));
}
