/** Work that goes on beside everything else, one piece of it at a time. */
export class Beside {
  #running: Promise<void> | undefined;

  /** Begins it, unless there is some under way: whoever begins comes again. It must not reject. */
  begin(work: () => Promise<void>): void {
    if (this.#running === undefined) void this.#run(work);
  }

  /** Does it behind what is under way. */
  async after(work: () => Promise<void>): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    await this.#run(work);
  }

  async ended(): Promise<void> {
    await this.#running;
  }

  async #run(work: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = promise;
    try {
      await work();
    } finally {
      this.#running = undefined;
      resolve();
    }
  }
}
