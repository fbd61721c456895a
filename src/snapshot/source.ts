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
import { isAll, spansOf, type Span, type Wanted } from './spans.ts';
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

  /** In offset order. Batches without a record from `fromMs` on and before `toMs` may be left out. Throws damage. */
  async *read(
    key: PartitionOfTopic,
    o: { fromMs?: bigint; toMs?: bigint; first?: bigint; below?: bigint } = {},
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
      const below = o.below === undefined ? to : least(o.below, to);
      let next = o.first !== undefined && o.first > from ? o.first : from;
      for (const { segment, pack } of inBranch) {
        if (segment.next <= next) continue;
        if (below !== undefined && segment.base >= below) break;
        const wanted = { next, below, fromMs: o.fromMs, toMs: o.toMs };
        for await (const { bytes, header } of this.#batches({ segment, pack }, wanted)) {
          if (lastOffsetOf(header) < next) continue;
          const start = header.baseOffset > next ? header.baseOffset : next;
          const behind = least(nextOffsetOf(header), below);
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
    { segment, pack }: HeldSegment,
    wanted: Wanted,
  ): AsyncGenerator<{ bytes: Buffer; header: BatchHeader }, void, undefined> {
    const spans = spansOf(segment, wanted);
    if (spans.length === 0) return;
    const file = await openPack(this.#disk, { snapshot: this.#folder, pack });
    try {
      let records = 0;
      for (const span of spans) {
        const opened = segment.blocks.slice(span.from, span.to);
        this.openedBytes += opened.reduce((sum, { sealedBytes }) => sum + sealedBytes, 0);
        const from = { segment, pack: pack.path, span, pool: this.#pool };
        for await (const batch of batchesOf(file, this.#repository, from)) {
          records += batch.header.recordCount;
          yield batch;
        }
      }
      if (isAll(segment, spans) && records !== segment.records)
        throw damaged(segment, {
          pack: pack.path,
          problem: `expected ${segment.records} records, got ${records}`,
        });
    } finally {
      await file.close();
    }
  }
}

/** So many blocks stay as they are while those behind them are opened. */
const memoriesMax = 3;

/**
 * The whole batches of a span, each checked. A batch stays as it is until batches of the third block behind it are asked
 * for.
 */
export async function* batchesOf(
  file: DiskFile,
  repository: Repository,
  o: { segment: IndexedSegment; pack: string; span: Span; pool?: BlockPool | undefined },
): AsyncGenerator<{ bytes: Buffer; header: BatchHeader; position: number }, void, undefined> {
  const { segment, pack, span } = o;
  const skipped = segment.blocks[span.from]?.firstBatchAt ?? 0;
  const memories: Buffer[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let memory: Buffer = rest;
  let at = span.from * blockBytes + skipped;
  let number = span.from;
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
    const isLast = number === span.to - 1 && span.lastBytes > 0;
    const end = rest.length + (isLast ? span.lastBytes : block.length);
    const bytes = memory.subarray(number === span.from ? skipped : 0, end);
    number += 1;
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

function least(first: bigint, other: bigint | undefined): bigint {
  return other !== undefined && other < first ? other : first;
}
