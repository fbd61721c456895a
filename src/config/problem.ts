import { VarveError } from '../errors.ts';
import type { Origin } from './types.ts';

/** One thing that is wrong, as the operator reads it. */
export interface Problem {
  readonly path: string;
  readonly text: string;
  readonly origin?: Origin | undefined;
}

/** Everything that is wrong, in one error. */
export function problemsError(problems: readonly Problem[]): VarveError {
  const lines = problems.map(lineOf);
  const [first = ''] = lines;
  const message =
    lines.length === 1
      ? `the configuration is wrong: ${first}`
      : [`the configuration has ${lines.length} problems:`, ...lines].join('\n');
  return new VarveError('config', message, { hint: hintOf(problems) });
}

export function originText(origin: Origin): string {
  if (origin.kind === 'file') return `${origin.file}:${origin.line}`;
  if (origin.kind === 'environment') return origin.variable;
  return origin.kind === 'flag' ? origin.flag : 'default';
}

const shownLengthMax = 80;

/** A value in a message: short, quoted, and without the part of a URL that may be a password. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a section';
  const word = typeof value === 'string' ? value : JSON.stringify(value);
  const text = word.replace(/^(.*\/\/)?[^/@]*@/, '$1…@');
  const short = text.length > shownLengthMax ? `${text.slice(0, shownLengthMax)}…` : text;
  return typeof value === 'string' ? JSON.stringify(short) : short;
}

function lineOf(problem: Problem): string {
  const where = problem.origin === undefined ? '' : ` (${originText(problem.origin)})`;
  return `${problem.path}: ${problem.text}${where}`;
}

function hintOf(problems: readonly Problem[]): string {
  return problems.length === 1
    ? 'Correct it and try again; docs/config.md lists every key.'
    : 'Correct them and try again; docs/config.md lists every key.';
}
