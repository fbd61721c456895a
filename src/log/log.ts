/**
 * Kafka's record batches as bytes: find them, check them, tell committed ones, read their records.
 *
 * It promises: it is pure, it reads nothing outside the bytes it is given, it allocates nothing because a length says
 * so, and whatever the bytes are it comes to an end with batches, a named problem or a `damage` error. Finding and
 * checking look at heads and checksums only; no record is decoded there.
 * It never changes a byte it was given (but where it stamps a batch with its producer), and keys, values and header names are never taken for text.
 */
export {
  batchHeaderBytes,
  codecOf,
  isControl,
  isTransactional,
  lastOffsetOf,
  nextOffsetOf,
  usesAppendTime,
  type BatchHeader,
  type Codec,
} from './header.ts';
export { checkBatch, scanBatches, type BatchProblem, type Scan } from './scan.ts';
export { filterCommitted, type AbortedTransaction, type Committed } from './committed.ts';
export {
  BatchEncoder,
  isReusable,
  rawRecords,
  stampBatch,
  valueBody,
  type RawRecord,
  type Stamp,
} from './encode.ts';
export { keyOfBody, retainRecords } from './retain.ts';
export { decodeRecords, type DecodeLimits, type LogRecord, type RecordHeader } from './records.ts';
export { inflatedBytesMax } from './inflate.ts';
export { survivingPieces, type BatchRange, type Piece, type Truncation } from './branches.ts';
export { BatchWalk } from './walk.ts';
