/**
 * The closed list of ways in which an operation can fail, and the exit status each one ends a command with.
 *
 * An operating error is a `VarveError`: it says what failed, on what, what was expected and what was found, and its
 * hint is one sentence telling the operator what to do. A programmer error is an ordinary `Error` and crashes.
 * A message never holds a secret or a record's value.
 */
export const exitStatusByCode = {
  /** Something failed that has no code of its own. */
  failed: 1,
  /** The command line cannot be understood. */
  usage: 2,
  /** The configuration is wrong; all its problems are in the message. */
  config: 2,
  /** Done, but something that was asked for could not be had. */
  incomplete: 3,
  /** Done, but records are missing that nobody has accepted as missing yet. */
  'gap-new': 3,
  /** Bytes on disk are not what was written there. */
  damage: 4,
  /** What should have happened by now has not. */
  overdue: 5,
  /** Stopped part-way; the message says whether to run it again. */
  interrupted: 6,
  /** There is no repository here, or one of a newer format. */
  'no-repository': 10,
  /** Another process, or another installation, holds the local folder or the instance of the repository. */
  locked: 11,
  /** The group, or the folder, belongs to another installation. */
  'foreign-installation': 11,
  /** The key does not open the repository. */
  'wrong-key': 12,
  /** The target or the local folder cannot be used for this. */
  'target-unusable': 13,
  /** There is no room on the disk. */
  'no-space': 14,
  /** Nothing in that range. */
  'nothing-selected': 15,
  /** The clock went back. */
  'clock-back': 16,
  /** No broker can be reached. */
  'kafka-unreachable': 17,
  /** The brokers refused us: credentials, certificates, authorisation. */
  'kafka-refused': 17,
  /** This is not the cluster that the local folder or the repository belongs to. */
  'wrong-cluster': 17,
  /** The broker is older, or the client library other, than this program can work with. */
  'kafka-unsupported': 17,
  /** Refused before anything was touched. */
  refused: 18,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof exitStatusByCode;

export interface VarveErrorOptions {
  /** One sentence telling the operator what to do. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** True where the same call may succeed a moment later. */
  readonly retryable?: boolean;
}

export class VarveError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: VarveErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'VarveError';
    this.code = code;
    this.hint = options.hint;
    this.retryable = options.retryable ?? false;
  }

  get exitStatus(): number {
    return exitStatusByCode[this.code];
  }
}

/** What went wrong first: where letting go of something failed as well, that failure is wrapped around it. */
export function firstError(error: unknown): unknown {
  return error instanceof SuppressedError ? firstError(error.suppressed) : error;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
