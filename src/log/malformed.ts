import { VarveError } from '../errors.ts';
import type { Codec } from './header.ts';

export function malformed(codec: Codec, problem: string, cause?: unknown): VarveError {
  return new VarveError('damage', `${codec}: ${problem}`, { hint: producerHint, cause });
}

/** The only refusal here that is about this program's limit and not about the bytes. */
export function tooLarge(codec: Codec): VarveError {
  return new VarveError('damage', `${codec}: the records inflate to more than the limit`, {
    hint: producerHint,
  });
}

/** What was checked against its checksum before and still makes no sense was made so. */
export const producerHint =
  'the batch carries a good checksum, so its producer wrote it like this: look at it with kafka-dump-log.';
