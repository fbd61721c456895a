/**
 * A topic into another number of partitions: its partitions merged by time, each record put where its key belongs,
 * encoded anew, acknowledged, read back and compared. A pure function of what the sources hold, so that it can go on.
 */
import {
  BatchEncoder,
  codecOf,
  keyOfBody,
  nextOffsetOf,
  rawRecords,
  type Codec,
  type RawRecord,
} from '../log/log.ts';
import { mapAtOnce } from './at-once.ts';
import { readBack, RecordHash, Strangers } from './compare.ts';
import { readByTime, type TimedBatch } from './by-time.ts';
import { Ranks } from './cut.ts';
import type { PartitionWriter } from './partition-writer.ts';
import { Partitioner } from './partitioner.ts';
import {
  assertCount,
  notLookedAt,
  type PartitionSource,
  type StreamCounts,
  type StreamEnd,
  type StreamPorts,
  type TargetPlace,
} from './stream.ts';

/** Of all batches that are being filled, before they are compressed. */
const encodedBytesMax = 32 * 1024 * 1024;
const batchBytesMax = 512 * 1024;
const comparedAtOnce = 6;

/** By partition of the target, in the order of the places. */
export async function spreadTopic(
  sources: readonly PartitionSource[],
  places: readonly TargetPlace[],
  ports: StreamPorts,
): Promise<StreamEnd[]> {
  const lanes = places.map((place) => new Lane(place, ports, batchBytesOf(places.length)));
  const partitioner = new Partitioner(lanes.length);
  const looked = new Map<PartitionSource, bigint>();
  const left = nothing();
  try {
    for await (const batch of readByTime(sources)) {
      ports.signal.throwIfAborted();
      looked.set(batch.source, (looked.get(batch.source) ?? 0n) + batch.to - batch.from);
      for (const record of taken(batch, left)) {
        const lane = lanes[partitioner.partitionOf(keyOfBody(record))];
        await lane?.add(record, codecOf(batch.header) ?? 'none');
      }
    }
    left.notLookedAt = sources.reduce(
      (sum, source) => sum + notLookedAt(source, looked.get(source) ?? 0n),
      0,
    );
    await Promise.all(lanes.map(async (lane) => lane.finish()));
    await mapAtOnce(lanes, comparedAtOnce, async (lane) => lane.compare());
  } finally {
    for (const lane of lanes) lane.close();
  }
  return lanes.map((lane, index) => lane.end(index === 0 ? left : nothing()));
}

function batchBytesOf(partitions: number): number {
  return Math.min(batchBytesMax, Math.floor(encodedBytesMax / partitions));
}

type LeftOut = Pick<StreamCounts, 'before' | 'behind' | 'notLookedAt'>;

/** What was not asked for, or not looked at. */
function nothing(): { before: number; behind: number; notLookedAt: number } {
  return { before: 0, behind: 0, notLookedAt: 0 };
}

/** The records of a batch that were asked for; the others are counted. */
function* taken(
  { bytes, header, from, to, source }: TimedBatch,
  left: ReturnType<typeof nothing>,
): Generator<RawRecord, void, undefined> {
  if (header.recordCount === 0) return;
  const { fromMs, toMs } = source.time;
  if (
    from <= header.baseOffset &&
    to >= nextOffsetOf(header) &&
    fromMs !== undefined &&
    header.maxTimestamp < fromMs
  ) {
    left.before += header.recordCount;
    return;
  }
  for (const record of rawRecords(bytes, header)) {
    const { offset, timestamp } = record;
    if (offset < from || offset >= to) continue;
    if (fromMs !== undefined && timestamp < fromMs) left.before += 1;
    else if (toMs !== undefined && timestamp >= toMs) left.behind += 1;
    else yield record;
  }
}

/** One partition of the target: the batch that is being filled, and what went before it. */
class Lane {
  readonly #place: TargetPlace;
  readonly #ports: StreamPorts;
  readonly #writer: PartitionWriter;
  readonly #bytesMax: number;
  readonly #expected = new RecordHash();
  #encoder: BatchEncoder | undefined;
  #codec: Codec = 'none';
  #bytes = 0;
  #records = 0;
  #firstMs: bigint | undefined;
  #lastMs: bigint | undefined;

  constructor(place: TargetPlace, ports: StreamPorts, bytesMax: number) {
    this.#place = place;
    this.#ports = ports;
    this.#bytesMax = bytesMax;
    this.#writer = ports.writer.open(place.place, place.identity);
    this.#writer.begin(place);
  }

  async add(record: RawRecord, codec: Codec): Promise<void> {
    const open = this.#encoder;
    const isFull = open !== undefined && open.byteLength + record.body.length > this.#bytesMax;
    if (isFull || codec !== this.#codec) await this.#flush();
    if (codec !== this.#codec || this.#encoder === undefined) this.#encoder = new BatchEncoder(codec);
    this.#codec = codec;
    this.#encoder.add(record);
    if (this.#ports.isCompared) this.#expected.addRecord(record);
    this.#records += 1;
    const { timestamp } = record;
    if (this.#firstMs === undefined || timestamp < this.#firstMs) this.#firstMs = timestamp;
    if (this.#lastMs === undefined || timestamp > this.#lastMs) this.#lastMs = timestamp;
  }

  async finish(): Promise<void> {
    await this.#flush();
    await this.#writer.finish();
  }

  /** Each record once, where it belongs, in order. */
  async compare(): Promise<void> {
    const { readers, clock, signal, progress, isCompared } = this.#ports;
    if (!isCompared) return;
    const { place, leaderId, start, isOurs } = this.#place;
    const found = new RecordHash();
    const strangers = new Strangers(isOurs);
    await readBack(place, {
      readers,
      clock,
      signal,
      leaderId,
      from: start,
      until: () => ({ end: this.#end, isFinal: true }),
      onBatch(bytes, header) {
        found.add(bytes, header);
        strangers.note(header);
        progress.comparedRecords += header.recordCount;
      },
    });
    assertCount(place, { expected: this.#records, found: found.records });
    if (found.digest() !== this.#expected.digest()) throw strangers.error(place);
  }

  close(): void {
    this.#ports.writer.close(this.#writer);
  }

  end(left: LeftOut): StreamEnd {
    const { start } = this.#place;
    const counts = {
      ...left,
      records: this.#records,
      bytes: this.#bytes,
      firstMs: this.#firstMs,
      lastMs: this.#lastMs,
      reencoded: this.#records,
    };
    const content = this.#ports.isCompared ? this.#expected.digest() : null;
    return { counts, ranks: new Ranks([]), start, end: this.#end, content };
  }

  get #end(): bigint {
    return this.#place.start + BigInt(this.#records);
  }

  async #flush(): Promise<void> {
    const encoder = this.#encoder;
    if (encoder === undefined || encoder.count === 0) return;
    const { count } = encoder;
    const bytes = encoder.finish();
    this.#bytes += bytes.length;
    await this.#writer.push({ bytes, records: count });
  }
}
