import { VarveError, exitStatusByCode } from '../errors.ts';
import { localFolderOf, type Config, type Need } from '../config/config.ts';
import {
  askDaemon,
  catchUpDocument,
  openSink,
  snapshotDocument,
  type CatchUpDocument,
  type CatchUpReport,
  type DaemonEvent,
  type SnapshotDocument,
} from '../daemon/daemon.ts';
import { bytesText, countText, describeEvent, durationText, plural, StatusLine } from '../observe/observe.ts';
import { acceptedBy, acceptOptions } from './accept.ts';
import type { Command, CommandContext } from './command.ts';
import { CycleProgress } from './cycle-progress.ts';
import { showProgress } from './progress.ts';
import { readingFolder } from './selection.ts';
import { printSnapshot, snapshotOf } from './snapshot.ts';

export const command: Command = {
  name: 'backup',
  summary: 'Save what is committed now, publish a snapshot, then end',
  description:
    'Reads every partition up to its last stable offset as of the start and makes it durable in the local folder; then ' +
    'seals what is new and publishes it as a snapshot in the repository. Where a daemon holds the folder, the daemon ' +
    'does it. Run again, it goes on where it ended.\n' +
    'Ends with 3 and a list where something could not be had: records that the cluster had deleted before they ' +
    'were saved, a topic that may not be read or that vanished, a partition without a leader; with 4 where something ' +
    'is damaged; with 16 where the clock went back. What could be saved and published is.',
  examples: [
    ['varve backup', 'catch up and publish, with what ./varve.yaml says'],
    ['varve backup --no-snapshot', 'catch up only'],
    ['varve backup --json', 'the same for programs: progress and the result as lines of JSON'],
  ],
  options: {
    'no-snapshot': { type: 'flag', summary: 'Save to the local folder only' },
    ...acceptOptions,
  },
  needs: ['kafka.brokers', 'local.dir'],
  drains: true,
  async run(context) {
    const withSnapshot = !context.args.flag('no-snapshot');
    const needs: Need[] = ['kafka.brokers', 'local.dir', ...(withSnapshot ? (['repository'] as const) : [])];
    const { config } = await context.loadedConfig(needs);
    const beganMs = context.host.clock.nowMs();
    const { document, snapshot } = await backUp(context, { config, withSnapshot });
    const tookMs = context.host.clock.nowMs() - beganMs;
    if (context.json) {
      const result = { ...document, ...(withSnapshot ? { snapshot: snapshot ?? null } : {}) };
      await context.out(JSON.stringify({ schema: 'varve.backup/1', type: 'summary', tookMs, ...result }));
    } else {
      await print(context, document, tookMs);
      if (snapshot !== undefined) await printSnapshot(context, snapshot);
    }
    if (document.damaged.length > 0) return exitStatusByCode.damage;
    if (snapshot !== undefined && snapshot.finding !== null && snapshot.finding !== 'incomplete')
      return exitStatusByCode[snapshot.finding];
    const isIncomplete = document.gaps.length > 0 || document.missing.length > 0;
    return isIncomplete || document.truncations.length > 0 || snapshot?.finding === 'incomplete'
      ? exitStatusByCode.incomplete
      : 0;
  },
};

interface BackedUp {
  readonly document: CatchUpDocument;
  readonly snapshot: SnapshotDocument | undefined;
}

async function backUp(
  context: CommandContext,
  { config, withSnapshot }: { config: Config; withSnapshot: boolean },
): Promise<BackedUp> {
  const { host, signal } = context;
  const folder = localFolderOf(config);
  const accept = acceptedBy(context);
  const order = { command: 'backup', snapshot: withSnapshot, accept };
  const status = new StatusLine(context.errText, context.terminal.columns);
  const cycle = new CycleProgress(context, status, 'varve.backup/1');
  const byDaemon = await readingFolder(folder, async () =>
    askDaemon(host, folder, order, { signal, onEvent: (event) => cycle.event(event) }),
  );
  if (byDaemon !== undefined) {
    if (!context.json) context.err('the daemon that holds the local folder has done it');
    return { document: doneOf(byDaemon), snapshot: withSnapshot ? snapshotOf(byDaemon) : undefined };
  }
  const emit = (event: DaemonEvent): void => {
    cycle.event(event);
    const { level, message } = describeEvent(event);
    if (level === 'debug' || level === 'info') return; // its result says the same
    status.clear();
    context.err(`${level}: ${message}`);
  };
  await using opened = await openSink({ config, host, signal, mode: 'catch-up', emit });
  const { sink } = opened;
  const progress = showProgress(context, status, () => sink.progress);
  let report: CatchUpReport;
  try {
    report = await sink.catchUp(signal);
  } finally {
    await progress.stop();
  }
  const absent = absentTopics(config.topics.include, sink.topics);
  const document = catchUpDocument({ ...report, missing: [...report.missing, ...absent] });
  if (!withSnapshot) return { document, snapshot: undefined };
  try {
    return { document, snapshot: snapshotDocument(await opened.snapshot(accept)) };
  } finally {
    status.clear();
  }
}

/**
 * A topic that was named, as against matched, was asked for by somebody who counts on it. Where nothing matches at all,
 * this user most likely may not see what is there: a broker hides it without an error.
 */
function absentTopics(
  include: readonly string[],
  topics: ReadonlyMap<string, unknown>,
): CatchUpReport['missing'] {
  if (topics.size === 0) {
    const message =
      'the cluster shows this user no such topic: it has none, or the right Describe on topics is missing (docs/acls.md)';
    return [{ topic: include.join(','), partition: undefined, message }];
  }
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
  const where = `${plural(partitions, 'partition')} in ${plural(topics, 'topic')}`;
  await context.out(
    records === 0
      ? `saved nothing new of ${where}, ${durationText(tookMs)}`
      : `saved ${plural(records, 'record')} (${bytesText(bytes)}) of ${where}, ${durationText(tookMs)}${rate}`,
  );
  for (const open of document.openTransactions) {
    await context.out(
      `open transaction: ${open.topic}/${open.partition} from offset ${open.from}: saved by a later backup, once it has ended`,
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
    await context.out(`not saved: ${topic}${partition === null ? '' : `/${partition}`}: ${reason}`);
  }
}
