/**
 * Up to when everything that had come to a partition is known to be on disk.
 *
 * What was fetched is remembered with its time, and counts once it is durable. Only the oldest such claim is kept: on a
 * busy partition there is always a newer one that is not durable yet.
 */
export class SavedThrough {
  #savedMs: number | undefined;
  #claim: { readonly offset: bigint; readonly atMs: number } | undefined;

  /** Everything before the offset came at that time or earlier. */
  claim(offset: bigint, o: { atMs: number; durable: bigint | undefined }): void {
    this.at(o.durable);
    this.#claim ??= { offset, atMs: o.atMs };
  }

  /** Undefined while nothing is known, as after a start. */
  at(durable: bigint | undefined): number | undefined {
    if (this.#claim !== undefined && durable !== undefined && durable >= this.#claim.offset) {
      this.#savedMs = Math.max(this.#savedMs ?? 0, this.#claim.atMs);
      this.#claim = undefined;
    }
    return this.#savedMs;
  }

  /** The offsets begin to mean other records. */
  forget(): void {
    this.#claim = undefined;
  }
}
