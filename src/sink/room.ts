import { VarveError, messageOf } from '../errors.ts';
import { isDiskFull, pause, steadyMs, type Clock, type Disk } from '../host/host.ts';
import type { Emit } from './events.ts';

export interface RoomOptions {
  readonly folder: string;
  readonly minFreeBytes: number;
  /** How long to wait for a disk that refuses before giving up; undefined: for ever. */
  readonly patienceMs: number | undefined;
  readonly signal: AbortSignal;
}

const retryMs = 1000;

/** Holds fetching back while the disk is nearly full, and writing while it refuses. */
export class DiskRoom {
  readonly #ports: { disk: Disk; clock: Clock; emit: Emit };
  readonly #options: RoomOptions;
  #lowSinceMs: number | undefined;
  #isBlind = false;
  #refusedSinceMs: number | undefined;
  #waiting: (() => void)[] = [];
  #giveUp: VarveError | undefined;

  constructor(ports: { disk: Disk; clock: Clock; emit: Emit }, options: RoomOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Why waiting has come to its end, where it has. */
  get failure(): VarveError | undefined {
    return this.#giveUp;
  }

  /** A write was refused, and none has worked since; or not even a look at the disk works. */
  get isRefusing(): boolean {
    return this.#refusedSinceMs !== undefined || this.#isBlind;
  }

  get isLow(): boolean {
    return this.#lowSinceMs !== undefined;
  }

  /** Looks at the disk; called about once a second. */
  async look(): Promise<void> {
    const { folder, minFreeBytes } = this.#options;
    const freeBytes = await this.#ports.disk.freeBytes(folder);
    this.#isBlind = false;
    if (freeBytes >= minFreeBytes) {
      if (this.#lowSinceMs !== undefined) this.#ports.emit({ type: 'space-back', freeBytes });
      this.#lowSinceMs = undefined;
      this.#wake();
      return;
    }
    if (this.#lowSinceMs === undefined) this.#ports.emit({ type: 'space-low', freeBytes, minFreeBytes });
    this.#lowSinceMs ??= steadyMs(this.#ports.clock);
    this.#judgePatience(this.#lowSinceMs, 'no-space', lowMessage(folder, freeBytes, minFreeBytes));
  }

  /** Resolves when there is room to fetch, or the signal is aborted: not because patience has ended. */
  async ready(signal: AbortSignal): Promise<void> {
    while (this.isLow && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  /** A look at the disk failed. Nothing hangs on it alone: the next one may work, and writes tell for themselves. */
  cannotLook(error: unknown): void {
    if (!this.#isBlind) this.#tell(error);
    this.#isBlind = true;
  }

  /** A write failed, and nobody waits until it is tried again. */
  noteRefused(error: unknown): void {
    if (this.#refusedSinceMs === undefined) this.#tell(error);
    this.#refusedSinceMs ??= steadyMs(this.#ports.clock);
    const message = `local folder ${this.#options.folder}: ${messageOf(error)}`;
    this.#judgePatience(this.#refusedSinceMs, isDiskFull(error) ? 'no-space' : 'target-unusable', message);
  }

  /** A write failed: resolves when it is to be tried again, rejects to give up. */
  async refused(error: unknown): Promise<void> {
    this.noteRefused(error);
    if (this.#giveUp !== undefined) throw this.#giveUp;
    if (this.#options.signal.aborted) throw error;
    await pause(this.#ports.clock, retryMs, this.#options.signal);
  }

  /** A write or a sync worked. */
  worked(): void {
    this.#refusedSinceMs = undefined;
  }

  #tell(error: unknown): void {
    this.#ports.emit({ type: 'disk-refused', message: messageOf(error), isFull: isDiskFull(error) });
  }

  #judgePatience(sinceMs: number, code: 'no-space' | 'target-unusable', message: string): void {
    const { patienceMs } = this.#options;
    if (patienceMs === undefined || steadyMs(this.#ports.clock) - sinceMs < patienceMs) return;
    const hint =
      code === 'no-space'
        ? 'make room on the disk of local.dir, or lower local.minFree; what was read so far is safe: run it again then'
        : 'look at the disk of local.dir; what was read so far is safe: run it again then';
    this.#giveUp ??= new VarveError(code, message, { hint });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

function lowMessage(folder: string, freeBytes: number, minFreeBytes: number): string {
  return `local folder ${folder}: expected at least ${minFreeBytes} bytes free (local.minFree), got ${freeBytes}`;
}
