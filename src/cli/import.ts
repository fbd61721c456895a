import { resolve } from 'node:path';
import { ExportBackup, glanceAtExport, readExport, type ExportFile } from '../exchange/exchange.ts';
import { bytesText, plural } from '../observe/observe.ts';
import type { Command, CommandContext } from './command.ts';
import { CountProgress } from './count-progress.ts';
import { connectTarget, replay } from './replay.ts';
import { fileOptions, fileRequest, throttleOf } from './restore-options.ts';
import { timeText } from '../schedule/schedule.ts';
import { momentText } from './times.ts';

export const command: Command = {
  name: 'import',
  summary: 'Put topics back from a file that export wrote',
  positionals: [{ name: 'file', summary: 'What varve export wrote: X.tar or X.tar.zst', required: true }],
  description:
    'Reads the whole file first, and refuses it before anything is written to Kafka where it is not as varve export ' +
    'wrote it. Then it goes the way of varve restore, which needs neither the repository nor the local files: the ' +
    'plan, the question, the same command to go on after anything, the comparison, the offsets of groups.\n' +
    'The file is neither encrypted nor signed: who could change it decides what is imported.',
  examples: [
    ['varve import orders.tar.zst --dry-run', 'what would be done'],
    ['varve import orders.tar.zst --to-topic orders.check', 'beside the topic, to look at it'],
    [
      "varve import shop.tar --topic 'shop.*' --target dr --yes --json",
      'some of it into another cluster, for programs',
    ],
  ],
  options: fileOptions,
  needs: [],
  drains: true,
  outlivesTerminal: true,
  async run(context) {
    const { args, cwd, host } = context;
    throttleOf(args); // nonsense is refused before anything is read
    fileRequest(args, '');
    const { config } = await context.loadedConfig([]);
    const path = resolve(cwd, args.words[0] ?? '');
    await glanceAtExport(host.disk, path); // a wrong name is told as such, whether or not there is a Kafka
    await using opened = new AsyncDisposableStack();
    await using target = await connectTarget(context, config);
    return await replay(context, { name: command.name, config, target }, async ({ warn }) => {
      const file = opened.use(await readShown(context, path));
      await tellFile(context, file);
      const backup = new ExportBackup(host.disk, file);
      const request = fileRequest(args, file.digest);
      for (const topic of request.allTopics ? backup.topics : [])
        if (topic.startsWith('__'))
          warn(`topic ${topic} is left out: one of the cluster itself is meant only by its exact name`);
      return { request, backup, claimed: new Map(), end: async () => 0 };
    });
  },
};

async function readShown(context: CommandContext, path: string): Promise<ExportFile> {
  const shown = new CountProgress(context, { schema: 'varve.import/1', verb: 'checked' });
  const onRecords = (records: number, bytes: number): void => shown.add(records, bytes);
  try {
    const onUnpacking = (): void =>
      context.err(`note: ${path} was packed by another program: it is unpacked first, beside itself`);
    return await readExport(context.host, path, { signal: context.signal, onRecords, onUnpacking });
  } finally {
    shown.end();
  }
}

async function tellFile({ json, out }: CommandContext, file: ExportFile): Promise<void> {
  const { path, digest, document, place } = file;
  const { tool, exportedMs, excerpt, topics, groups } = document;
  const records = topics.reduce(
    (sum, { partitions }) => sum + partitions.reduce((all, row) => all + row.records, 0),
    0,
  );
  if (json) {
    const shown = {
      file: path,
      bytes: place.byteLength,
      digest,
      tool,
      exportedMs,
      isExcerpt: excerpt !== null,
      records,
    };
    const counts = { topics: topics.map(({ topic }) => topic), groups: groups?.groups.length ?? null };
    await out(JSON.stringify({ schema: 'varve.import/1', type: 'file', ...shown, ...counts }));
    return;
  }
  await out(
    `file ${path}: ${plural(records, 'record')} of ${plural(topics.length, 'topic')}, ${bytesText(place.byteLength)}, ` +
      `exported ${momentText(exportedMs)} by ${tool}`,
  );
  if (excerpt !== null) await out(`note: it is an excerpt: ${excerptText(excerpt)}`);
}

function excerptText({ fromMs, toMs, key }: NonNullable<ExportFile['document']['excerpt']>): string {
  return [
    ...(fromMs === null ? [] : [`from ${timeText(fromMs)}`]),
    ...(toMs === null ? [] : [`before ${timeText(toMs)}`]),
    ...(key === null ? [] : ['of one key']),
  ].join(', ');
}
