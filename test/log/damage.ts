import { expect } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import {
  checkBatch,
  decodeRecords,
  scanBatches,
  type BatchHeader,
  type LogRecord,
} from '../../src/log/log.ts';
import { encodeBatch, type BatchToEncode } from './encoder.ts';

/** What a batch may inflate to in these tests. */
export const bytesMax = 1024 * 1024;

/** The header of the one batch that the bytes begin with. */
export function only(bytes: Buffer): BatchHeader {
  const [header] = scanBatches(bytes).batches;
  if (header === undefined) throw new Error('no batch');
  return header;
}

/** Reads a batch with a good checksum, and returns how that failed. */
export function damageOf(batch: BatchToEncode): string {
  const bytes = encodeBatch(batch);
  const header = only(bytes);
  expect(checkBatch(bytes, header)).toBeUndefined();
  return failure(() => [...decodeRecords(bytes, header, { inflatedBytesMax: bytesMax })]);
}

/** The message of the damage that the act ends with. */
export function failure(act: () => LogRecord[]): string {
  try {
    return `read ${act().length} records`;
  } catch (error) {
    if (!(error instanceof VarveError) || error.code !== 'damage') throw error;
    expect(error.hint).toBeDefined();
    expect(error.message).toContain('the batch at offset');
    return error.message;
  }
}
