import { localFolderOf } from '../config/config.ts';
import { chooseLife, planStretches, unknownTopic, type Backup, type Life } from '../restore/restore.ts';
import type { Command, CommandContext } from './command.ts';
import { addRecords, ChunkedOutput, refuseEmptySelection, type Selection } from './printing.ts';
import { jsonLines, plainLines } from './records.ts';
import { choosePartitions, readingFolder } from './selection.ts';
import { checkChoice, openBackup, startReading } from './sources.ts';
import { timeRangeOf } from './time.ts';

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
    checkChoice({ snapshot, instance: undefined, localOnly: isLocalOnly });
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
  try {
    for (const { partition, copies, plan } of partitions) {
      const format = (json ? jsonLines : plainLines)(life.topic, partition);
      count += await addRecords({ life, partition, copies, plan }, { selection, format, output });
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
