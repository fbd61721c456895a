import type { IndexedSegment, Manifest, PartitionRow } from '../repository/repository.ts';
import { addSealed } from './rows.ts';

/** Whether the packs hold what the manifest says of each partition: one line for each that they do not. Pure. */
export function rowProblems(manifest: Manifest, segments: readonly IndexedSegment[]): string[] {
  const problems: string[] = [];
  const held = new Map<string, { sealed: PartitionRow['sealed']; records: number }>();
  for (const { topicId, partition, branch, base, next, records } of segments) {
    const key = `${topicId}/${partition}`;
    const row = held.get(key);
    held.set(key, {
      sealed: addSealed(row?.sealed ?? [], { branch, from: base, to: next }),
      records: (row?.records ?? 0) + records,
    });
  }
  for (const { topic, topicId, partitions } of manifest.incarnations) {
    for (const { partition, sealed, records } of partitions) {
      const row = held.get(`${topicId}/${partition}`) ?? { sealed: [], records: 0 };
      held.delete(`${topicId}/${partition}`);
      const of = `${topic}/${partition}`;
      if (textOf(row.sealed) !== textOf(sealed))
        problems.push(`${of}: expected ${textOf(sealed)} in its packs, got ${textOf(row.sealed)}`);
      else if (row.records !== records)
        problems.push(`${of}: expected ${records} records in its packs, got ${row.records}`);
    }
  }
  for (const key of held.keys()) problems.push(`its packs hold partition ${key} unasked`);
  return problems;
}

function textOf(sealed: PartitionRow['sealed']): string {
  const text = sealed.map(
    ({ branch, from, to }) => `${from}..${to}${branch === 0 ? '' : ` of branch ${branch}`}`,
  );
  return text.length === 0 ? 'nothing' : text.join(', ');
}
