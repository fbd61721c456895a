import { codeOf, ensureFolder, type Clock, type Disk, type Random } from '../host/host.ts';
import { nextOffsetOf, type BatchHeader } from '../log/log.ts';
import type { Month } from '../schedule/schedule.ts';
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
import { partitionFolder, type PartitionKey } from './layout.ts';
import { recoverPartition, type Repair } from './recover.ts';
import { SegmentsWriter } from './segments.ts';

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
  readonly #segments: SegmentsWriter;
  /** What the files and the journal cover once everything written so far is synced. */
  #written: Coverage;
  #durable: Coverage;
  #journal: Journal | undefined;
  #journalIsBehind = false;
  #appendsBegun = 0;
  /** When the journal was last written. */
  #lastJournal: { readonly covered: Coverage; readonly appendsBegun: number } | undefined;
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
    const { folder, month } = at;
    this.#segments = new SegmentsWriter(ports, { folder, month, segmentBytesMax: options.segmentBytes });
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
    return this.#written !== this.#durable || this.#segments.isClosing;
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
      this.#appendsBegun += 1;
      const branch = branchOf(this.#written);
      for (const span of this.#segments.spansOf(append.bytes, append.batches)) {
        await this.#persist(async () => this.#segments.write(span, branch));
      }
      const behindLast = append.batches.at(-1);
      // The files themselves prove the position only as far as their last batch.
      if (behindLast === undefined || nextOffsetOf(behindLast) !== append.end.offset)
        this.#journalIsBehind = true;
      this.#written = extend(this.#written, append.end.offset, append.epochStarts);
    });
  }

  /**
   * From here on, batches go to a new segment. In memory only: the old one is closed by the next sync. What is covered
   * up to the cut is told once the queue has come there; undefined where the queue is broken, which its appender sees.
   */
  async cut(): Promise<Coverage | undefined> {
    let covered: Coverage | undefined;
    try {
      await this.#enqueue(async () => {
        this.#segments.retire();
        covered = this.#written;
      });
    } catch {
      return undefined;
    }
    return covered;
  }

  /**
   * Makes durable what was written before the call, and returns the position that now is. One that failed fails ever
   * after: the kernel may have dropped what it could not write, and would call a second try a success.
   */
  async sync(): Promise<Position | undefined> {
    const sync = this.#syncs.then(async () => this.#sync());
    this.#syncs = sync;
    sync.catch(() => undefined); // told to this call's own caller, and to every later one
    return await sync;
  }

  /** Waits for the queue, makes it durable and closes the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writes;
    this.#segments.retire();
    try {
      await this.sync();
    } finally {
      await this.#journal?.[Symbol.asyncDispose]();
    }
  }

  /**
   * Lets go after a write or a sync that failed for good. What was not synced is cut off, since the kernel may have
   * dropped it while it still shows it; a new `open` then fetches it again. To be tried again where it fails.
   */
  async abandon(): Promise<void> {
    await this.#writes.catch(() => undefined); // known: it is why the log is abandoned
    await this.#segments.abandon();
    await this.#journal?.[Symbol.asyncDispose]();
  }

  async #enqueue(work: () => Promise<void>): Promise<void> {
    this.#writes = this.#writes.then(work);
    await this.#writes;
  }

  /** A discontinuity: everything before it is durable first, and it is itself before anything is fetched behind it. */
  async #journalled(change: (coverage: Coverage) => Coverage): Promise<void> {
    await this.#writes;
    this.#segments.retire();
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

  async #sync(): Promise<Position | undefined> {
    if (!this.isDirty) return this.durable;
    const covered = this.#written;
    const unsynced = this.#segments.take();
    const isJournalBehind = this.#journalIsBehind || unsynced.isRolled || this.#looksOlder(covered);
    this.#journalIsBehind = false;
    try {
      await this.#segments.sync(unsynced);
      if (isJournalBehind) {
        await this.#journal?.write(covered);
        this.#lastJournal = { covered, appendsBegun: this.#appendsBegun };
      }
    } catch (error) {
      this.#journalIsBehind ||= isJournalBehind;
      throw error;
    }
    this.#durable = covered;
    await this.#segments.close(unsynced);
    return this.durable;
  }

  /** A reader takes files that look no newer than the journal for no longer than it says: what came while it was written must be in it. */
  #looksOlder(covered: Coverage): boolean {
    const last = this.#lastJournal;
    return last !== undefined && last.covered !== covered && last.appendsBegun === this.#appendsBegun;
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
