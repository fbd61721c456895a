/** From local segments to packs: read once, front to back; blocks are sealed in threads and written in order. */
import {
  blockBytes,
  makeHead,
  saltBytes,
  type BlockPool,
  type ObjectIdentity,
  type SealedBlock,
} from '../crypto/crypto.ts';
import { codeOf, type DiskFile, type Host } from '../host/host.ts';
import { BatchWalk, type BatchHeader } from '../log/log.ts';
import type { IndexedSegment, PackWriter, Repository } from '../repository/repository.ts';
import type { SegmentToSeal } from './plan.ts';

export interface SealPorts {
  readonly host: Pick<Host, 'disk' | 'random'>;
  readonly repository: Repository;
  readonly pool: BlockPool;
  readonly signal: AbortSignal;
  /** So many raw bytes were sealed and handed to the writer. */
  readonly onSealed: (rawBytes: number) => void;
}

/** A local segment that is not what was written. */
export interface DamagedSegment {
  readonly segment: SegmentToSeal;
  readonly problem: string;
}

interface BlockNote {
  firstBatchAt: number;
  firstBatchOffset: bigint;
  maxTimestamp: bigint;
}

interface PendingBlock {
  readonly sealed: Promise<SealedBlock>;
  readonly rawBytes: number;
}

/** What reading a segment found out, once it was read to its end. */
interface SegmentNotes {
  records: number;
  firstMs: bigint;
  lastMs: bigint;
  readonly blocks: BlockNote[];
  /** By block, of the batches that begin in it; undefined where one of them does not tell. */
  readonly smallest: Map<number, bigint | undefined>;
  problem: string | undefined;
}

/** How far reading runs ahead of writing: enough to keep every thread busy. */
const blocksAheadPerThread = 3;

/** Seals segments one behind the other into a pack's members. */
export class Sealer {
  readonly #ports: SealPorts;
  readonly #spare: ArrayBuffer[] = [];
  readonly segments: IndexedSegment[] = [];

  constructor(ports: SealPorts) {
    this.#ports = ports;
  }

  /** Adds one segment to the pack, or says why it cannot be. */
  async seal(segment: SegmentToSeal, writer: PackWriter, name: string): Promise<DamagedSegment | undefined> {
    const { host, repository } = this.#ports;
    const salt = host.random.bytes(saltBytes);
    const head = makeHead(identityOf(segment, repository), repository.keyring.current, salt);
    let file: DiskFile;
    try {
      file = await host.disk.open(segment.path, 'read');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return { segment, problem: 'the file is gone' };
    }
    try {
      await writer.begin(name);
      await writer.write([head.header]);
      const notes = nothingRead();
      const sizes = await this.#blocks(file, { segment, objectKey: head.objectKey, notes, writer });
      if (notes.problem !== undefined) {
        await writer.drop();
        return { segment, problem: notes.problem };
      }
      const { position, bytes } = await writer.end();
      const { key, branch, base, next } = segment;
      this.segments.push({
        ...key,
        branch,
        base,
        next,
        rawBytes: sizes.reduce((sum, { raw }) => sum + raw, 0),
        records: notes.records,
        firstMs: notes.firstMs,
        lastMs: notes.lastMs,
        position,
        sealedBytes: bytes,
        blocks: sizes.map(({ sealed }, index) => ({
          sealedBytes: sealed,
          ...(notes.blocks[index] ?? nothingBegins()),
          minTimestamp: notes.smallest.get(index),
        })),
      });
      return undefined;
    } finally {
      await file.close();
    }
  }

  async #blocks(
    file: DiskFile,
    o: { segment: SegmentToSeal; objectKey: Buffer; notes: SegmentNotes; writer: PackWriter },
  ): Promise<{ raw: number; sealed: number }[]> {
    const { pool, signal, onSealed } = this.#ports;
    const fileBytes = await file.byteLength();
    const count = Math.ceil(fileBytes / blockBytes);
    if (count === 0) o.notes.problem = 'the file is empty';
    const walk = new BatchWalk(o.segment.base, (batch, timestamp) => noteSmallest(o.notes, batch, timestamp));
    const pending: PendingBlock[] = [];
    const sizes: { raw: number; sealed: number }[] = [];
    const writeFirst = async (): Promise<void> => {
      const block = pending.shift();
      if (block === undefined) return;
      const { bytes, spare } = await block.sealed;
      this.#spare.push(spare);
      sizes.push({ raw: block.rawBytes, sealed: bytes.length - 4 });
      await o.writer.write([bytes]);
      onSealed(block.rawBytes);
    };
    try {
      for (let number = 0; number < count; number += 1) {
        signal.throwIfAborted();
        const rawBytes = Math.min(blockBytes, fileBytes - number * blockBytes);
        const raw = this.#memory(rawBytes);
        const filled = await file.read(raw, number * blockBytes);
        if (filled < rawBytes)
          o.notes.problem = `it ends at byte ${number * blockBytes + filled} while it is read`;
        note(o.notes, walk.push(raw));
        const position = { number, last: number === count - 1 };
        const sealed = pool.seal(o.objectKey, position, raw); // which takes the memory away
        sealed.catch(() => undefined); // told to whoever takes it from the queue
        pending.push({ sealed, rawBytes });
        if (pending.length >= pool.threads * blocksAheadPerThread) await writeFirst();
      }
      while (pending.length > 0) await writeFirst();
    } finally {
      await Promise.allSettled(pending.map(async ({ sealed }) => sealed));
    }
    o.notes.problem ??= walk.end();
    if (walk.next > o.segment.next)
      o.notes.problem ??= `its last batch ends at ${walk.next}, and what is behind it begins at ${o.segment.next}`;
    return sizes;
  }

  #memory(bytes: number): Buffer {
    return Buffer.from(this.#spare.pop() ?? new ArrayBuffer(blockBytes), 0, bytes);
  }
}

function note(notes: SegmentNotes, heads: readonly BatchHeader[]): void {
  for (const { position, baseOffset, baseTimestamp, maxTimestamp, recordCount } of heads) {
    const index = Math.floor(position / blockBytes);
    while (notes.blocks.length <= index) notes.blocks.push(nothingBegins());
    const block = notes.blocks[index];
    if (block === undefined) continue;
    if (block.firstBatchAt < 0) {
      block.firstBatchAt = position - index * blockBytes;
      block.firstBatchOffset = baseOffset;
      block.maxTimestamp = maxTimestamp;
    } else if (maxTimestamp > block.maxTimestamp) block.maxTimestamp = maxTimestamp;
    const isFirst = position === 0;
    if (isFirst || baseTimestamp < notes.firstMs) notes.firstMs = baseTimestamp;
    if (isFirst || maxTimestamp > notes.lastMs) notes.lastMs = maxTimestamp;
    notes.records += recordCount;
  }
}

/** One batch whose smallest timestamp is not known leaves that of its block unknown. */
function noteSmallest({ smallest }: SegmentNotes, { position }: BatchHeader, timestamp?: bigint): void {
  const index = Math.floor(position / blockBytes);
  const before = smallest.has(index) ? smallest.get(index) : timestamp;
  const isKnown = before !== undefined && timestamp !== undefined;
  if (!isKnown) smallest.set(index, undefined);
  else smallest.set(index, before < timestamp ? before : timestamp);
}

function nothingRead(): SegmentNotes {
  return { records: 0, firstMs: 0n, lastMs: -1n, blocks: [], smallest: new Map(), problem: undefined };
}

function nothingBegins(): BlockNote {
  return { firstBatchAt: -1, firstBatchOffset: 0n, maxTimestamp: -1n };
}

export function identityOf(
  { key, base, next }: Pick<SegmentToSeal, 'key' | 'base' | 'next'>,
  { identity, place }: Pick<Repository, 'identity' | 'place'>,
): ObjectIdentity {
  const { repository } = identity;
  return { kind: 'segment', repository, instance: place.instance, ...key, base, next };
}
