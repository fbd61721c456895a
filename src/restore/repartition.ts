/** How many partitions a topic gets, and whether its records are spread anew over them. Pure. */
import { VarveError } from '../errors.ts';
import type { ExistingTopic, TopicAction } from './plan.ts';
import type { RestoreRequest } from './request.ts';

export interface PartitionNumbers {
  readonly partitionCount: number;
  /** Into another number than the backup has: each record goes where its key belongs. */
  readonly isRepartitioned: boolean;
}

/** The topic that is there decides unless it goes; then what was asked for; then the backup. */
export function partitionNumbers(o: {
  source: string;
  target: string;
  /** Of the backup. */
  own: number;
  action: TopicAction;
  existing: ExistingTopic | undefined;
  asked: RestoreRequest['repartition'];
}): PartitionNumbers {
  const { source, target, own, action, existing, asked } = o;
  const there = existing?.partitions.length;
  const numbers = (partitionCount: number): PartitionNumbers => ({
    partitionCount,
    isRepartitioned: partitionCount !== own,
  });
  if (asked === 'there' && there === undefined) {
    throw new VarveError(
      'usage',
      `--repartition: topic ${target} does not exist, so it has no partitions yet`,
      {
        hint: `say how many: --repartition 12 (${source} in the backup has ${own})`,
      },
    );
  }
  if (there !== undefined && action !== 'recreate') {
    const expected = asked ?? own;
    if (expected === 'there' || expected === there) return numbers(there);
    throw new VarveError(
      'refused',
      asked === undefined
        ? `topic ${target} has ${there} partitions, and ${source} in the backup ${own}: records keep their partitions, so the numbers must be the same`
        : `topic ${target} has ${there} partitions, expected ${expected} as --repartition says`,
      {
        hint: '--repartition spreads the records by key over the partitions that are there; --to-topic NAME restores into a new topic; --recreate makes the topic anew with the right number',
      },
    );
  }
  if (asked === 'there') return numbers(there ?? own);
  return numbers(asked ?? own);
}
