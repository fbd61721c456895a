/** Enough to keep the disk busy; thousands at once would be memory that outlives its use. */
const atOnceMax = 32;

/** Work that begins in the order in which it was given, so much of it at a time. */
export class Lane {
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  async run(work: () => Promise<void>): Promise<void> {
    if (this.#running >= atOnceMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
