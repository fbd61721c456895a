import { exitStatusByCode, firstError, messageOf, VarveError, type ErrorCode } from '../errors.ts';
import { codeOf } from '../host/host.ts';
import type { ToldError } from './messages.ts';

export function tell(thrown: unknown): ToldError {
  const error = firstError(thrown);
  const isOurs = error instanceof VarveError;
  return {
    code: isOurs ? error.code : undefined,
    system: isOurs ? undefined : codeOf(error),
    message: messageOf(error),
    hint: isOurs ? error.hint : undefined,
  };
}

const noSpace = ['ENOSPC', 'EDQUOT'];
const readOnly = ['EROFS', 'EACCES', 'EPERM'];

/** What the operating system has against the target, in the words of an operator. */
export function heard({ code, system, message, hint }: ToldError, target: string | undefined): VarveError {
  if (isCode(code)) return new VarveError(code, message, hint === undefined ? {} : { hint });
  if (system === undefined) return new VarveError('failed', message);
  if (noSpace.includes(system)) {
    return new VarveError('no-space', `no room on the target ${target}: ${message}`, {
      hint: 'make room on the target or raise its quota, then run the command again: nothing was lost',
    });
  }
  const what = readOnly.includes(system)
    ? 'check its owner, its mode and how it is mounted'
    : 'look at the mount and at its server';
  return new VarveError('target-unusable', `the target ${target} cannot be used: ${message}`, {
    hint: `${what}, then run the command again: what was published before stays as it is (varve doctor probes it)`,
  });
}

function isCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && code in exitStatusByCode;
}
