/** One partition from its sources into the target: merged, cut, stamped, acknowledged, read back and compared. */
import { VarveError } from '../errors.ts';
import type { Clock } from '../host/host.ts';
import type { ProducerIdentity } from '../kafka/kafka.ts';
import type { CoveredBatch } from '../local/local.ts';
import { scanBatches } from '../log/log.ts';
import type { Copy, Range } from './backup.ts';
import { ContentHash, readBack, RecordHash, Strangers, wrongContent } from './compare.ts';
import { Cutter, Ranks, type CutCounts, type TimeSelection } from './cut.ts';
import { readMerged } from './merge.ts';
import { foreign, type PartitionPlace, type PartitionWriter } from './partition-writer.ts';
import type { RestoreProgress } from './progress.ts';
import type { Readers } from './readers.ts';
import type { Stretch } from './stretches.ts';
import type { TargetWriter } from './writer.ts';

export interface PartitionSource {
  readonly copies: readonly Copy[];
  readonly stretches: readonly Stretch[];
  readonly time: TimeSelection;
  /** Told of what no copy could be read for; without it that is thrown. */
  readonly onLost: ((lost: Range, problem: VarveError) => void) | undefined;
}

export interface StreamCounts extends CutCounts {
  /** Offsets that the sources left out for the times, or that hold no record; 0 without times. */
  readonly notLookedAt: number;
}

/** What is read and cut, without anything being written. */
export async function scanPartition(
  source: PartitionSource,
  o: { ranks: Ranks; progress: RestoreProgress; signal: AbortSignal },
): Promise<StreamCounts> {
  const cutter = new Cutter(source.time, o.ranks);
  for await (const batch of batchesOf(source)) {
    o.signal.throwIfAborted();
    for (const { records } of cutter.push(batch)) o.progress.scannedRecords += records;
  }
  for (const { records } of cutter.flush()) o.progress.scannedRecords += records;
  return countsOf(cutter, source);
}

export function batchesOf(source: PartitionSource): AsyncGenerator<CoveredBatch, void, undefined> {
  const { copies, stretches, time, onLost } = source;
  return readMerged(copies, stretches, { ...time, onLost });
}

function countsOf(cutter: Cutter, source: PartitionSource): StreamCounts {
  return { ...cutter.counts, notLookedAt: notLookedAt(source, cutter.offsets) };
}

/** How many of its offsets a reading by times left out; 0 without times. */
export function notLookedAt({ stretches, time }: PartitionSource, looked: bigint): number {
  if (time.fromMs === undefined && time.toMs === undefined) return 0;
  return Number(stretches.reduce((sum, { from, to }) => sum + (to - from), 0n) - looked);
}

export interface StreamPorts {
  readonly readers: Readers;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly writer: TargetWriter;
  readonly progress: RestoreProgress;
  readonly isCompared: boolean;
}

export interface StreamEnd {
  readonly counts: StreamCounts;
  readonly ranks: Ranks;
  readonly start: bigint;
  readonly end: bigint;
  readonly content: string | null;
}

/** Less than this is not worth asking a broker for, while there is more to come. */
const readAtOnceBytes = 1024 * 1024;

/** Up to where it is worth asking a broker for what was written. */
function readableOf(writer: Pick<PartitionWriter, 'acked' | 'ackedBytes'>): (isWritten: boolean) => bigint {
  let { acked: end, ackedBytes: bytes } = writer;
  return (isWritten) => {
    if (isWritten || writer.ackedBytes - bytes >= readAtOnceBytes)
      ({ acked: end, ackedBytes: bytes } = writer);
    return end;
  };
}

/** A partition that is written into. */
export interface TargetPlace {
  readonly place: PartitionPlace;
  readonly identity: ProducerIdentity;
  /** Whether a batch of that producer may be one of this restore. */
  readonly isOurs: (producerId: bigint) => boolean;
  readonly leaderId: number;
  readonly start: bigint;
  /** Up to where an earlier run is known to have come. */
  readonly there: bigint;
}

export async function restorePartition(
  source: PartitionSource,
  o: TargetPlace & { groupOffsets: Iterable<bigint> },
  ports: StreamPorts,
): Promise<StreamEnd> {
  const { readers, clock, progress, isCompared } = ports;
  const { place, start } = o;
  const ranks = new Ranks(o.groupOffsets);
  const cutter = new Cutter(source.time, ranks);
  const writer = ports.writer.open(place, o.identity);
  writer.begin(o);
  const expected = new ContentHash();
  const found = new ContentHash();
  const stopped = new AbortController();
  const signal = AbortSignal.any([ports.signal, stopped.signal]);
  let isWritten = false;
  const readable = readableOf(writer);
  const reading = isCompared
    ? readBack(place, {
        readers,
        clock,
        signal,
        leaderId: o.leaderId,
        from: start,
        until: () => ({ end: readable(isWritten), isFinal: isWritten }),
        onBatch(bytes, header) {
          found.add(bytes, header);
          progress.comparedRecords += header.recordCount;
        },
      })
    : Promise.resolve();
  reading.catch((error: unknown) => {
    if (!stopped.signal.aborted) writer.fail(asVarveError(error));
  });
  try {
    const push = async (batch: { bytes: Buffer; records: number }): Promise<void> => {
      await writer.push(batch);
      if (isCompared) expected.add(batch.bytes, wholeOf(batch));
    };
    for await (const batch of batchesOf(source)) {
      ports.signal.throwIfAborted();
      for (const cut of cutter.push(batch)) await push(cut);
    }
    for (const cut of cutter.flush()) await push(cut);
    await writer.finish();
    isWritten = true;
    await reading;
  } catch (error) {
    throw writer.failure ?? error;
  } finally {
    stopped.abort();
    await reading.catch(() => undefined);
    ports.writer.close(writer);
  }
  const { records } = cutter.counts;
  const end = start + BigInt(records);
  if (isCompared && expected.digest() !== found.digest()) {
    assertCount(place, { expected: records, found: found.records });
    await compareRecords(source, { ...o, end }, ports);
  }
  const content = isCompared ? expected.digest() : null;
  return { counts: countsOf(cutter, source), ranks, start, end, content };
}

/** What a broker was not sent, and has, came from somebody else. */
export function assertCount(place: PartitionPlace, o: { expected: number; found: number }): void {
  if (o.found > o.expected) throw foreign(place, `it holds ${o.found} records, expected ${o.expected}`);
  if (o.found < o.expected) throw wrongContent(place, `expected ${o.expected} records, read back ${o.found}`);
}

/** A broker may put records into other batches than it was sent: then they are compared one by one. */
async function compareRecords(
  source: PartitionSource,
  o: TargetPlace & { end: bigint },
  { readers, clock, signal }: StreamPorts,
): Promise<void> {
  const expected = new RecordHash();
  const found = new RecordHash();
  const strangers = new Strangers(o.isOurs);
  const cutter = new Cutter(source.time, new Ranks([]));
  const add = ({ bytes }: { bytes: Buffer }): void => {
    for (const header of scanBatches(bytes).batches) expected.add(bytes, header);
  };
  for await (const batch of batchesOf(source)) for (const cut of cutter.push(batch)) add(cut);
  for (const cut of cutter.flush()) add(cut);
  await readBack(o.place, {
    readers,
    clock,
    signal,
    leaderId: o.leaderId,
    from: o.start,
    until: () => ({ end: o.end, isFinal: true }),
    onBatch(bytes, header) {
      found.add(bytes, header);
      strangers.note(header);
    },
  });
  if (expected.digest() !== found.digest()) throw strangers.error(o.place);
}

function wholeOf({ bytes, records }: { bytes: Buffer; records: number }): {
  position: number;
  byteLength: number;
  recordCount: number;
} {
  return { position: 0, byteLength: bytes.length, recordCount: records };
}

function asVarveError(error: unknown): VarveError {
  if (error instanceof VarveError) return error;
  return new VarveError('interrupted', error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}
