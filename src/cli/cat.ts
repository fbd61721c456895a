import { VarveError } from '../errors.ts';
import { localFolderOf } from '../config/config.ts';
import type { Host } from '../host/host.ts';
import {
  keyText,
  readPartition,
  type CoveredBatch,
  type Incarnation,
  type PartitionKey,
} from '../local/local.ts';
import { decodeRecords, nextOffsetOf, type LogRecord } from '../log/log.ts';
import { plural } from '../observe/observe.ts';
import { timeText } from '../schedule/schedule.ts';
import type { Command, CommandContext } from './command.ts';
import { jsonLines, plainLines } from './records.ts';
import { chooseLife, choosePartitions, livesOf, readingFolder } from './selection.ts';
import { timeRangeOf, type TimeRange } from './time.ts';

export const command: Command = {
  name: 'cat',
  summary: 'Print the records of a topic',
  description:
    'Reads the local folder; needs no broker, and may run beside a daemon. Records come partition by partition, in ' +
    'offset order. With --json each is one object: offset and timestamp are exact integers, key, value and header ' +
    'values base64 or null, header names text (with headerNamesRaw in base64 where they are not UTF-8).\n' +
    'Times are RFC 3339 with a zone and are held against each record by its own timestamp. Ends with 15 where ' +
    'nothing is selected of a topic that has records.',
  examples: [
    ['varve cat --topic orders', 'every record, for people'],
    ['varve cat --topic orders --json | head -1', 'the first one, for programs'],
    ['varve cat --topic orders --partition 0,3 --json', 'of two partitions'],
    ['varve cat --topic orders --from-time 2026-11-01T00:00Z --json', 'from a moment on'],
    ['varve cat --topic orders --key customer-17 --json', 'one key, wherever it is'],
  ],
  options: {
    topic: { type: 'string', value: 'TOPIC', required: true, summary: 'Topic, by its exact name' },
    partition: { type: 'strings', value: 'P,Q', summary: 'Only these partitions; repeatable' },
    'from-time': { type: 'string', value: 'TIME', summary: 'Only records of this time or later' },
    'to-time': { type: 'string', value: 'TIME', summary: 'Only records before this time' },
    key: { type: 'string', value: 'TEXT', summary: 'Only records with exactly this key' },
    incarnation: {
      type: 'string',
      value: 'ID',
      summary: 'Topic id, where the topic was deleted and created again (else the newest)',
    },
  },
  needs: ['local.dir'],
  async run(context) {
    const { args, host } = context;
    const time = timeRangeOf({ from: args.string('from-time'), to: args.string('to-time') });
    const key = args.string('key');
    const selection = { time, key: key === undefined ? undefined : Buffer.from(key) };
    const folder = localFolderOf(await context.config());
    await readingFolder(folder, async () => {
      const lives = await livesOf(host, folder, args.string('topic') ?? '');
      const life = chooseLife(lives, args.string('incarnation'));
      const partitions = choosePartitions(life, args.list('partition'));
      const count = await printLife(context, { folder, life, partitions }, selection);
      if (count === 0) await refuseEmptySelection(host, folder, life);
    });
    return 0;
  },
};

interface Place {
  readonly folder: string;
  readonly key: PartitionKey;
}

interface Selection {
  readonly time: TimeRange;
  readonly key: Buffer | undefined;
}

/** Returns how many were printed. */
async function printLife(
  { host, json, write }: CommandContext,
  { folder, life, partitions }: { folder: string; life: Incarnation; partitions: readonly number[] },
  selection: Selection,
): Promise<number> {
  const output = new ChunkedOutput(write);
  let count = 0;
  try {
    for (const partition of partitions) {
      const format = (json ? jsonLines : plainLines)(life.topic, partition);
      count += await printPartition(host, placeOf(folder, life, partition), { selection, format, output });
    }
  } finally {
    await output.flush(); // what came before damage is worth having
  }
  return count;
}

function placeOf(folder: string, { topic, topicId }: Incarnation, partition: number): Place {
  return { folder, key: { topic, topicId, partition } };
}

async function printPartition(
  host: Host,
  place: Place,
  o: { selection: Selection; format: (record: LogRecord) => string; output: ChunkedOutput },
): Promise<number> {
  const { selection, format, output } = o;
  const { from } = selection.time;
  let count = 0;
  for await (const batch of readPartition(host.disk, place.folder, place.key)) {
    // The maximum is all that a head tells of the times in it.
    if (from !== undefined && batch.header.maxTimestamp < from) continue;
    for (const record of recordsOf(batch, place)) {
      if (!isSelected(record, selection)) continue;
      count += 1;
      output.add(format(record));
      if (output.isFull) await output.flush();
    }
  }
  return count;
}

/** The records of a batch that its place in the log leaves to it. */
function* recordsOf(batch: CoveredBatch, place: Place): Generator<LogRecord, void, void> {
  const { bytes, header, from, to } = batch;
  const isWhole = from <= header.baseOffset && to >= nextOffsetOf(header);
  try {
    for (const record of decodeRecords(bytes, header)) {
      if (isWhole || (record.offset >= from && record.offset < to)) yield record;
    }
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    const { topicId } = place.key;
    throw new VarveError(
      error.code,
      `${keyText(place.key)} (topic id ${topicId}) in ${place.folder}: ${error.message}`,
      { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) },
    );
  }
}

function isSelected(record: LogRecord, { time, key }: Selection): boolean {
  if (time.from !== undefined && record.timestamp < time.from) return false;
  if (time.to !== undefined && record.timestamp >= time.to) return false;
  return key === undefined || (record.key !== null && key.equals(record.key));
}

/** Nothing was selected: fine for a topic without records, else told with the range that is there. */
async function refuseEmptySelection(host: Host, folder: string, life: Incarnation): Promise<void> {
  let count = 0;
  let first: bigint | undefined;
  let last: bigint | undefined;
  for (const partition of life.partitions) {
    const place = placeOf(folder, life, partition);
    for await (const batch of readPartition(host.disk, folder, place.key)) {
      for (const { timestamp } of recordsOf(batch, place)) {
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
class ChunkedOutput {
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
