import { messageOf, VarveError, exitStatusByCode, type ErrorCode } from '../errors.ts';
import { codeOf } from '../host/host.ts';
import { bytesText } from '../observe/observe.ts';
import type { CommandContext } from './command.ts';

/** What one look at one thing found. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  readonly what: string;
  readonly detail: string;
  /** Of what is not ok: one sentence telling the operator what to do. */
  readonly hint?: string | undefined;
  /** Of a failure: what the command ends with, unless something graver was found. */
  readonly code?: ErrorCode;
}

export function ok(what: string, detail: string): Finding {
  return { level: 'ok', what, detail };
}

export function warn(what: string, detail: string, hint: string): Finding {
  return { level: 'warn', what, detail, hint };
}

export function fail(what: string, code: ErrorCode, told: { detail: string; hint?: string }): Finding {
  return { level: 'fail', what, code, ...told };
}

/** A failed look is a finding, too. The operating system's own errors are about the folder. */
export function failureOf(what: string, error: unknown): Finding {
  const detail = messageOf(error);
  if (error instanceof VarveError) {
    return fail(what, error.code, {
      detail,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
  if (codeOf(error) === undefined) throw error;
  return fail(what, 'target-unusable', {
    detail,
    hint: 'local.dir must be a folder that this user may write in: check its owner, its mode and its mount',
  });
}

/** Told to whoever waits, as soon as it is known. */
export type Tell = (finding: Finding) => Promise<void>;

/** Damage and places that cannot be used come before what is merely missing. */
const gravity: readonly (typeof exitStatusByCode)[ErrorCode][] = [
  1, 4, 13, 14, 11, 12, 10, 17, 16, 2, 18, 6, 5, 15, 3,
];

export function gravestStatus(findings: readonly Finding[]): number {
  const statuses = findings.flatMap(({ level, code }) =>
    level === 'fail' ? exitStatusByCode[code ?? 'failed'] : [],
  );
  return gravity.find((status) => statuses.includes(status)) ?? statuses[0] ?? 0;
}

export async function printFinding(context: CommandContext, finding: Finding): Promise<void> {
  const { level, what, detail, hint } = finding;
  await context.out(`${level.padEnd(4)} ${what}: ${detail}`);
  if (hint !== undefined) await context.out(`     hint: ${hint}`);
}

export function findingDocument({ level, what, detail, hint, code }: Finding): object {
  return { level, what, detail, code: code ?? null, hint: hint ?? null };
}

/** `not healthy: gaps, room`: which things failed, each once. */
export function verdict(findings: readonly Finding[], words: { good: string; bad: string }): string {
  const of = (level: Finding['level']): string =>
    [...new Set(findings.filter((finding) => finding.level === level).map(({ what }) => what))].join(', ');
  const [failed, warned] = [of('fail'), of('warn')];
  if (failed !== '') return `${words.bad}: ${failed}`;
  return warned === '' ? words.good : `${words.good}, but look at: ${warned}`;
}

export function roomFinding(freeBytes: number, minFreeBytes: number): Finding {
  const detail = `${bytesText(freeBytes)} free, local.minFree is ${bytesText(minFreeBytes)}`;
  if (freeBytes >= minFreeBytes) return ok('room', detail);
  return fail('room', 'no-space', {
    detail,
    hint: 'fetching is paused below local.minFree: make room on this disk, or use a larger one',
  });
}
