export type SignalAnswer = 'abort' | 'end' | 'pass-over';

/** The same signal within this time is one: a launcher passes on what the whole process group got already. */
const sameSignalMs = 1000;

/**
 * Decides what a SIGINT or SIGTERM does. A command that does not drain ends at the first. One that does is asked to
 * end by the first, and ends at once at the next.
 */
export class Signals {
  #draining = false;
  #streaming = false;
  #asked = false;
  readonly #lastMs = new Map<string, number>();

  /** What is printed is all that the command does: it may end with its reader. */
  get streaming(): boolean {
    return this.#streaming;
  }

  beginStreaming(): void {
    this.#streaming = true;
  }

  beginDraining(): void {
    this.#draining = true;
  }

  answer(signal: string, nowMs: number): SignalAnswer {
    if (!this.#draining) return 'end';
    const lastMs = this.#lastMs.get(signal);
    if (lastMs !== undefined && nowMs - lastMs < sameSignalMs) return 'pass-over';
    this.#lastMs.set(signal, nowMs);
    if (this.#asked) return 'end';
    this.#asked = true;
    return 'abort';
  }
}
