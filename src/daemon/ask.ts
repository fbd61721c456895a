import { VarveError, exitStatusByCode, type ErrorCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { askHolder } from '../local/local.ts';

/** Sends an order to the daemon that holds a folder, and returns its last answer; undefined where there is none. */
export async function askDaemon(
  host: Host,
  folder: string,
  request: { readonly command: string } & Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): Promise<object | undefined> {
  const answers = await askHolder(host, folder, request, signal === undefined ? {} : { signal });
  if (answers === undefined) return undefined;
  const last = answers.at(-1);
  if (typeof last !== 'object' || last === null) {
    throw new VarveError('interrupted', `the daemon that holds ${folder} went away before it answered`, {
      hint: 'look at its log, then run the same command again',
    });
  }
  if ('error' in last) throw errorOf(last.error);
  return last;
}

function errorOf(error: unknown): VarveError {
  if (typeof error !== 'object' || error === null) return new VarveError('failed', String(error));
  const code = 'code' in error && isCode(error.code) ? error.code : 'failed';
  const message = 'message' in error ? String(error.message) : 'unknown';
  const hint = 'hint' in error && typeof error.hint === 'string' ? { hint: error.hint } : {};
  return new VarveError(code, message, hint);
}

function isCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && code in exitStatusByCode;
}
