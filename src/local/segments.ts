import { join } from 'node:path';
import { ensureFolder, type Clock, type Disk, type DiskFile } from '../host/host.ts';
import type { BatchHeader } from '../log/log.ts';
import { monthOfBatch, startOfMonthMs, type Month } from '../schedule/schedule.ts';
import { monthFolder, segmentFileName } from './layout.ts';

interface OpenSegment {
  readonly file: DiskFile;
  readonly path: string;
  readonly month: Month;
  byteLength: number;
  syncedBytes: number;
}

/** Batches that lie side by side in memory or not, and all go into one segment. */
export interface Span {
  readonly month: Month;
  /** True where it begins a segment of its own although another is open. */
  roll: boolean;
  readonly base: bigint;
  readonly pieces: Buffer[];
  byteLength: number;
  pieceEnd: number;
}

/** What a sync has to make durable: what was written when it was taken. */
export interface Unsynced {
  readonly closing: readonly OpenSegment[];
  readonly open: OpenSegment | undefined;
  readonly openBytes: number;
  readonly isRolled: boolean;
}

/**
 * The open segment of one partition, and those that wait to be synced and closed. Decides where each batch goes: by
 * month, and by size. One call at a time, but for `take`, `sync` and `close`, which go beside the writes.
 */
export class SegmentsWriter {
  readonly #ports: { readonly disk: Disk; readonly clock: Clock };
  readonly #folder: string;
  readonly #segmentBytesMax: number;
  #segment: OpenSegment | undefined;
  #closing: OpenSegment[] = [];
  readonly #foldersToSync = new Set<string>();
  #month: Month | undefined;
  #monthEnds = 0n;
  #isBegun = false;

  constructor(
    ports: { readonly disk: Disk; readonly clock: Clock },
    o: { folder: string; segmentBytesMax: number; month: Month | undefined },
  ) {
    this.#ports = ports;
    this.#folder = o.folder;
    this.#segmentBytesMax = o.segmentBytesMax;
    this.#placeIn(o.month);
  }

  /** True where closed segments wait for a sync. */
  get isClosing(): boolean {
    return this.#closing.length > 0;
  }

  /** Groups batches by the segment they go into. To be written span by span, in order. */
  *spansOf(bytes: Buffer, batches: readonly BatchHeader[]): Generator<Span> {
    let span: Span | undefined;
    let segmentBytes = this.#segment?.byteLength ?? 0;
    for (const batch of batches) {
      const month = this.#monthOf(batch.maxTimestamp);
      const isSameSegment =
        month === (span?.month ?? this.#segment?.month) &&
        segmentBytes + batch.byteLength <= this.#segmentBytesMax;
      if (!isSameSegment) segmentBytes = 0;
      segmentBytes += batch.byteLength;
      if (span !== undefined && isSameSegment) {
        addTo(span, bytes, batch);
        continue;
      }
      if (span !== undefined) yield span;
      const roll = !isSameSegment;
      span = { month, roll, base: batch.baseOffset, pieces: [], byteLength: 0, pieceEnd: -1 };
      addTo(span, bytes, batch);
    }
    if (span !== undefined) yield span;
  }

  /** May be called again with the same span after it failed: it goes on where it was. */
  async write(span: Span, branch: number): Promise<void> {
    let segment = this.#segment;
    if (segment === undefined || span.roll) {
      this.retire();
      segment = await this.#create(span, branch);
      this.#segment = segment;
    }
    await segment.file.write(span.pieces, segment.byteLength);
    segment.byteLength += span.byteLength;
  }

  /** What is written next begins a new segment. */
  retire(): void {
    if (this.#segment !== undefined) this.#closing.push(this.#segment);
    this.#segment = undefined;
  }

  /** What a sync that begins now has to make durable. */
  take(): Unsynced {
    const closing = [...this.#closing];
    const isRolled = this.#isBegun || closing.length > 0;
    this.#isBegun = false;
    return { closing, open: this.#segment, openBytes: this.#segment?.byteLength ?? 0, isRolled };
  }

  async sync({ closing, open, openBytes }: Unsynced): Promise<void> {
    for (const segment of closing) await syncSegment(segment, segment.byteLength);
    if (open !== undefined) await syncSegment(open, openBytes);
    for (const folder of this.#foldersToSync) {
      await this.#ports.disk.syncFolder(folder);
      this.#foldersToSync.delete(folder);
    }
  }

  /** After the journal tells of them too. */
  async close({ closing }: Unsynced): Promise<void> {
    this.#closing = this.#closing.slice(closing.length);
    for (const segment of closing) await segment.file.close();
  }

  /**
   * Cuts off what was not synced, and closes: the kernel may have dropped it while it still shows it. May be called
   * again after it failed, for what is left.
   */
  async abandon(): Promise<void> {
    this.retire();
    for (let segment = this.#closing[0]; segment !== undefined; segment = this.#closing[0]) {
      await this.#cutUnsynced(segment);
      this.#closing.shift();
      await segment.file.close();
    }
  }

  async #cutUnsynced(segment: OpenSegment): Promise<void> {
    if (segment.syncedBytes > 0) await segment.file.truncate(segment.syncedBytes);
    else await this.#ports.disk.removeFile(segment.path);
  }

  async #create(span: Span, branch: number): Promise<OpenSegment> {
    const folder = monthFolder(this.#folder, span.month);
    await ensureFolder(this.#ports.disk, folder);
    const path = join(folder, segmentFileName({ base: span.base, branch }));
    const file = await this.#ports.disk.open(path, 'create');
    this.#foldersToSync.add(folder);
    this.#isBegun = true;
    span.roll = false; // made: a write that is tried again goes on in it
    return { file, path, month: span.month, byteLength: 0, syncedBytes: 0 };
  }

  #monthOf(maxTimestamp: bigint): Month {
    const soFar = this.#month;
    if (soFar !== undefined && maxTimestamp < this.#monthEnds) return soFar;
    const month = monthOfBatch({ maxTimestamp, nowMs: this.#ports.clock.nowMs(), soFar });
    this.#placeIn(month);
    return month;
  }

  #placeIn(month: Month | undefined): void {
    this.#month = month;
    if (month !== undefined) this.#monthEnds = BigInt(startOfMonthMs(month + 1));
  }
}

async function syncSegment(segment: OpenSegment, byteLength: number): Promise<void> {
  if (segment.syncedBytes >= byteLength) return;
  await segment.file.sync();
  segment.syncedBytes = byteLength;
}

function addTo(span: Span, bytes: Buffer, batch: BatchHeader): void {
  const end = batch.position + batch.byteLength;
  const last = span.pieces.length - 1;
  const piece = span.pieces[last];
  if (piece !== undefined && span.pieceEnd === batch.position) {
    span.pieces[last] = bytes.subarray(batch.position - piece.length, end);
  } else span.pieces.push(bytes.subarray(batch.position, end));
  span.pieceEnd = end;
  span.byteLength += batch.byteLength;
}
