/** Where the bytes of a response are put while they arrive and until they are released. */
export interface FrameMemory {
  /** At least that many bytes, or undefined where there is no room now. */
  take(byteLength: number): Buffer | undefined;
  /** Exchanges a buffer for a larger one with the same beginning, room or no room: a frame that has begun must end. */
  grow(buffer: Buffer, byteLength: number): Buffer;
  give(buffer: Buffer): void;
  /** Calls back once, when something was given back. */
  onRoom(run: () => void): { cancel(): void };
}

/** For small answers: each has memory of its own, and the garbage collector takes it back. */
export const plainMemory: FrameMemory = {
  take: (byteLength) => Buffer.allocUnsafeSlow(byteLength),
  grow(buffer, byteLength) {
    const larger = Buffer.allocUnsafeSlow(byteLength);
    buffer.copy(larger);
    return larger;
  },
  give: () => undefined,
  onRoom: () => ({ cancel: () => undefined }),
};

const mebibyte = 1024 * 1024;
/** What a response needs around its records; keeps a full fetch of n MiB in a buffer of n MiB and a little. */
const slackBytes = 64 * 1024;

/**
 * Memory for fetch responses: buffers are used again, so that the process stays as large as its largest moment.
 * Once `bytesInFlightMax` is taken there is no room until something is given back; a first frame always has room.
 */
export class FramePool implements FrameMemory {
  readonly #bytesInFlightMax: number;
  readonly #waiting = new Set<() => void>();
  #free: Buffer[] = [];
  #taken = 0;

  constructor(options: { bytesInFlightMax: number }) {
    this.#bytesInFlightMax = options.bytesInFlightMax;
  }

  get bytesInFlight(): number {
    return this.#taken;
  }

  get bytesKept(): number {
    return this.#free.reduce((sum, buffer) => sum + buffer.length, 0);
  }

  take(byteLength: number): Buffer | undefined {
    const capacity = capacityFor(byteLength);
    const fitting = this.#free
      .filter((buffer) => buffer.length >= byteLength && buffer.length <= 4 * capacity)
      .toSorted((one, other) => one.length - other.length)[0];
    const length = fitting?.length ?? capacity;
    if (this.#taken > 0 && this.#taken + length > this.#bytesInFlightMax) return undefined;
    this.#taken += length;
    if (fitting !== undefined) {
      this.#free.splice(this.#free.indexOf(fitting), 1);
      return fitting;
    }
    this.#trim();
    return Buffer.allocUnsafeSlow(capacity);
  }

  grow(buffer: Buffer, byteLength: number): Buffer {
    const larger = Buffer.allocUnsafeSlow(byteLength);
    buffer.copy(larger);
    this.#taken += larger.length;
    this.give(buffer);
    return larger;
  }

  give(buffer: Buffer): void {
    this.#taken -= buffer.length;
    this.#free.push(buffer);
    this.#trim();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const run of waiting) run();
  }

  onRoom(run: () => void): { cancel(): void } {
    this.#waiting.add(run);
    return { cancel: () => this.#waiting.delete(run) };
  }

  /** Taken and kept together stay within the limit; what was given back longest ago goes first. */
  #trim(): void {
    while (this.#free.length > 0 && this.#taken + this.bytesKept > this.#bytesInFlightMax) this.#free.shift();
  }
}

function capacityFor(byteLength: number): number {
  if (byteLength <= slackBytes) return slackBytes;
  return Math.ceil((byteLength - slackBytes) / mebibyte) * mebibyte + slackBytes;
}
