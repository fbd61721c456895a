/** Bounds the bytes that were fetched and are not written yet. */
export class Budget {
  readonly #bytesMax: number;
  #used = 0;
  #waiting: (() => void)[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /** Takes the bytes where there is room; an empty budget lends more than it has, so that no batch is too large. */
  tryTake(bytes: number): boolean {
    if (this.#used > 0 && this.#used + bytes > this.#bytesMax) return false;
    this.#used += bytes;
    return true;
  }

  /** Corrects what was taken once the true size is known. */
  adjust(byBytes: number): void {
    this.#used += byBytes;
    if (byBytes < 0) this.#wake();
  }

  give(bytes: number): void {
    this.adjust(-bytes);
  }

  /** Resolves when something was given back, or the signal is aborted. */
  async change(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        signal.removeEventListener('abort', finish);
        resolve();
      };
      signal.addEventListener('abort', finish, { once: true });
      this.#waiting.push(finish);
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
