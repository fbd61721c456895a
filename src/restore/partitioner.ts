/** Which partition of how many a record belongs to: as the Java client's own partitioner says, by its key. Pure. */

/**
 * Places records one after the other, in the order in which they come: those with a key by its hash, those without one
 * by one over all partitions. The same records in the same order get the same places.
 */
export class Partitioner {
  readonly #partitions: number;
  #turn = 0;

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  partitionOf(key: Buffer | null): number {
    if (key !== null) return partitionOfKey(key, this.#partitions);
    const partition = this.#turn;
    this.#turn = (partition + 1) % this.#partitions;
    return partition;
  }
}

export function partitionOfKey(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitions;
}

const seed = 0x9747b28c;
const mixer = 0x5bd1e995;

/** MurmurHash2 of 32 bits with Kafka's seed: words of four bytes, the lowest first, then what is left over. */
function murmur2(bytes: Buffer): number {
  const wordsEnd = bytes.length & ~3;
  let hash = seed ^ bytes.length;
  for (let at = 0; at < wordsEnd; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), mixer);
    word = Math.imul(word ^ (word >>> 24), mixer);
    hash = Math.imul(hash, mixer) ^ word;
  }
  if (bytes.length > wordsEnd) {
    for (let at = bytes.length - 1; at >= wordsEnd; at -= 1)
      hash ^= bytes.readUInt8(at) << (8 * (at - wordsEnd));
    hash = Math.imul(hash, mixer);
  }
  hash = Math.imul(hash ^ (hash >>> 13), mixer);
  return hash ^ (hash >>> 15);
}
