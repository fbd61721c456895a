import type { Disk } from '../host/host.ts';
import { listIncarnations, listSegments, partitionFolder } from '../local/local.ts';
import type { UnsavedBytes } from '../page/page.ts';
import type { Month } from '../schedule/schedule.ts';
import { durableKey } from '../sink/sink.ts';
import type { Strata } from '../snapshot/snapshot.ts';

/**
 * How much lies on the local disk and in no snapshot, month by month. One call at a time, so that writing never waits
 * for looking; a segment that is not the last of its partition was closed, and is measured once.
 */
export class UnsavedScan {
  readonly #disk: Disk;
  readonly #folder: string;
  #saved: ReadonlyMap<string, bigint> = new Map();
  #closed: ReadonlyMap<string, number> = new Map();
  #looking: Promise<void> | undefined;
  found: UnsavedBytes | undefined;

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /** A segment below these offsets is in a snapshot: a cut ends the segments before it. */
  noteSaved(topics: Strata['topics']): void {
    this.#saved = new Map(
      topics.flatMap(({ topicId, partitions }) =>
        partitions.map(({ partition, to }) => [durableKey({ topicId, partition }), to] as const),
      ),
    );
  }

  async look(signal: AbortSignal): Promise<void> {
    const before = this.#looking;
    const looking = (async () => {
      await before?.catch(() => undefined); // whoever asked for it hears of it
      await this.#look(signal);
    })();
    this.#looking = looking;
    await looking;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const found = new Map<string, { topic: string; months: Map<Month, number> }>();
    const closed = new Map<string, number>();
    const saved = this.#saved;
    for (const { topic, topicId, partitions } of await listIncarnations(this.#disk, this.#folder)) {
      const months = new Map<Month, number>();
      found.set(topicId, { topic, months });
      for (const partition of partitions) {
        if (signal.aborted) return;
        const end = saved.get(durableKey({ topicId, partition })) ?? 0n;
        const folder = partitionFolder(this.#folder, { topic, topicId, partition });
        const segments = await listSegments(this.#disk, folder);
        for (const [index, { path, base, month }] of segments.entries()) {
          if (base < end) continue;
          const known = this.#closed.get(path);
          const bytes = known ?? (await this.#disk.stat(path))?.byteLength ?? 0;
          if (index < segments.length - 1) closed.set(path, bytes);
          months.set(month, (months.get(month) ?? 0) + bytes);
        }
      }
    }
    this.#closed = closed;
    this.found = found;
  }
}
