import { VarveError, exitStatusByCode } from '../errors.ts';
import { localFolderOf } from '../config/config.ts';
import {
  askDaemon,
  catchUpDocument,
  openSink,
  type CatchUpDocument,
  type CatchUpReport,
} from '../daemon/daemon.ts';
import { bytesText, countText, describeEvent, durationText, plural, StatusLine } from '../observe/observe.ts';
import type { Command, CommandContext } from './command.ts';
import { escapeControls } from './output.ts';
import { showProgress } from './progress.ts';
import { readingFolder } from './selection.ts';

export const command: Command = {
  name: 'backup',
  summary: 'Save everything that is committed now, then end',
  description:
    'Reads every partition up to its last stable offset as of the start and makes it durable in the local folder. ' +
    'Where a daemon holds the folder, the daemon does it. Run again, it goes on where it ended. ' +
    'Ends with 3 and a list where something could not be had: records that the cluster had deleted before they ' +
    'were saved, a topic that may not be read, a partition without a leader.',
  examples: [
    ['varve backup --no-snapshot', 'catch up, with what ./varve.yaml says'],
    ['varve backup --no-snapshot --json', 'the same for programs: progress and the result as lines of JSON'],
  ],
  options: {
    'no-snapshot': { type: 'flag', summary: 'Save to the local folder only (snapshots are not there yet)' },
  },
  needs: ['kafka.brokers', 'local.dir'],
  drains: true,
  async run(context) {
    if (!context.args.flag('no-snapshot')) {
      throw new VarveError('usage', 'backup: snapshots are not there yet: expected --no-snapshot', {
        hint: 'varve backup --no-snapshot saves everything to the local folder',
      });
    }
    const beganMs = context.host.clock.nowMs();
    const document = await catchUp(context);
    const tookMs = context.host.clock.nowMs() - beganMs;
    if (context.json) {
      await context.out(JSON.stringify({ schema: 'varve.backup/1', type: 'summary', tookMs, ...document }));
    } else await print(context, document, tookMs);
    if (document.damaged.length > 0) return exitStatusByCode.damage;
    const isIncomplete = document.gaps.length > 0 || document.missing.length > 0;
    return isIncomplete || document.truncations.length > 0 ? exitStatusByCode.incomplete : 0;
  },
};

async function catchUp(context: CommandContext): Promise<CatchUpDocument> {
  const { host, signal } = context;
  const config = await context.config();
  const folder = localFolderOf(config);
  const byDaemon = await readingFolder(folder, async () =>
    askDaemon(host, folder, { command: 'backup' }, signal),
  );
  if (byDaemon !== undefined) {
    if (!context.json) context.err('the daemon that holds the local folder has caught up');
    return doneOf(byDaemon);
  }
  const status = new StatusLine(context.errText, context.terminal.columns);
  await using opened = await openSink({
    config,
    host,
    signal,
    mode: 'catch-up',
    emit: (event) => {
      const { level, message } = describeEvent(event);
      if (level === 'debug') return;
      status.clear();
      context.err(`${level}: ${escapeControls(message)}`);
    },
  });
  const { sink } = opened;
  const progress = showProgress(context, status, () => sink.progress);
  let report: CatchUpReport;
  try {
    report = await sink.catchUp(signal);
  } finally {
    await progress.stop();
  }
  const absent = absentTopics(config.topics.include, sink.topics);
  return catchUpDocument({ ...report, missing: [...report.missing, ...absent] });
}

/** A topic that was named, as against matched, was asked for by somebody who counts on it. */
function absentTopics(include: readonly string[], topics: ReadonlyMap<string, unknown>): CatchUpReport['missing'] {
  return include
    .filter((name) => /^[a-zA-Z0-9._-]+$/.test(name) && !topics.has(name))
    .map((topic) => ({
      topic,
      partition: undefined,
      message: 'the cluster has no such topic, or does not show it to this user',
    }));
}

function doneOf(answer: object): CatchUpDocument {
  if (!('done' in answer)) throw new VarveError('failed', 'the daemon answered something else than a result');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the daemon is this very program
  return answer.done as CatchUpDocument;
}

async function print(context: CommandContext, document: CatchUpDocument, tookMs: number): Promise<void> {
  const { records, bytes, partitions, topics } = document;
  const rate = tookMs > 0 ? `, ${bytesText((bytes / tookMs) * 1000)}/s` : '';
  await context.out(
    `saved ${plural(records, 'record')} (${bytesText(bytes)}) of ${plural(partitions, 'partition')} in ` +
      `${plural(topics, 'topic')}, ${durationText(tookMs)}${rate}`,
  );
  for (const open of document.openTransactions) {
    const where = `${open.topic}/${open.partition}`;
    await context.out(
      `open transaction: ${where} from offset ${open.from}: saved by a later backup, once it has ended`,
    );
  }
  for (const gap of document.gaps) {
    const count = countText(BigInt(gap.to) - BigInt(gap.from));
    await context.out(
      `gap: ${gap.topic}/${gap.partition}: offsets ${gap.from} to ${gap.to} (not included), ${count} in all, are no longer in the cluster`,
    );
  }
  for (const cut of document.truncations) {
    await context.out(
      `truncation: ${cut.topic}/${cut.partition}: the cluster lost or rewrote its records from offset ${cut.offset} on`,
    );
  }
  for (const { path, problem } of document.damaged) {
    await context.out(`damaged: ${path}: ${problem}; it was left as it is, and later records go behind it`);
  }
  for (const { topic, partition, reason } of document.missing) {
    await context.out(
      `not saved: ${topic}${partition === null ? '' : `/${partition}`}: ${escapeControls(reason)}`,
    );
  }
}
