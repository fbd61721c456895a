import type { RawRecord } from './encode.ts';
import { RecordCursor } from './varint.ts';

/** A view; null where it has none. Throws `damage`. */
export function keyOfBody({ offset, body }: RawRecord): Buffer | null {
  return new RecordCursor(body, { from: 0, to: body.length }, `the record at offset ${offset}`).nullableBytes(
    'key',
  );
}
