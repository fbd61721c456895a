import { isAbsolute, relative, resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { exitStatusByCode, VarveError } from '../errors.ts';
import { assertFresh } from '../exchange/exchange.ts';
import { bytesText, countText, plural } from '../observe/observe.ts';
import type { CommandContext } from './command.ts';
import { findExport, writeJsonLines, writeTar, type ExportAsked, type ExportReport } from './export-work.ts';
import { readingFolder } from './selection.ts';
import { checkChoice, openBackup, startReading } from './sources.ts';
import { timeRangeOf } from './time.ts';

/** `varve export --topic T --out FILE` */
export async function exportTopics(context: CommandContext): Promise<number> {
  const asked = askedOf(context);
  const { config } = await context.loadedConfig([]);
  refuseWithin(config, asked.path);
  if (asked.path !== undefined) await assertFresh(context.host, asked.path);
  await using reading = startReading(context, config, asked);
  const work = async (): Promise<ExportReport> => {
    const { snapshot, instance } = asked;
    const backup = await openBackup(context, config, {
      snapshot,
      instance,
      reading,
      warn: warnTo(context),
    });
    const found = await findExport(backup, asked);
    for (const text of found.incomplete) warnTo(context)(text);
    return await (asked.format === 'tar' ? writeTar : writeJsonLines)(context, asked, found);
  };
  let report;
  try {
    const folder = asked.snapshot === undefined ? config.local.dir : undefined;
    report = folder === undefined ? await work() : await readingFolder(folder, work);
  } catch (error) {
    throw context.signal.aborted ? stopped(error) : error;
  }
  await tell(context, report);
  return report.incomplete.length > 0 ? exitStatusByCode.incomplete : 0;
}

function askedOf({ args, cwd }: CommandContext): ExportAsked {
  const topics = args.list('topic');
  const allTopics = args.flag('all-topics');
  if (topics.length === 0 && !allTopics)
    throw usage('expected --topic or --all-topics, got neither', 'varve list latest shows the topics');
  const time = timeRangeOf({ from: args.string('from-time'), to: args.string('to-time') });
  const out = args.string('out');
  const format = args.string('format') === 'jsonl' ? 'jsonl' : 'tar';
  if (format === 'tar' && (out === undefined || !/[^/]\.tar(\.zst)?$/.test(out))) {
    throw usage(
      `--out: expected a name that ends in .tar or .tar.zst, got ${out === undefined ? 'none' : JSON.stringify(out)}`,
      out?.includes('.jsonl') === true
        ? 'for lines of JSON add --format jsonl'
        : 'for example --out orders.tar.zst',
    );
  }
  const key = args.string('key');
  const chosen = {
    snapshot: args.string('snapshot'),
    instance: args.string('instance'),
    localOnly: args.flag('local-only'),
  };
  checkChoice(chosen);
  return {
    ...chosen,
    topics,
    allTopics,
    excludeTopics: args.list('exclude-topic'),
    partitions: args.list('partition'),
    incarnation: args.string('incarnation'),
    selection: { time, key: key === undefined ? undefined : Buffer.from(key) },
    acceptMissing: args.flag('accept-missing'),
    format,
    path: out === undefined ? undefined : resolve(cwd, out),
  };
}

/** The repository may be what hangs, and nothing in either folder is anybody else's. */
function refuseWithin({ repository, local }: Config, path: string | undefined): void {
  for (const [name, folder] of [
    ['repository.dir', repository.dir],
    ['local.dir', local.dir],
  ] as const) {
    if (path === undefined || folder === undefined) continue;
    const within = relative(resolve(folder), path);
    if (within.startsWith('..') || isAbsolute(within)) continue;
    throw usage(`--out: ${path} is within ${name}, ${folder}`, 'name a file in another folder');
  }
}

function stopped(cause: unknown): VarveError {
  return new VarveError('interrupted', 'stopped before the end: no file was left', {
    hint: 'run the same command again: it begins anew',
    cause,
  });
}

function warnTo({ err }: CommandContext): (message: string) => void {
  return (message) => err(`warning: ${message}`);
}

async function tell({ json, out, err }: CommandContext, report: ExportReport): Promise<void> {
  const { topics, groups, records, path, byteLength } = report;
  if (path === undefined) return; // the records were all that stdout is for
  if (json) {
    const { format, incomplete } = report;
    const document = { schema: 'varve.export/1', type: 'summary', file: path, format, bytes: byteLength };
    await out(JSON.stringify({ ...document, encrypted: false, records, topics, groups, incomplete }));
    return;
  }
  for (const { topic, partitions, records: count, gaps, expired } of topics) {
    const lost = gaps === 0 ? '' : `; ${plural(gaps, 'gap')} of records that could not be saved`;
    const gone = expired === 0 ? '' : `; ${plural(expired, 'range')} let go of by archive.keep`;
    await out(`${topic}: ${plural(count, 'record')} in ${plural(partitions, 'partition')}${lost}${gone}`);
  }
  const offsets = groups === null ? '' : `, ${plural(groups, 'group')}`;
  await out(`${path}: ${countText(records)} records${offsets}, ${bytesText(byteLength)}, not encrypted`);
  if (report.format === 'tar' && topics.some(({ hasSettings }) => !hasSettings))
    err('note: no snapshot tells the settings of every topic: an import makes those with defaults');
}

function usage(what: string, hint: string): VarveError {
  return new VarveError('usage', what.startsWith('--') ? what : `export: ${what}`, { hint });
}
