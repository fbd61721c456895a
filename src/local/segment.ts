import { batchHeaderBytes, checkBatch, nextOffsetOf, scanBatches, type BatchHeader } from '../log/log.ts';
import type { Disk, DiskFile } from '../host/host.ts';

/** What a walk through one segment file found. */
export interface SegmentWalk {
  /** Length of the part that holds whole, checked batches. */
  readonly validBytes: number;
  readonly fileBytes: number;
  /** Why the walk ended before the end of the file, in words. */
  readonly problem: string | undefined;
  /** The base offset that stands where the walk ended, as far as it can be read. */
  readonly problemBase: bigint | undefined;
  /** A whole batch in the wrong place: no crash leaves that. */
  readonly isDisorder: boolean;
}

/** A file is read in pieces of this size; a batch that is larger is read as a whole. */
const pieceBytes = 1024 * 1024;
/** Of small files many are read side by side. */
const smallFileBytes = 4 * 1024 * 1024;
const smallPieceBytes = 128 * 1024;

/** One whole batch in a buffer that stays untouched until the next one is asked for. */
export interface BatchInFile {
  readonly bytes: Buffer;
  readonly header: BatchHeader;
  readonly filePosition: number;
}

/**
 * Walks the batches of a segment in file order and ends at the first that is torn or damaged. Each is checked against
 * its own checksum; the base offset, which that does not cover, against the file's name and the batch before. What a
 * length field claims is never allocated before the file was seen to hold it.
 */
export async function* walkSegment(
  file: Pick<DiskFile, 'read' | 'byteLength'>,
  base: bigint,
): AsyncGenerator<BatchInFile, SegmentWalk, undefined> {
  const fileBytes = await file.byteLength();
  const ended = { fileBytes, problem: undefined, problemBase: undefined, isDisorder: false };
  let at = 0;
  let next = base;
  const usual = fileBytes <= smallFileBytes ? smallPieceBytes : pieceBytes;
  let wanted = usual;
  let memory: Buffer = Buffer.alloc(0);
  while (at < fileBytes) {
    const pieceLength = Math.min(wanted, fileBytes - at);
    if (memory.length < pieceLength) memory = Buffer.allocUnsafeSlow(pieceLength);
    const piece = memory.subarray(0, pieceLength);
    const filled = await file.read(piece, at);
    const bytes = piece.subarray(0, filled);
    const scan = scanBatches(bytes);
    for (const header of scan.batches) {
      const filePosition = at + header.position;
      const problem = checkBatch(bytes, header);
      if (problem !== undefined) {
        const { message, baseOffset } = problem;
        return { ...ended, validBytes: filePosition, problem: message, problemBase: baseOffset };
      }
      const disorder = checkOrder(header, { next, isFirst: filePosition === 0 });
      if (disorder !== undefined) {
        return { ...ended, validBytes: filePosition, problem: disorder, isDisorder: true };
      }
      yield { bytes, header, filePosition };
      next = nextOffsetOf(header);
    }
    const problemBase = bytes.length - scan.end >= 8 ? bytes.readBigInt64BE(scan.end) : undefined;
    at += scan.end;
    if (scan.problem !== undefined) {
      return { ...ended, validBytes: at, problem: scan.problem.message, problemBase };
    }
    if (scan.end > 0) {
      wanted = usual;
      continue;
    }
    const needed = scan.partial?.byteLength ?? batchHeaderBytes;
    if (needed > fileBytes - at || filled < piece.length) {
      const problem = `the file ends inside a batch at byte ${at}`;
      return { ...ended, validBytes: at, problem, problemBase };
    }
    wanted = Math.max(needed, usual);
  }
  return { ...ended, validBytes: at };
}

function checkOrder(header: BatchHeader, o: { next: bigint; isFirst: boolean }): string | undefined {
  const { baseOffset } = header;
  if (o.isFirst ? baseOffset === o.next : baseOffset >= o.next) return undefined;
  return `base offset of the batch: expected ${o.isFirst ? '' : 'at least '}${o.next}, got ${baseOffset}`;
}

/** What a segment tells of itself: where it begins and ends, and the epochs that begin in it. */
export interface SegmentEnds extends SegmentWalk {
  readonly next: bigint | undefined;
  /** Length of the part that ends at or below the offset asked for. */
  readonly belowBytes: number;
  readonly epochStarts: readonly { epoch: number; from: bigint }[];
}

export async function measureSegment(file: DiskFile, base: bigint, offset = base): Promise<SegmentEnds> {
  const walk = walkSegment(file, base);
  const epochStarts: { epoch: number; from: bigint }[] = [];
  let next: bigint | undefined;
  let belowBytes = 0;
  for (;;) {
    const step = await walk.next();
    if (step.done) return { ...step.value, next, belowBytes, epochStarts };
    const { header, filePosition } = step.value;
    next = nextOffsetOf(header);
    if (next <= offset) belowBytes = filePosition + header.byteLength;
    if ((epochStarts.at(-1)?.epoch ?? -1) < header.leaderEpoch) {
      epochStarts.push({ epoch: header.leaderEpoch, from: header.baseOffset });
    }
  }
}

/** Gives a part of the file to the kernel once more: where a sync failed, it takes for clean what never came to disk. */
export async function writeAgain(file: DiskFile, o: { from: number; to: number }): Promise<void> {
  const piece = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(0, o.to - o.from)));
  for (let at = o.from; at < o.to; at += piece.length) {
    const filled = await file.read(piece.subarray(0, o.to - at), at);
    await file.write([piece.subarray(0, filled)], at);
  }
}

/** The offset behind the last whole batch of a segment file; undefined where it holds none. */
export async function measureSegmentFile(
  disk: Disk,
  segment: { readonly path: string; readonly base: bigint },
): Promise<bigint | undefined> {
  const file = await disk.open(segment.path, 'read');
  try {
    return (await measureSegment(file, segment.base)).next;
  } finally {
    await file.close();
  }
}
