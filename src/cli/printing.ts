/** Records of a backup as lines: chosen, decoded, gathered into writes that are worth their call. */
import { VarveError } from '../errors.ts';
import type { CoveredBatch } from '../local/local.ts';
import { decodeRecords, nextOffsetOf, type LogRecord } from '../log/log.ts';
import { plural } from '../observe/observe.ts';
import { planStretches, readMerged, type Copy, type Life, type Stretches } from '../restore/restore.ts';
import { timeText } from '../schedule/schedule.ts';
import type { CommandContext } from './command.ts';
import type { TimeRange } from './time.ts';

export interface Selection {
  readonly time: TimeRange;
  readonly key: Buffer | undefined;
}

/** How many of a partition were selected. */
export async function addRecords(
  {
    life,
    partition,
    copies,
    plan,
  }: { life: Life; partition: number; copies: readonly Copy[]; plan: Stretches },
  o: {
    selection: Selection;
    format: (record: LogRecord) => string;
    output: ChunkedOutput;
    onBatch?: (records: number) => void;
  },
): Promise<number> {
  const { from, to } = o.selection.time;
  let count = 0;
  for await (const batch of readMerged(copies, plan.stretches, { fromMs: from, toMs: to })) {
    // The maximum is all that a head tells of the times in it.
    if (from !== undefined && batch.header.maxTimestamp < from) continue;
    const before = count;
    for (const record of recordsOf(batch, life, partition)) {
      if (!isSelected(record, o.selection)) continue;
      count += 1;
      o.output.add(o.format(record));
      if (o.output.isFull) await o.output.flush();
    }
    o.onBatch?.(count - before);
  }
  return count;
}

/** The records of a batch that its place in the log leaves to it. */
function* recordsOf(
  batch: CoveredBatch,
  { topic, topicId }: Pick<Life, 'topic' | 'topicId'>,
  partition: number,
): Generator<LogRecord, void, void> {
  const { bytes, header, from, to, path } = batch;
  const isWhole = from <= header.baseOffset && to >= nextOffsetOf(header);
  try {
    for (const record of decodeRecords(bytes, header)) {
      if (isWhole || (record.offset >= from && record.offset < to)) yield record;
    }
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    const where = `${topic}/${partition} (topic id ${topicId}) in ${path}`;
    throw new VarveError(error.code, `${where}: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

function isSelected(record: LogRecord, { time, key }: Selection): boolean {
  if (time.from !== undefined && record.timestamp < time.from) return false;
  if (time.to !== undefined && record.timestamp >= time.to) return false;
  return key === undefined || (record.key !== null && key.equals(record.key));
}

/** Nothing was selected: fine for a topic without records, else told with the range that is there. */
export async function refuseEmptySelection(life: Life): Promise<void> {
  let count = 0;
  let first: bigint | undefined;
  let last: bigint | undefined;
  for (const { partition, copies } of life.partitions) {
    const { stretches } = planStretches(copies);
    for await (const batch of readMerged(copies, stretches, { fromMs: undefined, toMs: undefined })) {
      for (const { timestamp } of recordsOf(batch, life, partition)) {
        count += 1;
        if (first === undefined || timestamp < first) first = timestamp;
        if (last === undefined || timestamp > last) last = timestamp;
      }
    }
  }
  if (first === undefined || last === undefined) return;
  throw new VarveError(
    'nothing-selected',
    `nothing of topic ${life.topic} is selected: it has ${plural(count, 'record')} from ${timeText(first)} to ${timeText(last)} ` +
      `in ${plural(life.partitions.length, 'partition')}`,
    { hint: 'widen the range, or leave --key or --partition out' },
  );
}

const chunkCharactersMin = 64 * 1024;

/** Lines gathered into writes that are worth their call; each waits while the reader is slower. */
export class ChunkedOutput {
  readonly #write: CommandContext['write'];
  #lines: string[] = [];
  #characters = 0;

  constructor(write: CommandContext['write']) {
    this.#write = write;
  }

  get isFull(): boolean {
    return this.#characters >= chunkCharactersMin;
  }

  add(line: string): void {
    this.#lines.push(line);
    this.#characters += line.length;
  }

  async flush(): Promise<void> {
    if (this.#lines.length === 0) return;
    const chunk = this.#lines.join('');
    this.#lines = [];
    this.#characters = 0;
    await this.#write(chunk);
  }
}
