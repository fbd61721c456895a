/** Tells what happens. Told to stop, it lets the step that runs come to its end, and no further one begin. */
export class Teller {
  readonly #began = performance.now();
  readonly #stop: AbortSignal;

  constructor(stop: AbortSignal) {
    this.#stop = stop;
  }

  get seconds(): number {
    return Math.round((performance.now() - this.#began) / 1000);
  }

  say(text: string): void {
    this.#stop.throwIfAborted();
    console.log(`demo: ${text}`);
  }

  /** A chapter, with how far it is. */
  chapter(text: string): void {
    this.#stop.throwIfAborted();
    console.log(`\ndemo: ${`${this.seconds} s`.padStart(4)}  == ${text}`);
  }

  /** Says every ten seconds that it goes on. */
  async waitFor<Result>(what: string, work: Promise<Result>): Promise<Result> {
    const timer = setInterval(() => console.log(`demo: ${what} (${this.seconds} s so far)`), 10_000);
    try {
      return await work;
    } finally {
      clearInterval(timer);
    }
  }
}
