import type { DaemonFacts } from '../observe/observe.ts';
import type { Month } from '../schedule/schedule.ts';
import type { FollowedPartition } from '../sink/sink.ts';
import type { CyclePhase, Strata, Trigger } from '../snapshot/snapshot.ts';

/** All that the page shows, as it was known at a moment. */
export interface PageFacts {
  readonly nowMs: number;
  readonly version: string;
  readonly name: string;
  readonly instance: string;
  /** Kafka's id of the cluster; null where it was never reached. */
  readonly cluster: string | null;
  readonly daemon: DaemonFacts;
  readonly followed: readonly FollowedPartition[];
  /** Wanted, and not to be had. */
  readonly missing: readonly { topic: string; partition: number | undefined; message: string }[];
  /** Of this daemon, newest first. */
  readonly cycles: readonly CycleNote[];
  /** Undefined where no repository is configured. */
  readonly repository: RepositoryFacts | undefined;
  /** What lies on the local disk and in no snapshot; undefined until it was looked at. */
  readonly unsaved: UnsavedBytes | undefined;
  /** Gaps that somebody has said are known, as the local folder names them. */
  readonly acceptedGaps: ReadonlySet<string>;
}

export interface RepositoryFacts {
  /** As it was found last; undefined until it was. */
  readonly strata: Strata | undefined;
  readonly lookedMs: number | undefined;
  /** Why it could not be looked at the last time. */
  readonly problem: string | undefined;
}

/** By topic id. */
export type UnsavedBytes = ReadonlyMap<
  string,
  { readonly topic: string; readonly months: ReadonlyMap<Month, number> }
>;

export interface CycleNote {
  readonly trigger: Trigger;
  readonly beganMs: number;
  /** Undefined while it runs. */
  readonly endedMs: number | undefined;
  readonly outcome: 'running' | 'published' | 'failed';
  /** While it runs: what it does now. */
  readonly phase: CyclePhase | undefined;
  readonly phasesMs: Readonly<Partial<Record<CyclePhase, number>>>;
  /** The snapshot that it published. */
  readonly snapshot: string | undefined;
  readonly newBytes: number | undefined;
  readonly linkedBytes: number | undefined;
  readonly verified: boolean | undefined;
  readonly expired: number;
  /** Why it failed, or what it found although it published. */
  readonly problem: string | undefined;
  readonly hint: string | undefined;
}
