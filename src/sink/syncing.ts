import type { Clock } from '../host/host.ts';
import type { DiskRoom } from './room.ts';
import type { PartitionStream } from './stream.ts';

/** Enough to let the disk group its work, few enough to leave threads for writing. */
const syncsAtOnceMax = 8;
/** More than this unsynced starts a sync before its time, so that the disk never stands idle. */
const unsyncedBytesMax = 32 * 1024 * 1024;

/** Makes durable what was written, and knows how far behind the disk is. */
export class Syncing {
  readonly #streams: () => Iterable<PartitionStream>;
  readonly #room: DiskRoom;
  readonly #clock: Pick<Clock, 'nowMs'>;
  #syncedBytes = 0;
  #lastMs: number | undefined;
  #behindSinceMs: number | undefined;

  constructor(
    streams: () => Iterable<PartitionStream>,
    ports: { room: DiskRoom; clock: Pick<Clock, 'nowMs'> },
  ) {
    this.#streams = streams;
    this.#room = ports.room;
    this.#clock = ports.clock;
  }

  /** When everything that had been written was last on disk; undefined before the first time. */
  get lastMs(): number | undefined {
    return this.#lastMs;
  }

  /** Since when something has been written that is not on disk, to about a second; undefined while all is. */
  get behindSinceMs(): number | undefined {
    return this.#behindSinceMs;
  }

  isDue(): boolean {
    return this.#writtenBytes() - this.#syncedBytes >= unsyncedBytesMax;
  }

  /** A partition whose sync fails begins again from what is durable. */
  async all(): Promise<void> {
    const bytes = this.#writtenBytes();
    const beganMs = this.#clock.nowMs();
    const dirty = [...this.#streams()].filter((stream) => stream.log.isDirty || stream.isReopening);
    if (dirty.length > 0) this.#behindSinceMs ??= beganMs;
    const able = dirty.filter((stream) => !stream.isReopening);
    let failed = dirty.length - able.length;
    const work = async (): Promise<void> => {
      for (let stream = able.shift(); stream !== undefined; stream = able.shift())
        if (!(await this.#one(stream))) failed += 1;
    };
    await Promise.all(Array.from({ length: syncsAtOnceMax }, work));
    this.#syncedBytes = bytes;
    if (failed > 0) return;
    this.#lastMs = beganMs;
    this.#behindSinceMs = undefined;
  }

  async #one(stream: PartitionStream): Promise<boolean> {
    const { log } = stream;
    try {
      await log.sync();
      stream.syncedMs = this.#clock.nowMs();
      this.#room.worked();
      return true;
    } catch (error) {
      if (log === stream.log) stream.reopen(error);
      return false;
    }
  }

  #writtenBytes(): number {
    let bytes = 0;
    for (const stream of this.#streams()) bytes += stream.bytes;
    return bytes;
  }
}
