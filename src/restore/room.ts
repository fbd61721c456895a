/** A number of places that pieces of work share, each taking as many as it weighs; who comes first goes first. */
export class Room {
  #free: number;
  readonly #waiting: { readonly weight: number; readonly go: () => void }[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  /** Each item once there is room for it, in order; the first failure ends it once those that run have ended. */
  async each<T>(
    items: readonly T[],
    weightOf: (item: T) => number,
    run: (item: T) => Promise<void>,
  ): Promise<void> {
    let failure: { error: unknown } | undefined;
    const running: Promise<void>[] = [];
    const runOne = async (item: T, weight: number): Promise<void> => {
      try {
        await run(item);
      } catch (error) {
        failure ??= { error };
      } finally {
        this.#leave(weight);
      }
    };
    for (const item of items) {
      const weight = weightOf(item);
      await this.#enter(weight);
      if (failure === undefined) running.push(runOne(item, weight));
      else this.#leave(weight);
    }
    await Promise.all(running);
    if (failure !== undefined) throw failure.error;
  }

  /** Does one thing once there is a place for it. */
  async one<T>(run: () => Promise<T>): Promise<T> {
    await this.#enter(1);
    try {
      return await run();
    } finally {
      this.#leave(1);
    }
  }

  async #enter(weight: number): Promise<void> {
    if (this.#waiting.length > 0 || this.#free < weight)
      await new Promise<void>((go) => void this.#waiting.push({ weight, go }));
    else this.#free -= weight;
  }

  #leave(weight: number): void {
    this.#free += weight;
    for (
      let [next] = this.#waiting;
      next !== undefined && next.weight <= this.#free;
      [next] = this.#waiting
    ) {
      this.#waiting.shift();
      this.#free -= next.weight;
      next.go();
    }
  }
}

/** Of all topics together. Batches that wait for one broker leave in one request: many small partitions, few requests. */
export const partitionPlaces = 48;
const offsetsPerPlace = 5000n;
const placesMax = 8;

/** A large partition takes the place of many: each that is read holds memory of its own. */
export function placesOf(ranges: readonly { readonly from: bigint; readonly to: bigint }[]): number {
  const offsets = ranges.reduce((sum, { from, to }) => sum + to - from, 0n);
  const places = 1n + offsets / offsetsPerPlace;
  return places < placesMax ? Number(places) : placesMax;
}
