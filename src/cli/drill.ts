import { bytesIn, localFolderOf, type Config, type KafkaConfig } from '../config/config.ts';
import { kafkaPorts, kafkaSettings, snapshotSettings } from '../daemon/daemon.ts';
import { runDrill, type DrillReport, type DrillRequest } from '../drill/drill.ts';
import { exitStatusByCode, VarveError } from '../errors.ts';
import { connectCluster } from '../kafka/kafka.ts';
import { bytesText, countText, durationText, plural, StatusLine } from '../observe/observe.ts';
import { newProgress } from '../restore/restore.ts';
import { runOrder } from '../target/target.ts';
import type { Command, CommandContext } from './command.ts';
import { recall } from './repository.ts';
import { restoreOptions } from './restore-options.ts';
import { showRestore } from './restore-progress.ts';
import { targetKafka } from './target-cluster.ts';
import { agoText, momentText } from './times.ts';

export const command: Command = {
  name: 'drill',
  summary: 'Rehearse a restore of the newest snapshot, noting the result',
  description:
    'Restores the newest snapshot, without the local files, into scratch topics __varve-drill-…, reads them back and ' +
    'compares, deletes them, and notes the result in the repository, where info and check find it. Of a large backup ' +
    'it takes a sample: of every partition the newest records, about drill.maxBytes in all. What a drill that was ' +
    'killed left behind is deleted by the next one. Groups are not touched.\n' +
    'With --no-kafka nothing is written anywhere but the note: every record is read as a restore reads it, each ' +
    'batch checked, and every count held against the manifest. Ends with 4 where the snapshot is damaged or incomplete.',
  examples: [
    ['varve drill', 'a sample of all topics, in the cluster of this backup'],
    ["varve drill --topics 'shop.*' --max-bytes 20GiB", 'some topics, more of them'],
    ['varve drill --target dr', 'in another cluster'],
    ['varve drill --no-kafka --json', 'everything, without a broker, for programs'],
  ],
  options: {
    topics: { type: 'strings', value: 'T,GLOB', summary: 'These topics (else drill.topics); repeatable' },
    'max-bytes': {
      type: 'string',
      value: 'SIZE',
      summary: 'About so much (else drill.maxBytes; with --no-kafka everything)',
    },
    'no-kafka': { type: 'flag', summary: 'Read and check everything, and restore nothing' },
    target: restoreOptions.target,
    'target-brokers': restoreOptions['target-brokers'],
    'target-config': restoreOptions['target-config'],
  },
  drains: true,
  async run(context) {
    const isRestore = !context.args.flag('no-kafka');
    const { config } = await context.loadedConfig(isRestore ? ['repository', 'local.dir'] : ['repository']);
    const request = requestOf(context, config);
    const kafka = isRestore ? await targetKafka(context, config) : undefined;
    const report = await drill(context, { config, request, kafka });
    if (context.json) await context.out(JSON.stringify(documentOf(report), offsetsAsText));
    else await print(context, report);
    return statusOf(report);
  },
};

function requestOf({ args }: CommandContext, { drill: { topics, maxBytes } }: Config): DrillRequest {
  const kind = args.flag('no-kafka') ? 'checks' : 'restore';
  const named = args.list('topics');
  const text = args.string('max-bytes');
  const asked = text === undefined ? undefined : bytesIn(text);
  if (text !== undefined && asked === undefined) {
    throw new VarveError('usage', `--max-bytes: expected a size such as 1GiB, got ${JSON.stringify(text)}`, {
      hint: 'bytes, or a number with a unit: KiB, MiB, GiB, TiB',
    });
  }
  const bytesMax = asked ?? (kind === 'restore' ? maxBytes : undefined);
  return { topics: named.length > 0 ? named : topics, bytesMax, kind };
}

async function drill(
  context: CommandContext,
  o: { config: Config; request: DrillRequest; kafka: KafkaConfig | undefined },
): Promise<DrillReport> {
  const { config, request, kafka = config.kafka } = o;
  const { host, signal } = context;
  const status = new StatusLine(context.errText, context.terminal.columns);
  const progress = newProgress();
  const shown = showRestore(context, { status, progress, schema: 'varve.drill/1' });
  try {
    return await runDrill(request, {
      host,
      settings: snapshotSettings(config),
      memory: await recall(context, config),
      localFolder: config.local.dir === undefined ? undefined : localFolderOf(config),
      ask: (order) => runOrder(host, order),
      connect: async (until) =>
        connectCluster({
          settings: kafkaSettings(kafka, host),
          ports: kafkaPorts(host),
          signal: until,
          frameBytesInFlightMax,
        }),
      addresses: kafka.brokers.join(','),
      progress,
      warn(message) {
        status.clear();
        context.err(`warning: ${message}`);
      },
      signal,
    });
  } finally {
    await shown.stop();
  }
}

const frameBytesInFlightMax = 12 * 1024 * 1024;

/** Passed, but what it made is still there, or nobody will know of it: something asked for could not be had. */
function statusOf({ problem, left, isNoted }: DrillReport): number {
  if (problem !== null) return exitStatusByCode[problem.code];
  return left.length > 0 || !isNoted ? exitStatusByCode.incomplete : 0;
}

async function print({ out, host, table }: CommandContext, report: DrillReport): Promise<void> {
  const { snapshot, takenMs, topics, leftOut, records, bytes, notes, problem, tookMs, id } = report;
  await out(`snapshot ${snapshot}, taken ${agoText(takenMs, host.clock.nowMs())}`);
  const did = report.kind === 'restore' ? 'restored and compared' : 'read and checked';
  await table(
    topics.map((topic) => [
      topic.topic,
      topic.problem === null ? did : 'FAILED',
      plural(topic.records, 'record'),
      bytesText(topic.bytes),
      topic.partitions.every(({ isWhole }) => isWhole) ? 'whole' : 'the newest of each partition',
    ]),
  );
  if (leftOut.length > 0)
    await out(`left out this time: ${plural(leftOut.length, 'topic')}: ${leftOut.join(', ')}`);
  for (const note of notes) await out(`note: ${note}`);
  const amount = `${countText(records)} records, ${bytesText(bytes)}, in ${durationText(tookMs)}`;
  const what = report.isWhole ? 'everything' : 'a sample';
  if (problem !== null) {
    await out(`${problem.code}: ${problem.message}`);
    if (problem.hint !== null) await out(`hint: ${problem.hint}`);
  }
  await out(`${problem === null ? 'DRILL PASSED' : 'DRILL FAILED'} ${id}: ${what}: ${amount}`);
}

function documentOf({ takenMs, atMs, ...rest }: DrillReport): object {
  const times = { taken: momentText(takenMs), at: momentText(atMs) };
  return { schema: 'varve.drill/1', type: 'summary', ...rest, ...times };
}

function offsetsAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
