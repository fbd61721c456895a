import { VarveError } from '../errors.ts';

/** Kafka's trouble passes, or an operator ends it: what is being read goes on meanwhile. */
export function isKafkaTrouble(error: unknown): error is VarveError {
  if (!(error instanceof VarveError)) return false;
  return error.retryable || error.code === 'kafka-unreachable' || error.code === 'kafka-refused';
}
