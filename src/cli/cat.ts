import { VarveError } from '../errors.ts';
import { localFolderOf } from '../config/config.ts';
import type { CoveredBatch, Incarnation } from '../local/local.ts';
import { decodeRecords, nextOffsetOf, type LogRecord } from '../log/log.ts';
import { plural } from '../observe/observe.ts';
import { timeText } from '../schedule/schedule.ts';
import type { Command, CommandContext } from './command.ts';
import { jsonLines, plainLines } from './records.ts';
import { chooseLife, choosePartitions, readingFolder } from './selection.ts';
import { LocalSource, SnapshotOnly, type RecordSource } from './sources.ts';
import { timeRangeOf, type TimeRange } from './time.ts';

export const command: Command = {
  name: 'cat',
  summary: 'Print the records of a topic',
  description:
    'Reads the local folder, and the newest snapshot for what was freed there; with --snapshot, that snapshot alone. ' +
    'Needs no broker, and may run beside a daemon. Records come partition by partition, in offset order. With --json each is one object: offset and timestamp are exact integers, key, value and header ' +
    'values base64 or null, header names text (with headerNamesRaw in base64 where they are not UTF-8).\n' +
    'Times are RFC 3339 with a zone and are held against each record by its own timestamp. Ends with 15 where ' +
    'nothing is selected of a topic that has records.',
  examples: [
    ['varve cat --topic orders', 'every record, for people'],
    ['varve cat --topic orders --json | head -1', 'the first one, for programs'],
    ['varve cat --topic orders --partition 0,3 --json', 'of two partitions'],
    ['varve cat --topic orders --from-time 2026-11-01T00:00Z --json', 'from a moment on'],
    ['varve cat --topic orders --key customer-17 --json', 'one key, wherever it is'],
    ['varve cat --topic orders --snapshot daily.0 --json', 'as the newest daily snapshot has it'],
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
    snapshot: {
      type: 'string',
      value: 'S',
      summary:
        'Read this snapshot alone, not the local files: an id, a view such as daily.0, latest, or a time',
    },
    'local-only': { type: 'flag', summary: 'Never look at the repository, which may be what hangs' },
  },
  needs: [],
  streams: true,
  async run(context) {
    const { args } = context;
    const time = timeRangeOf({ from: args.string('from-time'), to: args.string('to-time') });
    const key = args.string('key');
    const selection = { time, key: key === undefined ? undefined : Buffer.from(key) };
    const snapshot = args.string('snapshot');
    if (snapshot !== undefined && args.flag('local-only')) {
      throw new VarveError('usage', 'cat: expected --snapshot or --local-only, got both', {
        hint: 'a snapshot is in the repository: leave --local-only out',
      });
    }
    const { config } = await context.loadedConfig(snapshot === undefined ? ['local.dir'] : ['repository']);
    if (snapshot === undefined) {
      const folder = localFolderOf(config);
      await readingFolder(folder, async () =>
        printFrom(context, new LocalSource(context, config), selection),
      );
    } else {
      await printFrom(context, new SnapshotOnly(context, config, snapshot), selection);
    }
    return 0;
  },
};

async function printFrom(context: CommandContext, source: RecordSource, selection: Selection): Promise<void> {
  const { args, json, write } = context;
  const life = chooseLife(await source.lives(args.string('topic') ?? ''), args.string('incarnation'));
  const partitions = choosePartitions(life, args.list('partition'));
  const output = new ChunkedOutput(write);
  const formats = new Map(
    partitions.map(
      (partition) => [partition, (json ? jsonLines : plainLines)(life.topic, partition)] as const,
    ),
  );
  let count = 0;
  const { from } = selection.time;
  try {
    await source.read(life, { partitions, fromMs: from }, async (partition, batch) => {
      // The maximum is all that a head tells of the times in it.
      if (from !== undefined && batch.header.maxTimestamp < from) return;
      const format = formats.get(partition);
      for (const record of recordsOf(batch, life, partition)) {
        if (format === undefined || !isSelected(record, selection)) continue;
        count += 1;
        output.add(format(record));
        if (output.isFull) await output.flush();
      }
    });
  } finally {
    await output.flush(); // what came before damage is worth having
  }
  if (count === 0) await refuseEmptySelection(source, life);
}

interface Selection {
  readonly time: TimeRange;
  readonly key: Buffer | undefined;
}

/** The records of a batch that its place in the log leaves to it. */
function* recordsOf(
  batch: CoveredBatch,
  { topic, topicId }: Incarnation,
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
async function refuseEmptySelection(source: RecordSource, life: Incarnation): Promise<void> {
  let count = 0;
  let first: bigint | undefined;
  let last: bigint | undefined;
  await source.read(life, { partitions: life.partitions, fromMs: undefined }, async (partition, batch) => {
    for (const { timestamp } of recordsOf(batch, life, partition)) {
      count += 1;
      if (first === undefined || timestamp < first) first = timestamp;
      if (last === undefined || timestamp > last) last = timestamp;
    }
  });
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
