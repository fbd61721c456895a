import type { SinkMetrics, Trouble } from '../sink/sink.ts';
import type { Overview } from '../snapshot/snapshot.ts';

/** What the daemon knows of itself at a moment. */
export interface DaemonFacts {
  readonly nowMs: number;
  readonly startedMs: number;
  /** Absent until it reads. */
  readonly sink: SinkMetrics | undefined;
  readonly trouble: Trouble;
  readonly localFreeBytes: number | undefined;
  /** Until the local disk is down to `local.minFree` at the rate of late; absent where it does not fill. */
  readonly localFullInMs?: number | undefined;
  /** How long the cluster keeps the records of a topic; those that it keeps for ever, or that nobody could be asked about, are absent. */
  readonly retentionMs: ReadonlyMap<string, number>;
  /** Begun from this local folder, and not come to their end; undefined while nobody has looked. */
  readonly unfinishedRestores: number | undefined;
  /** Absent where none is scheduled and none was ever made. */
  readonly drills?: DrillFacts | undefined;
  /** Absent where no repository is configured. */
  readonly cycles: CycleFacts | undefined;
  /** Absent until it was looked at: at the start, and after each cycle. */
  readonly repository?: RepositoryFacts | undefined;
}

/** What is on the target, of this instance. */
export interface RepositoryFacts {
  /** Whether the last look could open it. */
  readonly isReached: boolean;
  /** By the last look that could. */
  readonly found: RepositoryFound | undefined;
}

export interface RepositoryFound extends Pick<
  Overview,
  'snapshots' | 'problems' | 'freeBytes' | 'keySlots' | 'keyProblems' | 'reads'
> {
  readonly lookedMs: number;
}

export interface DrillFacts {
  readonly runningSinceMs: number | undefined;
  readonly nextMs: number | undefined;
  /** From this local folder, by the schedule or by hand. */
  readonly last:
    | {
        readonly atMs: number;
        readonly passed: boolean;
        readonly tookMs: number;
        /** When the last one that passed began. */
        readonly passedMs: number | null;
      }
    | undefined;
}

export interface CycleFacts {
  readonly runningSinceMs: number | undefined;
  readonly nextMs: number | undefined;
  /** From the next scheduled time to the one after. */
  readonly intervalMs: number | undefined;
  /** The scheduled time that should have led to a snapshot by now. */
  readonly overdueSinceMs: number | undefined;
  /** The number of the newest snapshot that this installation knows of. */
  readonly newestSeq: number | undefined;
  readonly lastAttempt: { readonly atMs: number; readonly isPublished: boolean } | undefined;
  readonly lastSuccess: LastCycle | undefined;
  /** Of the target, as the last cycle found it. */
  readonly target: 'unknown' | 'up' | 'down' | 'stuck';
  /** When the child process that hangs on it began. */
  readonly stuckSinceMs: number | undefined;
  readonly targetFreeBytes: number | undefined;
}

export interface LastCycle {
  readonly atMs: number;
  readonly tookMs: number | undefined;
  readonly newBytes: number | undefined;
  readonly linkedBytes: number | undefined;
  readonly verified: boolean | undefined;
  readonly phasesMs: Readonly<Partial<Record<string, number>>>;
}
