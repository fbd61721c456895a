import { VarveError, exitStatusByCode, type ErrorCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { askHolder } from '../local/local.ts';
import type { DaemonEvent } from '../observe/observe.ts';
import type { OrderWaits } from './waiting.ts';

/**
 * Sends an order to the daemon that holds a folder, and returns its last answer; undefined where there is none. What it
 * tells on its way are lines with an `event`.
 */
export async function askDaemon(
  host: Host,
  folder: string,
  request: { readonly command: string } & Readonly<Record<string, unknown>>,
  o: { readonly signal: AbortSignal; readonly onEvent?: (event: DaemonEvent | OrderWaits) => void },
): Promise<object | undefined> {
  const { signal, onEvent } = o;
  const answers = await askHolder(host, folder, request, {
    signal,
    onLine(line) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the daemon is this very program
      if (isEvent(line)) onEvent?.(line.event as DaemonEvent | OrderWaits);
    },
  });
  if (answers === undefined) return undefined;
  const last = answers.at(-1);
  if (typeof last === 'object' && last !== null && !isEvent(last)) {
    if ('error' in last) throw errorOf(last.error);
    return last;
  }
  if (signal.aborted) {
    throw new VarveError('interrupted', `stopped waiting: the daemon that holds ${folder} goes on with it`, {
      hint: 'its log tells how it ends',
    });
  }
  throw new VarveError('interrupted', `the daemon that holds ${folder} went away before it answered`, {
    hint: 'look at its log, then run the same command again',
  });
}

function isEvent(line: unknown): line is { event: unknown } {
  return typeof line === 'object' && line !== null && 'event' in line;
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
