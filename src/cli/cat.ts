import { VarveError } from '../errors.ts';
import { localFolderOf } from '../config/config.ts';
import type { CoveredBatch } from '../local/local.ts';
import { decodeRecords, nextOffsetOf, type LogRecord } from '../log/log.ts';
import { plural } from '../observe/observe.ts';
import {
  chooseLife,
  planStretches,
  readMerged,
  unknownTopic,
  type Backup,
  type Life,
} from '../restore/restore.ts';
import { timeText } from '../schedule/schedule.ts';
import type { Command, CommandContext } from './command.ts';
import { jsonLines, plainLines } from './records.ts';
import { choosePartitions, readingFolder } from './selection.ts';
import { checkChoice, openBackup, startReading } from './sources.ts';
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
    const isLocalOnly = args.flag('local-only');
    checkChoice({ snapshot, localOnly: isLocalOnly });
    const { config } = await context.loadedConfig(snapshot === undefined ? ['local.dir'] : ['repository']);
    const choice = { snapshot, instance: undefined, warn: context.err };
    const read = async (): Promise<void> => {
      // The repository is asked only for what is not here: it may be what hangs.
      const isHereFirst = snapshot === undefined && !isLocalOnly && config.repository.dir !== undefined;
      if (isHereFirst) {
        const here = await openBackup(context, config, { ...choice, reading: undefined });
        if (await printFrom(context, here, { selection, isWhole: true })) return;
      }
      await using reading = startReading(context, config, { localOnly: isLocalOnly });
      const backup = await openBackup(context, config, { ...choice, reading });
      await printFrom(context, backup, { selection, isWhole: false });
    };
    if (snapshot === undefined) await readingFolder(localFolderOf(config), read);
    else await read();
    return 0;
  },
};

/** False, and nothing printed, where only a whole answer was wanted and something of it is elsewhere. */
async function printFrom(
  context: CommandContext,
  backup: Backup,
  { selection, isWhole }: { selection: Selection; isWhole: boolean },
): Promise<boolean> {
  const { args, json, write } = context;
  const topic = args.string('topic') ?? '';
  const lives = await backup.lives(topic);
  const isKnown = lives.length > 0 && !(isWhole && lacks(lives, args.string('incarnation')));
  if (!isKnown && isWhole) return false;
  if (!isKnown) throw unknownTopic(topic, backup.topics);
  const { life } = chooseLife(lives, args.string('incarnation'));
  const partitions = choosePartitions(life, args.list('partition')).map((row) => ({
    ...row,
    plan: planStretches(row.copies),
  }));
  const missing = partitions.flatMap((row) =>
    row.plan.missing.map(({ from, to }) => `partition ${row.partition}: ${from} to ${to - 1n}`),
  );
  if (missing.length > 0) {
    if (isWhole) return false;
    context.err(`not at hand, in no source that was looked at: ${missing.slice(0, 10).join('; ')}`);
  }
  const output = new ChunkedOutput(write);
  let count = 0;
  const { from, to } = selection.time;
  try {
    for (const { partition, copies, plan } of partitions) {
      const format = (json ? jsonLines : plainLines)(life.topic, partition);
      const options = { fromMs: from, toMs: to };
      for await (const batch of readMerged(copies, plan.stretches, options)) {
        // The maximum is all that a head tells of the times in it.
        if (from !== undefined && batch.header.maxTimestamp < from) continue;
        for (const record of recordsOf(batch, life, partition)) {
          if (!isSelected(record, selection)) continue;
          count += 1;
          output.add(format(record));
          if (output.isFull) await output.flush();
        }
      }
    }
  } finally {
    await output.flush(); // what came before damage is worth having
  }
  if (count === 0) await refuseEmptySelection(life);
  return true;
}

function lacks(lives: readonly Life[], topicId: string | undefined): boolean {
  return topicId !== undefined && !lives.some((life) => life.topicId === topicId);
}

interface Selection {
  readonly time: TimeRange;
  readonly key: Buffer | undefined;
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
async function refuseEmptySelection(life: Life): Promise<void> {
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
