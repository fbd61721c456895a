import { bucketRules, chooseByBucket, type BucketCounts, type Restorable } from './buckets.ts';

export interface View {
  /** `daily.0` is the newest. */
  readonly name: string;
  readonly snapshotId: string;
}

/** The names under which an operator finds the restore points, per rule, newest first. */
export function viewsOf(snapshots: readonly Restorable[], counts: BucketCounts): readonly View[] {
  return bucketRules.flatMap((rule) =>
    chooseByBucket(rule, { snapshots, count: counts[rule] }).map(({ chosen }, index) => ({
      name: `${rule}.${index}`,
      snapshotId: chosen.id,
    })),
  );
}
