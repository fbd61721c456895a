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

const slabBytes = 2 * 1024 * 1024;
/** Larger ones have memory of their own. */
const sliceBytesMax = slabBytes / 2;

/** Memory that is used again: what is allocated and dropped for each batch costs more than filling it. */
export class Slabs {
  readonly #free: Buffer[] = [];
  #open: Slab | undefined;

  /** A copy of the bytes. */
  keep(bytes: Buffer): Slice {
    if (bytes.length > sliceBytesMax) return { bytes: Buffer.from(bytes), release: () => undefined };
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
    if (open !== undefined && open.at + length <= slabBytes) return open;
    const memory = this.#free.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
    const slab: Slab = { memory, at: 0, used: 0 };
    // One that nothing is held of any more would otherwise never come back.
    if (open !== undefined && open.used === 0) this.#free.push(open.memory);
    this.#open = slab;
    return slab;
  }
}
