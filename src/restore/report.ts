/** What a restore did, for people and programs. */
import type { ErrorCode } from '../errors.ts';

/** Records that the times leave out. */
export interface NotRestored {
  readonly before: number;
  readonly behind: number;
  /** At most so many more: offsets that the sources left out, or that hold no record. */
  readonly notLookedAt: number;
}

export interface PartitionReport {
  readonly partition: number;
  readonly records: number;
  /** Where they stand in the target. */
  readonly start: bigint;
  readonly end: bigint;
  /** SHA-256 over what was restored; null where nothing was compared. */
  readonly content: string | null;
  readonly compared: boolean;
}

export interface TopicReport {
  readonly topic: string;
  readonly target: string;
  readonly topicId: string;
  readonly records: number;
  readonly bytes: number;
  readonly reencoded: number;
  readonly notRestored: NotRestored;
  readonly firstMs: bigint | null;
  readonly lastMs: bigint | null;
  readonly partitions: readonly PartitionReport[];
  readonly leftOff: readonly { readonly name: string; readonly value: string; readonly reason: string }[];
  /** Offsets that no source could be read for. */
  readonly lost: readonly { readonly partition: number; readonly from: bigint; readonly to: bigint }[];
  /** Why it was not restored, if it was not. */
  readonly problem: string | null;
  readonly code: ErrorCode | null;
  /** What to do about it. */
  readonly hint: string | null;
}

export interface GroupReport {
  readonly group: string;
  readonly offsets: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint;
  }[];
  readonly problem: string | null;
}

export interface RestoreReport {
  readonly id: string;
  readonly cluster: string;
  /** It had been restored before, and nothing was changed. */
  readonly wasThere: boolean;
  readonly topics: readonly TopicReport[];
  readonly groups: readonly GroupReport[];
  /** Why it ends with 3. */
  readonly incomplete: readonly string[];
  readonly tookMs: number;
}
