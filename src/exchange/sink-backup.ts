import { createHash } from 'node:crypto';
import type { Disk } from '../host/host.ts';
import type { CoveredBatch } from '../local/local.ts';
import { BatchEncoder, scanBatches, valueBody } from '../log/log.ts';
import type { Backup, Copy, Life, ReadRange } from '../restore/restore.ts';
import { selectedLines, type SinkCounts, type SinkRequest } from './sink-files.ts';

/** What a record has that nobody gave a time. */
const noTime = -1n;
const batchBytesMax = 256 * 1024;
/** The broker's own limit for a batch, and what a batch of one value has beside it. */
const messageBytesDefault = 1_048_588;
const overheadBytes = 128;

/** The lines of the files as one topic, dealt out over its partitions in turn. */
export class SinkBackup implements Backup {
  readonly snapshots = [];
  readonly groups = undefined;
  readonly groupsReadMs = undefined;
  readonly #disk: Disk;
  readonly #o: { topic: string; partitions: number; request: SinkRequest; counts: SinkCounts };

  constructor(
    disk: Disk,
    o: { topic: string; partitions: number; request: SinkRequest; counts: SinkCounts },
  ) {
    this.#disk = disk;
    this.#o = o;
  }

  get topics(): readonly string[] {
    return [this.#o.topic];
  }

  /** Of these lines of these files in this shape: other ones are another topic. */
  get topicId(): string {
    const { partitions, request, counts } = this.#o;
    const { timeField, fromMs, toMs } = request;
    const shape = [counts.digests.at(-1), partitions, timeField ?? null, String(fromMs), String(toMs)];
    return createHash('sha256').update(JSON.stringify(shape)).digest().subarray(0, 16).toString('base64url');
  }

  async lives(topic: string): Promise<readonly Life[]> {
    const { counts, partitions } = this.#o;
    if (topic !== this.#o.topic) return [];
    const needed = counts.longestBytes + overheadBytes;
    const configs = needed > messageBytesDefault ? [['max.message.bytes', String(needed)] as const] : [];
    return [
      {
        topic,
        topicId: this.topicId,
        firstSeen: undefined,
        cluster: undefined,
        settings: { readMs: 0, partitions, replicationFactor: -1, configs },
        partitions: Array.from({ length: partitions }, (_, partition) => ({
          partition,
          copies: [this.#copy(partition)],
        })),
        firstMs: counts.firstMs,
        lastMs: counts.lastMs,
      },
    ];
  }

  #copy(partition: number): Copy {
    const { partitions, counts } = this.#o;
    const records = Math.ceil(Math.max(0, counts.selected - partition) / partitions);
    const ranges = records === 0 ? [] : [{ from: 0n, to: BigInt(records) }];
    return {
      name: 'the files',
      coverage: { ranges, epochs: [], gaps: [], truncations: [] },
      absent: [],
      read: (range) => this.#read(partition, range),
    };
  }

  async *#read(
    partition: number,
    { first, below }: ReadRange,
  ): AsyncGenerator<CoveredBatch, void, undefined> {
    const { partitions, request, counts } = this.#o;
    const encoder = new BatchEncoder('none');
    let index = 0;
    let base = 0n;
    const batch = (): CoveredBatch | undefined => {
      const from = base;
      base += BigInt(encoder.count);
      const bytes = encoder.finish();
      bytes.writeBigInt64BE(from, 0);
      const [header] = scanBatches(bytes).batches;
      if (header === undefined || base <= first || from >= below) return undefined;
      return { bytes, header, from: max(from, first), to: min(base, below), path: 'the files' };
    };
    for await (const lines of selectedLines(this.#disk, request, counts)) {
      for (const { value, ms } of lines) {
        const isOurs = index % partitions === partition;
        index += 1;
        if (!isOurs) continue;
        const body = valueBody(value);
        if (encoder.count > 0 && encoder.byteLength + body.length > batchBytesMax) {
          const full = batch();
          if (full !== undefined) yield full;
        }
        encoder.add({ timestamp: ms ?? noTime, body });
      }
    }
    const rest = encoder.count === 0 ? undefined : batch();
    if (rest !== undefined) yield rest;
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
