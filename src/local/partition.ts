import { join } from 'node:path';
import { codeOf, ensureFolder, type Clock, type Disk, type DiskFile, type Random } from '../host/host.ts';
import { nextOffsetOf, type BatchHeader } from '../log/log.ts';
import { monthOfBatch, startOfMonthMs, type Month } from '../schedule/schedule.ts';
import {
  addGap,
  addTruncation,
  beginAt,
  branchOf,
  extend,
  positionOf,
  type Coverage,
  type EpochStart,
  type Position,
} from './coverage.ts';
import { Journal } from './journal.ts';
import { monthFolder, partitionFolder, segmentFileName, type PartitionKey } from './layout.ts';
import { recoverPartition, type Repair } from './recover.ts';

export interface PartitionPorts {
  readonly disk: Disk;
  readonly random: Random;
  readonly clock: Clock;
}

export interface PartitionOptions {
  readonly segmentBytes: number;
  /** Called when the disk refuses a write: resolves when it should be tried again, rejects to give up. */
  readonly onRefusal: (error: unknown) => Promise<void>;
}

/** Checked batches in a buffer that stays untouched until they are written. */
export interface Append {
  readonly bytes: Buffer;
  /** The batches to keep, in offset order. What was filtered out is absent. */
  readonly batches: readonly BatchHeader[];
  /** Where the partition stands behind all that was fetched, kept or not. */
  readonly end: Position;
  readonly epochStarts: readonly EpochStart[];
}

interface OpenSegment {
  readonly file: DiskFile;
  readonly path: string;
  readonly month: Month;
  byteLength: number;
  syncedBytes: number;
}

/**
 * The write side of one partition: appends batches to month segments, makes them durable, keeps the journal.
 *
 * Appends are queued in order and written one behind the other; `sync` makes durable what was written when it was
 * called. A segment that was closed, or that another process began, is never appended to.
 */
export class PartitionLog implements AsyncDisposable {
  readonly key: PartitionKey;
  readonly repairs: readonly Repair[];
  readonly #ports: PartitionPorts;
  readonly #options: PartitionOptions;
  readonly #folder: string;
  /** What the files and the journal cover once everything written so far is synced. */
  #written: Coverage;
  #durable: Coverage;
  #journal: Journal | undefined;
  #journalIsBehind = false;
  #segment: OpenSegment | undefined;
  #closing: OpenSegment[] = [];
  #foldersToSync = new Set<string>();
  #month: Month | undefined;
  #monthEnds = 0n;
  #writes: Promise<void> = Promise.resolve();
  #syncs: Promise<unknown> = Promise.resolve();

  private constructor(
    key: PartitionKey,
    at: { folder: string; coverage: Coverage; month: Month | undefined; repairs: readonly Repair[] },
    ports: PartitionPorts,
    options: PartitionOptions,
  ) {
    this.key = key;
    this.repairs = at.repairs;
    this.#folder = at.folder;
    this.#written = at.coverage;
    this.#durable = at.coverage;
    this.#ports = ports;
    this.#options = options;
    this.#placeIn(at.month);
  }

  /** Recovers what is there after any kind of end. Nothing is created before something is to be kept. */
  static async open(
    localFolder: string,
    key: PartitionKey,
    ports: PartitionPorts,
    options: PartitionOptions,
  ): Promise<PartitionLog> {
    const folder = partitionFolder(localFolder, key);
    const recovered = await recoverPartition(ports.disk, folder);
    const log = new PartitionLog(key, { folder, ...recovered }, ports, options);
    if (positionOf(recovered.coverage) !== undefined) await log.#openJournal(recovered.coverage);
    return log;
  }

  /** What is written and journalled, or will be when the queue has been worked off and synced. */
  get coverage(): Coverage {
    return this.#written;
  }

  get durable(): Position | undefined {
    return positionOf(this.#durable);
  }

  /** True while a sync would change something. */
  get isDirty(): boolean {
    return this.#written !== this.#durable || this.#closing.length > 0;
  }

  /** Starts the first range. Before anything else, and once. */
  async begin(offset: bigint): Promise<void> {
    if (positionOf(this.#written) !== undefined) throw new Error('the partition has begun already');
    await this.#journalled((coverage) => beginAt(coverage, offset));
  }

  /** Goes on behind records that the cluster no longer has. */
  async skipGap(from: bigint, to: bigint): Promise<void> {
    const at = new Date(this.#ports.clock.nowMs()).toISOString();
    await this.#journalled((coverage) => addGap(coverage, { from, to, at }));
  }

  /** Goes on at an offset from which the cluster lost or rewrote records: what was saved stays, a new branch begins. */
  async truncate(offset: bigint, epoch: number): Promise<void> {
    const at = new Date(this.#ports.clock.nowMs()).toISOString();
    await this.#journalled((coverage) => addTruncation(coverage, { offset, epoch, at }));
  }

  /** Resolves when nothing is waiting to be written. */
  async flush(): Promise<void> {
    await this.#writes;
  }

  /** Resolves when the batches are with the operating system; the buffer is free again then. */
  async append(append: Append): Promise<void> {
    await this.#enqueue(async () => {
      for (const span of this.#spansOf(append)) await this.#write(span);
      const behindLast = append.batches.at(-1);
      // The files themselves prove the position only as far as their last batch.
      if (behindLast === undefined || nextOffsetOf(behindLast) !== append.end.offset)
        this.#journalIsBehind = true;
      this.#written = extend(this.#written, append.end.offset, append.epochStarts);
    });
  }

  /** From here on, batches go to a new segment. In memory only: the old one is closed by the next sync. */
  cut(): void {
    this.#enqueue(async () => this.#retire()).catch(() => undefined); // a broken queue shows itself to the appender
  }

  /** Makes durable what was written before the call, and returns the position that now is. */
  async sync(): Promise<Position | undefined> {
    const sync = this.#syncs.then(async () => this.#sync());
    this.#syncs = sync.catch(() => undefined); // told to this call's own caller
    return await sync;
  }

  /** Waits for the queue, makes it durable and closes the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writes;
    this.#retire();
    try {
      await this.sync();
    } finally {
      await this.#journal?.[Symbol.asyncDispose]();
    }
  }

  /**
   * Lets go after a write or a sync that failed for good. What was not synced is cut off, since the kernel may have
   * dropped it while it still shows it; a new `open` then fetches it again.
   */
  async abandon(): Promise<void> {
    await this.#writes.catch(() => undefined); // known: it is why the log is abandoned
    this.#retire();
    try {
      for (const segment of this.#closing) await this.#cutUnsynced(segment);
    } finally {
      for (const segment of this.#closing.splice(0)) await segment.file.close();
      await this.#journal?.[Symbol.asyncDispose]();
    }
  }

  async #cutUnsynced(segment: OpenSegment): Promise<void> {
    if (segment.syncedBytes > 0) await segment.file.truncate(segment.syncedBytes);
    else await this.#ports.disk.removeFile(segment.path);
  }

  async #enqueue(work: () => Promise<void>): Promise<void> {
    this.#writes = this.#writes.then(work);
    await this.#writes;
  }

  /** A discontinuity: everything before it is durable first, and it is itself before anything is fetched behind it. */
  async #journalled(change: (coverage: Coverage) => Coverage): Promise<void> {
    await this.#writes;
    this.#retire();
    await this.sync();
    const changed = change(this.#written);
    await this.#persist(async () => {
      if (this.#journal === undefined) await this.#openJournal(changed);
      else await this.#journal.write(changed);
    });
    this.#written = changed;
    this.#durable = changed;
  }

  async #openJournal(coverage: Coverage): Promise<void> {
    await ensureFolder(this.#ports.disk, this.#folder);
    this.#journal = await Journal.open(this.#ports, this.#folder, coverage);
  }

  /** Groups batches that lie side by side and belong to one segment. */
  *#spansOf({ bytes, batches }: Append): Generator<Span> {
    let span: Span | undefined;
    let segmentBytes = this.#segment?.byteLength ?? 0;
    for (const batch of batches) {
      const month = this.#monthOf(batch.maxTimestamp);
      const isSameSegment =
        month === (span?.month ?? this.#segment?.month) &&
        segmentBytes + batch.byteLength <= this.#options.segmentBytes;
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

  #monthOf(maxTimestamp: bigint): Month {
    const month = this.#month;
    if (month !== undefined && maxTimestamp < this.#monthEnds) return month;
    const nowMs = this.#ports.clock.nowMs();
    return this.#placeIn(monthOfBatch({ maxTimestamp, nowMs, soFar: month })) ?? month ?? 0;
  }

  #placeIn(month: Month | undefined): Month | undefined {
    this.#month = month;
    if (month !== undefined) this.#monthEnds = BigInt(startOfMonthMs(month + 1));
    return month;
  }

  async #write(span: Span): Promise<void> {
    await this.#persist(async () => {
      let segment = this.#segment;
      if (segment === undefined || span.roll) {
        this.#retire();
        segment = await this.#create(span);
        this.#segment = segment;
      }
      await segment.file.write(span.pieces, segment.byteLength);
    });
    if (this.#segment !== undefined) this.#segment.byteLength += span.byteLength;
  }

  async #create(span: Span): Promise<OpenSegment> {
    const folder = monthFolder(this.#folder, span.month);
    await ensureFolder(this.#ports.disk, folder);
    const name = segmentFileName({ base: span.base, branch: branchOf(this.#written) });
    const path = join(folder, name);
    const file = await this.#ports.disk.open(path, 'create');
    this.#foldersToSync.add(folder);
    this.#journalIsBehind = true;
    span.roll = false; // made: a write that is tried again goes on in it
    return { file, path, month: span.month, byteLength: 0, syncedBytes: 0 };
  }

  #retire(): void {
    if (this.#segment !== undefined) this.#closing.push(this.#segment);
    this.#segment = undefined;
  }

  async #sync(): Promise<Position | undefined> {
    const covered = this.#written;
    const closing = [...this.#closing];
    const open = this.#segment;
    const openBytes = open?.byteLength ?? 0;
    const isJournalBehind = this.#journalIsBehind || closing.length > 0;
    if (!this.isDirty) return this.durable;
    this.#journalIsBehind = false;
    try {
      for (const segment of closing) await syncSegment(segment, segment.byteLength);
      if (open !== undefined) await syncSegment(open, openBytes);
      for (const folder of this.#foldersToSync) {
        await this.#ports.disk.syncFolder(folder);
        this.#foldersToSync.delete(folder);
      }
      if (isJournalBehind) await this.#journal?.write(covered);
    } catch (error) {
      this.#journalIsBehind ||= isJournalBehind;
      throw error;
    }
    this.#durable = covered;
    this.#closing = this.#closing.slice(closing.length);
    for (const segment of closing) await segment.file.close();
    return this.durable;
  }

  /** Repeats an operation for as long as somebody says that it is worth it. Positional writes make that harmless. */
  async #persist(operation: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await operation();
        return;
      } catch (error) {
        // A name that is taken stays taken: only a recovery can tell what stands there.
        if (codeOf(error) === undefined || codeOf(error) === 'EEXIST') throw error;
        await this.#options.onRefusal(error);
      }
    }
  }
}

async function syncSegment(segment: OpenSegment, byteLength: number): Promise<void> {
  if (segment.syncedBytes >= byteLength) return;
  await segment.file.sync();
  segment.syncedBytes = byteLength;
}

interface Span {
  readonly month: Month;
  /** True where it begins a segment of its own although another is open. */
  roll: boolean;
  readonly base: bigint;
  readonly pieces: Buffer[];
  byteLength: number;
  pieceEnd: number;
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
