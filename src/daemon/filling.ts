interface Seen {
  readonly atMs: number;
  readonly freeBytes: number;
}

const windowMs = 6 * 3_600_000;
const everyMs = 60_000;
/** Over less time than this, one large file counts as a trend. */
const windowMinMs = 30 * 60_000;

/** How fast a disk has filled of late: what is seen of it is remembered for six hours, once a minute. */
export class Filling {
  #seen: readonly Seen[] = [];

  note(now: Seen): void {
    const last = this.#seen.at(-1);
    if (last !== undefined && now.atMs < last.atMs) this.#seen = []; // the clock was set back
    else if (last !== undefined && now.atMs - last.atMs < everyMs) return;
    this.#seen = [...this.#seen.filter(({ atMs }) => now.atMs - atMs <= windowMs), now];
  }

  /** Until no more than `floorBytes` are free at that rate; undefined where it does not fill, or was not watched for long. */
  untilMs(floorBytes: number): number | undefined {
    const first = this.#seen[0];
    const last = this.#seen.at(-1);
    if (first === undefined || last === undefined || last.atMs - first.atMs < windowMinMs) return undefined;
    const takenBytes = first.freeBytes - last.freeBytes;
    if (takenBytes <= 0) return undefined;
    return (Math.max(0, last.freeBytes - floorBytes) * (last.atMs - first.atMs)) / takenBytes;
  }
}
