import { VarveError } from '../errors.ts';
import {
  findSinkFiles,
  readSinkFiles,
  SinkBackup,
  type SinkCounts,
  type SinkRequest,
} from '../exchange/exchange.ts';
import { bytesText, countText, plural, type StatusLine } from '../observe/observe.ts';
import { timeText } from '../schedule/schedule.ts';
import type { Command, CommandContext } from './command.ts';
import { connectTarget, replay } from './replay.ts';
import { importRequest, replayOptions, throttleOf } from './restore-options.ts';
import { timeRangeOf } from './time.ts';

const partitionsMax = 10_000;

export const command: Command = {
  name: 'import-sink',
  summary: 'Fill a topic from the files of a FileStreamSink',
  description:
    "Reads what Kafka Connect's FileStreamSink wrote, one value on each line, plain or gzipped: files in the order of " +
    'their names, lines as they stand. Such files have no keys, no headers, no partitions and no times, so records get ' +
    'a null key, and go to the partitions in turn. With --time-field each record gets the time that its JSON value ' +
    'tells there (text in RFC 3339, or a number of seconds or milliseconds; without a zone it is UTC), and ' +
    '--from-time and --to-time choose by it. Lines without such a time are kept, whatever the range, and counted; ' +
    'their records have no time.\n' +
    'Goes the way of varve restore: the plan, the question, the same command to go on after anything, the comparison.',
  examples: [
    ["varve import-sink --topic orders --files 'connect*.sink*' --dry-run", 'what would be done'],
    [
      "varve import-sink --topic orders --files 'connect*.sink*' --time-field utcTime --from-time 2026-11-01T00:00Z",
      'from a moment on, by a field of the values',
    ],
  ],
  options: {
    topic: { type: 'string', value: 'TOPIC', required: true, summary: 'The topic to fill' },
    files: {
      type: 'strings',
      value: 'GLOB',
      required: true,
      summary: 'The files, in quotes: * and ? in the last part of the path; repeatable, in order',
    },
    'time-field': {
      type: 'string',
      value: 'NAME',
      summary: 'The JSON field with the time of a value: utcTime, meta.at',
    },
    'from-time': {
      type: 'string',
      value: 'TIME',
      summary: 'Only records of this time or later, and those without',
    },
    'to-time': { type: 'string', value: 'TIME', summary: 'Only records before this time, and those without' },
    partitions: { type: 'count', value: 'N', summary: 'Of the topic (else 1); lines go to them in turn' },
    ...replayOptions,
  },
  needs: [],
  drains: true,
  outlivesTerminal: true,
  async run(context) {
    const { args } = context;
    throttleOf(args); // nonsense is refused before anything is connected
    const asked = sinkRequestOf(context);
    const partitions = partitionsOf(args.count('partitions'));
    const { config } = await context.loadedConfig([]);
    await findSinkFiles(context.host.disk, asked); // a wrong name is told as such, whether or not there is a Kafka
    await using target = await connectTarget(context, config);
    return await replay(context, { name: command.name, config, target }, async ({ status }) => {
      const counts = await readShown(context, asked, status);
      await tellFiles(context, counts);
      const topic = args.string('topic') ?? '';
      const backup = new SinkBackup(context.host.disk, { topic, partitions, request: asked, counts });
      const request = importRequest(args, { topic, topicId: backup.topicId });
      return { request, backup, claimed: new Map(), end: async () => 0 };
    });
  },
};

function sinkRequestOf({ args, cwd }: CommandContext): SinkRequest {
  const time = timeRangeOf({ from: args.string('from-time'), to: args.string('to-time') });
  const timeField = args.string('time-field');
  if (timeField === undefined && (time.from !== undefined || time.to !== undefined)) {
    throw new VarveError('usage', 'import-sink: expected --time-field beside --from-time and --to-time', {
      hint: 'lines have no times of their own: name the field of the values that has one',
    });
  }
  return { files: args.list('files'), folder: cwd, timeField, fromMs: time.from, toMs: time.to };
}

function partitionsOf(count: number | undefined): number {
  if (count === undefined) return 1;
  if (count >= 1 && count <= partitionsMax) return count;
  throw new VarveError('usage', `--partitions: expected 1 to ${partitionsMax}, got ${count}`, {
    hint: 'as many as the topic has, or shall have',
  });
}

async function readShown(
  { host, json, signal, terminal }: CommandContext,
  request: SinkRequest,
  status: StatusLine,
): Promise<SinkCounts> {
  let lines = 0;
  let toldMs = host.clock.nowMs();
  const onLines = (count: number): void => {
    lines += count;
    const nowMs = host.clock.nowMs();
    if (json || !terminal.stderr || nowMs - toldMs < 250) return;
    toldMs = nowMs;
    status.show(`reading the files: ${countText(lines)} lines`);
  };
  try {
    return await readSinkFiles(host.disk, request, { signal, onLines });
  } finally {
    status.clear();
  }
}

async function tellFiles({ json, out }: CommandContext, counts: SinkCounts): Promise<void> {
  if (json) await out(JSON.stringify(filesDocument(counts)));
  else for (const line of filesLines(counts)) await out(line);
}

function filesLines(counts: SinkCounts): string[] {
  const { files, selected, before, behind, withoutTime, withoutZone, unfinished } = counts;
  const lines = files.map(
    ({ path, byteLength, lines: count }) =>
      `file ${path}: ${plural(count, 'line')}, ${bytesText(byteLength)}`,
  );
  lines.push(
    `${plural(selected, 'line')} selected, ${countText(before)} before the range, ${countText(behind)} behind it`,
  );
  if (withoutTime > 0)
    lines.push(
      `note: ${plural(withoutTime, 'line')} without a time in that field, kept whatever the range: their records have none`,
    );
  if (withoutZone > 0) lines.push(`note: ${plural(withoutZone, 'time')} without a zone, taken for UTC`);
  for (const path of unfinished)
    lines.push(
      `note: ${path} stops inside of its last line, or was never finished: what is there of it is kept`,
    );
  return lines;
}

function filesDocument(counts: SinkCounts): object {
  const { files, selected, before, behind, withoutTime, withoutZone, unfinished, firstMs, lastMs } = counts;
  return {
    schema: 'varve.import-sink/1',
    type: 'files',
    files,
    selected,
    before,
    behind,
    withoutTime,
    withoutZone,
    unfinished,
    first: firstMs === undefined ? null : timeText(firstMs),
    last: lastMs === undefined ? null : timeText(lastMs),
  };
}
