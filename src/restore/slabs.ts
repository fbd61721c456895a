/** A piece of a slab, to be given back once. */
export interface Slice {
  readonly bytes: Buffer;
  release(): void;
}

interface Slab {
  readonly memory: Buffer;
  at: number;
  used: number;
}

/** Small ones are held by few slices: one that a slow partition holds does not keep much else. */
const slabSizes = [256 * 1024, 2 * 1024 * 1024];

/** Memory that is used again: what is allocated and dropped for each batch costs more than filling it. */
export class Slabs {
  readonly #sizes = slabSizes.map((slabBytes) => new SlabsOfSize(slabBytes));

  /** A copy of the bytes. */
  keep(bytes: Buffer): Slice {
    const slabs = this.#sizes.find(({ sliceBytesMax }) => bytes.length <= sliceBytesMax);
    // Larger ones have memory of their own.
    return slabs?.keep(bytes) ?? { bytes: Buffer.from(bytes), release: () => undefined };
  }
}

class SlabsOfSize {
  readonly sliceBytesMax: number;
  readonly #slabBytes: number;
  readonly #free: Buffer[] = [];
  #open: Slab | undefined;

  constructor(slabBytes: number) {
    this.#slabBytes = slabBytes;
    this.sliceBytesMax = slabBytes / 2;
  }

  keep(bytes: Buffer): Slice {
    const slab = this.#slabFor(bytes.length);
    const own = slab.memory.subarray(slab.at, slab.at + bytes.length);
    bytes.copy(own);
    slab.at += bytes.length;
    slab.used += 1;
    let isHeld = true;
    return {
      bytes: own,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        slab.used -= 1;
        if (slab.used > 0) return;
        if (slab === this.#open) slab.at = 0;
        else this.#free.push(slab.memory);
      },
    };
  }

  #slabFor(length: number): Slab {
    const open = this.#open;
    if (open !== undefined && open.at + length <= this.#slabBytes) return open;
    const memory = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#slabBytes);
    const slab: Slab = { memory, at: 0, used: 0 };
    // One that nothing is held of any more would otherwise never come back.
    if (open !== undefined && open.used === 0) this.#free.push(open.memory);
    this.#open = slab;
    return slab;
  }
}
