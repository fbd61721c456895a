/**
 * Which batches of one Fetch answer are committed data.
 *
 * The answer's own list of aborted transactions suffices, from whatever offset it was asked; it comes unsorted and runs
 * ahead of the batches. A transaction of that list is active from its first offset to its producer's ABORT marker.
 * What counts as a marker is the batch's control bit alone: a user's key may look just like one.
 */
import { VarveError } from '../errors.ts';
import {
  batchHeaderBytes,
  codecOf,
  isControl,
  isTransactional,
  lastOffsetOf,
  type BatchHeader,
} from './header.ts';
import { RecordCursor } from './varint.ts';

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

export interface Committed {
  readonly kept: BatchHeader[];
  readonly droppedControl: number;
  readonly droppedAborted: number;
}

const abortType = 0;

export function filterCommitted(
  bytes: Buffer,
  batches: readonly BatchHeader[],
  aborted: readonly AbortedTransaction[],
): Committed {
  const pending = aborted.length > 1 ? aborted.toSorted(byFirstOffset) : aborted;
  const active = new Set<bigint>();
  const kept: BatchHeader[] = [];
  let droppedControl = 0;
  let droppedAborted = 0;
  let next = 0;
  for (const batch of batches) {
    for (; next < pending.length; next += 1) {
      const transaction = pending[next];
      if (transaction === undefined || transaction.firstOffset > lastOffsetOf(batch)) break;
      active.add(transaction.producerId);
    }
    if (isControl(batch)) {
      droppedControl += 1;
      if (active.size > 0 && isAbortMarker(bytes, batch)) active.delete(batch.producerId);
    } else if (active.size > 0 && isTransactional(batch) && active.has(batch.producerId)) {
      droppedAborted += 1;
    } else {
      kept.push(batch);
    }
  }
  return { kept, droppedControl, droppedAborted };
}

function byFirstOffset(a: AbortedTransaction, b: AbortedTransaction): number {
  return a.firstOffset < b.firstOffset ? -1 : Number(a.firstOffset > b.firstOffset);
}

/**
 * A control record's key is i16 version, i16 type: 0 aborts, 1 commits, others are not about transactions. Only the
 * first record counts. Compaction may leave a marker's batch behind without its record: that ends nothing.
 */
function isAbortMarker(bytes: Buffer, batch: BatchHeader): boolean {
  if (batch.recordCount === 0) return false;
  const where = `the control batch at offset ${batch.baseOffset}`;
  const range = { from: batch.position + batchHeaderBytes, to: batch.position + batch.byteLength };
  const cursor = new RecordCursor(bytes, range, where);
  if (codecOf(batch) !== 'none')
    throw cursor.damage(`expected a marker without compression, got ${codecOf(batch)}`);
  const length = cursor.varint('record length');
  cursor.take(length, 'record');
  const record = new RecordCursor(bytes, { from: cursor.position - length, to: cursor.position }, where);
  record.byte('record attributes');
  record.varlong('timestamp delta');
  record.varint('offset delta');
  const key = record.nullableBytes('key');
  if (key === null || key.length < 4) throw markerDamage(where, key);
  return key.readInt16BE(2) === abortType;
}

function markerDamage(where: string, key: Buffer | null): VarveError {
  const got = key === null ? 'none' : `${key.length} bytes`;
  return new VarveError('damage', `${where}: expected a key of version and type in 4 bytes, got ${got}`, {
    hint: 'the broker itself writes these batches: look at its log with kafka-dump-log.',
  });
}
