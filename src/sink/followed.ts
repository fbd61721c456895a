import type { Gap } from '../local/local.ts';
import type { PartitionStream, StreamState } from './stream.ts';

/** One partition as somebody sees it who looks at a picture of the whole. */
export interface FollowedPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly state: StreamState['kind'];
  /** Why it waits or is stopped. */
  readonly problem: string | undefined;
  /** Where what was ever saved begins. */
  readonly from: bigint;
  /** Behind the last offset that is on disk. */
  readonly durable: bigint;
  /** Behind the last offset that a reader of committed records could have; undefined where it was never heard of. */
  readonly stable: bigint | undefined;
  readonly gaps: readonly Gap[];
  readonly truncations: number;
}

export function followedOf(streams: Iterable<PartitionStream>): FollowedPartition[] {
  return [...streams].map(({ key, state, log, next, ends }) => {
    const { ranges, gaps, truncations } = log.coverage;
    return {
      ...key,
      state: state.kind,
      problem: state.kind === 'waiting' || state.kind === 'stopped' ? state.message : undefined,
      from: ranges[0]?.from ?? next.offset,
      durable: log.durable?.offset ?? next.offset,
      stable: ends?.stable,
      gaps,
      truncations: truncations.length,
    };
  });
}
