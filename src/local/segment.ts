import { batchHeaderBytes, checkBatch, nextOffsetOf, scanBatches, type BatchHeader } from '../log/log.ts';
import type { DiskFile } from '../host/host.ts';

/** What a walk through one segment file found. */
export interface SegmentWalk {
  /** Length of the part that holds whole, checked batches. */
  readonly validBytes: number;
  readonly fileBytes: number;
  /** Why the walk ended before the end of the file, in words. */
  readonly problem: string | undefined;
}

/** A file is read in pieces of this size; a batch that is larger is read as a whole. */
const pieceBytes = 4 * 1024 * 1024;

/** One whole batch in a buffer that stays untouched until the next one is asked for. */
export interface BatchInFile {
  readonly bytes: Buffer;
  readonly header: BatchHeader;
  readonly filePosition: number;
}

/**
 * Walks the batches of a segment in file order, each checked against its own checksum, and ends at the first that is
 * torn or damaged. What a length field claims is never allocated before the file was seen to hold it.
 */
export async function* walkSegment(
  file: DiskFile,
  from = 0,
): AsyncGenerator<BatchInFile, SegmentWalk, undefined> {
  const fileBytes = await file.byteLength();
  let at = from;
  let wanted = pieceBytes;
  while (at < fileBytes) {
    const piece = Buffer.allocUnsafe(Math.min(wanted, fileBytes - at));
    const filled = await file.read(piece, at);
    const bytes = piece.subarray(0, filled);
    const scan = scanBatches(bytes);
    for (const header of scan.batches) {
      const problem = checkBatch(bytes, header);
      if (problem !== undefined) {
        return { validBytes: at + header.position, fileBytes, problem: problem.message };
      }
      yield { bytes, header, filePosition: at + header.position };
    }
    at += scan.end;
    if (scan.problem !== undefined) return { validBytes: at, fileBytes, problem: scan.problem.message };
    if (scan.end > 0) {
      wanted = pieceBytes;
      continue;
    }
    const needed = scan.partial?.byteLength ?? batchHeaderBytes;
    if (needed > fileBytes - at || filled < piece.length) {
      return { validBytes: at, fileBytes, problem: `the file ends inside a batch at byte ${at}` };
    }
    wanted = Math.max(needed, pieceBytes);
  }
  return { validBytes: at, fileBytes, problem: undefined };
}

/** What a segment tells of itself: where it begins and ends, and the epochs that begin in it. */
export interface SegmentEnds extends SegmentWalk {
  readonly next: bigint | undefined;
  readonly epochStarts: readonly { epoch: number; from: bigint }[];
}

export async function measureSegment(file: DiskFile): Promise<SegmentEnds> {
  const walk = walkSegment(file);
  const epochStarts: { epoch: number; from: bigint }[] = [];
  let next: bigint | undefined;
  for (;;) {
    const step = await walk.next();
    if (step.done) return { ...step.value, next, epochStarts };
    const { header } = step.value;
    next = nextOffsetOf(header);
    if ((epochStarts.at(-1)?.epoch ?? -1) < header.leaderEpoch) {
      epochStarts.push({ epoch: header.leaderEpoch, from: header.baseOffset });
    }
  }
}
