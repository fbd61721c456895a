import type { DrillResult } from '../repository/repository.ts';
import type { ErrorCode, VarveError } from '../errors.ts';

/** What a drill did, for people and programs. */
export interface DrillReport {
  readonly id: string;
  readonly snapshot: string;
  readonly takenMs: number;
  readonly atMs: number;
  readonly kind: DrillResult['kind'];
  readonly passed: boolean;
  readonly problem: DrillProblem | null;
  readonly isWhole: boolean;
  readonly topics: readonly DrilledTopic[];
  /** There was no room for them in the sample. */
  readonly leftOut: readonly string[];
  readonly records: number;
  readonly bytes: number;
  /** Worth a word, and no failure. */
  readonly notes: readonly string[];
  /** Scratch topics that could not be deleted: the next drill does it. */
  readonly left: readonly string[];
  /** Whether the repository has the result. */
  readonly isNoted: boolean;
  readonly tookMs: number;
}

export interface DrillProblem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
}

export interface DrilledTopic {
  readonly topic: string;
  /** Of the scratch topic; null where there was none. */
  readonly target: string | null;
  readonly records: number;
  readonly bytes: number;
  readonly partitions: readonly DrilledPartition[];
  readonly problem: DrillProblem | null;
}

export interface DrilledPartition {
  readonly partition: number;
  readonly from: bigint;
  readonly isWhole: boolean;
  readonly records: number;
}

export function resultOf(report: Omit<DrillReport, 'isNoted'>): DrillResult {
  const { passed, problem, kind, isWhole, topics, records, bytes, tookMs } = report;
  return {
    passed,
    code: problem?.code ?? null,
    message: problem?.message ?? null,
    kind,
    isWhole,
    topics: topics.length,
    partitions: topics.reduce((sum, topic) => sum + topic.partitions.length, 0),
    records,
    bytes,
    tookMs,
  };
}

export function damageOf(message: string): DrillProblem {
  return {
    code: 'damage',
    message,
    hint: 'varve verify names the files; put them back from another copy of the repository',
  };
}

export function problemOf({ code, message, hint }: VarveError): DrillProblem {
  return code === 'damage' ? damageOf(message) : { code, message, hint: hint ?? null };
}
