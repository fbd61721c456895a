/** Reading records back out of a snapshot, each offset once, from the packs that hold it. */
import { blockBytes, type BlockPool } from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import type { Disk, DiskFile } from '../host/host.ts';
import type { CoveredBatch } from '../local/local.ts';
import { checkBatch, lastOffsetOf, nextOffsetOf, scanBatches, type BatchHeader } from '../log/log.ts';
import {
  openPack,
  openSegmentBlocks,
  readIndex,
  snapshotFolder,
  type IndexedSegment,
  type Manifest,
  type Pack,
  type PartitionRow,
  type Repository,
} from '../repository/repository.ts';
import { rowProblems } from './row-problems.ts';
import { reachOfBranches, unionOf } from './rows.ts';
import { wrong } from './sums.ts';

interface HeldSegment {
  readonly segment: IndexedSegment;
  readonly pack: Pack;
}

export interface PartitionOfTopic {
  readonly topicId: string;
  readonly partition: number;
}

/** The segments of a snapshot, by partition: every index is read once. */
export class SnapshotSource {
  readonly #disk: Disk;
  readonly #repository: Repository;
  readonly #manifest: Manifest;
  readonly #pool: BlockPool | undefined;
  #segments: Promise<Map<string, HeldSegment[]>> | undefined;
  /** Of the blocks that were opened. */
  openedBytes = 0;

  /** With a pool, blocks are opened ahead in its threads. */
  constructor(disk: Disk, repository: Repository, manifest: Manifest, pool?: BlockPool) {
    this.#disk = disk;
    this.#repository = repository;
    this.#manifest = manifest;
    this.#pool = pool;
  }

  /** In offset order. Batches whose largest timestamp is before `fromMs` may be left out. Throws damage. */
  async *read(
    key: PartitionOfTopic,
    o: { fromMs?: bigint; first?: bigint; below?: bigint } = {},
  ): AsyncGenerator<CoveredBatch, void, undefined> {
    const row = this.#rowOf(key);
    if (row === undefined) return;
    const held = (await this.#index()).get(`${key.topicId}/${key.partition}`) ?? [];
    const covered = unionOf(row.coverage.ranges);
    for (const { branch, from, to } of reachOfBranches(row.coverage)) {
      const inBranch = held
        .filter(({ segment }) => segment.branch === branch)
        .toSorted(
          (a, b) => compare(a.segment.base, b.segment.base) || compare(a.segment.next, b.segment.next),
        );
      let next = o.first !== undefined && o.first > from ? o.first : from;
      for (const { segment, pack } of inBranch) {
        if (segment.next <= next) continue;
        if ((to !== undefined && segment.base >= to) || (o.below !== undefined && segment.base >= o.below))
          break;
        const wanted = { pack, fromMs: o.fromMs, next };
        for await (const { bytes, header } of this.#batches(segment, wanted)) {
          if (lastOffsetOf(header) < next) continue;
          const start = header.baseOffset > next ? header.baseOffset : next;
          const behind = least(nextOffsetOf(header), to, o.below);
          if (start >= behind) break;
          next = behind;
          for (const range of covered) {
            const first = start > range.from ? start : range.from;
            const last = behind < range.to ? behind : range.to;
            if (first < last) yield { bytes, header, from: first, to: last, path: pack.path };
          }
        }
      }
    }
  }

  #rowOf({ topicId, partition }: PartitionOfTopic): PartitionRow | undefined {
    return this.#manifest.incarnations
      .find((row) => row.topicId === topicId)
      ?.partitions.find((row) => row.partition === partition);
  }

  async #index(): Promise<Map<string, HeldSegment[]>> {
    this.#segments ??= this.#readIndexes();
    return await this.#segments;
  }

  async #readIndexes(): Promise<Map<string, HeldSegment[]>> {
    const segments = new Map<string, HeldSegment[]>();
    const all: IndexedSegment[] = [];
    for (const pack of this.#manifest.packs) {
      const index = await readIndex(this.#disk, this.#repository, { snapshot: this.#folder, pack });
      all.push(...index.segments);
      for (const segment of index.segments) {
        const key = `${segment.topicId}/${segment.partition}`;
        const known = segments.get(key);
        if (known === undefined) segments.set(key, [{ segment, pack }]);
        else known.push({ segment, pack });
      }
    }
    const [problem] = rowProblems(this.#manifest, all);
    if (problem !== undefined) throw wrong(`snapshot ${this.#manifest.id}: ${problem}`);
    return segments;
  }

  get #folder(): string {
    return snapshotFolder(this.#repository.place, this.#manifest.id);
  }

  async *#batches(
    segment: IndexedSegment,
    { pack, fromMs, next }: { pack: Pack; fromMs: bigint | undefined; next: bigint },
  ): AsyncGenerator<{ bytes: Buffer; header: BatchHeader }, void, undefined> {
    if (fromMs !== undefined && segment.lastMs < fromMs) return;
    const fromBlock = Math.max(
      fromMs === undefined ? 0 : firstBlockWithin(segment, fromMs),
      lastBlockBefore(segment, next),
    );
    this.openedBytes += segment.blocks
      .slice(fromBlock)
      .reduce((sum, { sealedBytes }) => sum + sealedBytes, 0);
    const file = await openPack(this.#disk, { snapshot: this.#folder, path: pack.path });
    try {
      let records = 0;
      const from = { segment, pack: pack.path, fromBlock, pool: this.#pool };
      for await (const batch of batchesOf(file, this.#repository, from)) {
        records += batch.header.recordCount;
        yield batch;
      }
      const isShort = fromBlock === 0 && records !== segment.records;
      if (isShort)
        throw damaged(segment, {
          pack: pack.path,
          problem: `expected ${segment.records} records, got ${records}`,
        });
    } finally {
      await file.close();
    }
  }
}

/** The first block in which a batch begins that may hold a record of this time or later. */
function firstBlockWithin({ blocks }: IndexedSegment, fromMs: bigint): number {
  const index = blocks.findIndex(
    ({ firstBatchAt, maxTimestamp }) => firstBatchAt >= 0 && maxTimestamp >= fromMs,
  );
  return index < 0 ? blocks.length : index;
}

/** The last block in which a batch begins at this offset or before it: what is wanted does not begin earlier. */
function lastBlockBefore({ blocks }: IndexedSegment, offset: bigint): number {
  const index = blocks.findLastIndex(
    ({ firstBatchAt, firstBatchOffset }) => firstBatchAt >= 0 && firstBatchOffset <= offset,
  );
  return Math.max(0, index);
}

/** So many blocks stay as they are while those behind them are opened. */
const memoriesMax = 3;

/**
 * The whole batches of a segment, from the first that begins in a block on, each checked. A batch stays as it is until
 * batches of the third block behind it are asked for.
 */
export async function* batchesOf(
  file: DiskFile,
  repository: Repository,
  o: { segment: IndexedSegment; pack: string; fromBlock: number; pool?: BlockPool | undefined },
): AsyncGenerator<{ bytes: Buffer; header: BatchHeader; position: number }, void, undefined> {
  const { segment, pack, fromBlock } = o;
  const skipped = segment.blocks[fromBlock]?.firstBatchAt ?? 0;
  const memories: Buffer[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let memory: Buffer = rest;
  let at = fromBlock * blockBytes + skipped;
  let isFirst = true;
  // What is left of the block before comes first, the block right behind it.
  const into = (): Buffer => {
    const length = rest.length + blockBytes;
    const oldest = memories.length < memoriesMax ? undefined : memories.shift();
    memory =
      oldest !== undefined && oldest.length >= length ? oldest : Buffer.allocUnsafeSlow(length + slackBytes);
    memories.push(memory);
    rest.copy(memory);
    return memory.subarray(rest.length);
  };
  for await (const block of openSegmentBlocks(file, repository, { ...o, into })) {
    if (o.pool !== undefined) block.copy(into());
    const bytes = memory.subarray(isFirst ? skipped : 0, rest.length + block.length);
    isFirst = false;
    const scan = scanBatches(bytes);
    for (const header of scan.batches) {
      const problem = checkBatch(bytes, header);
      if (problem !== undefined) throw damaged(segment, { pack, problem: problem.message });
      yield { bytes, header, position: at + header.position };
    }
    if (scan.problem !== undefined) throw damaged(segment, { pack, problem: scan.problem.message });
    rest = bytes.subarray(scan.end);
    at += scan.end;
  }
  if (rest.length > 0) throw damaged(segment, { pack, problem: 'it ends inside a batch' });
}

/** Room for the piece of a batch in front of a block, so that the same memory serves again. */
const slackBytes = 256 * 1024;

function damaged(
  { topic, partition, base }: IndexedSegment,
  o: { pack: string; problem: string },
): VarveError {
  return new VarveError('damage', `pack ${o.pack}: segment ${base} of ${topic}/${partition}: ${o.problem}`, {
    hint: 'it is authentic, so it was damaged before it was sealed: read these offsets from another copy',
  });
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function least(first: bigint, ...others: (bigint | undefined)[]): bigint {
  return others.reduce<bigint>((min, other) => (other !== undefined && other < min ? other : min), first);
}
