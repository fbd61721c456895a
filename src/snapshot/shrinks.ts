/** Whether what a manifest says can follow what the one before said. Pure. */
import type { Manifest, PartitionRow } from '../repository/repository.ts';
import { isCovered, removeSealed } from './rows.ts';

/** What a manifest lost against the one before, and did not let go of by policy. */
export function shrinksOf(before: Manifest, manifest: Manifest): string[] {
  const rows = new Map<string, PartitionRow>();
  for (const { topicId, partitions } of manifest.incarnations)
    for (const row of partitions) rows.set(`${topicId}/${row.partition}`, row);
  const problems: string[] = [];
  for (const { topic, topicId, partitions } of before.incarnations) {
    for (const row of partitions) {
      const next = rows.get(`${topicId}/${row.partition}`);
      const of = `${topic}/${row.partition}`;
      if (next === undefined) problems.push(`${of}: it is gone`);
      else if (!isCovered(row.coverage, next.coverage)) problems.push(`${of}: it covers less than before`);
      else {
        const expired = manifest.expired.filter(
          (at) => at.topicId === topicId && at.partition === row.partition,
        );
        const must = expired.reduce<PartitionRow['sealed']>(
          (left, gone) => removeSealed(left, gone),
          row.sealed,
        );
        const isHeld = must.every(({ branch, from, to }) =>
          next.sealed.some((range) => range.branch === branch && range.from <= from && range.to >= to),
        );
        if (!isHeld) problems.push(`${of}: its packs hold less than before`);
      }
    }
  }
  return problems;
}
