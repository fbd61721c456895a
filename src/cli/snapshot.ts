import { VarveError, exitStatusByCode } from '../errors.ts';
import { localFolderOf } from '../config/config.ts';
import {
  askDaemon,
  snapshotDocument,
  snapshotOfFiles,
  type DaemonEvent,
  type SnapshotDocument,
} from '../daemon/daemon.ts';
import { bytesText, describeEvent, durationText, plural, StatusLine } from '../observe/observe.ts';
import { acceptedBy, acceptOptions } from './accept.ts';
import type { Command, CommandContext } from './command.ts';
import { CycleProgress } from './cycle-progress.ts';
import { readingFolder } from './selection.ts';

export const command: Command = {
  name: 'snapshot',
  summary: 'Publish what is on the local disk as a snapshot, now',
  description:
    'Seals what is new in the local folder and publishes it in the repository; reads no new records. Where a daemon ' +
    'holds the folder, the daemon does it. Kafka is asked for groups and configurations only: where it is away, those ' +
    'of the snapshot before are kept, and the command ends with 3.\n' +
    'Ends with 18 where nothing was touched: a repository that was rolled back, or is another one. With 4 where damage ' +
    'was found: what is new is published all the same, and nothing expires.',
  examples: [
    ['varve snapshot', 'with what ./varve.yaml says'],
    ['varve snapshot --accept-shrink', 'and topics that vanished are known to be gone'],
    ['varve snapshot --json', 'for programs: progress and the result as lines of JSON'],
  ],
  options: acceptOptions,
  needs: ['kafka.brokers', 'local.dir', 'repository'],
  drains: true,
  async run(context) {
    const snapshot = await take(context);
    if (context.json)
      await context.out(JSON.stringify({ schema: 'varve.snapshot/1', type: 'summary', ...snapshot }));
    else await printSnapshot(context, snapshot);
    return snapshot.finding === null ? 0 : exitStatusByCode[snapshot.finding];
  },
};

async function take(context: CommandContext): Promise<SnapshotDocument> {
  const { host, signal } = context;
  const config = await context.config();
  const folder = localFolderOf(config);
  const accept = acceptedBy(context);
  const status = new StatusLine(context.errText, context.terminal.columns);
  const progress = new CycleProgress(context, status, 'varve.snapshot/1');
  const byDaemon = await readingFolder(folder, async () =>
    askDaemon(
      host,
      folder,
      { command: 'snapshot', accept },
      { signal, onEvent: (event) => progress.event(event) },
    ),
  );
  if (byDaemon !== undefined) {
    if (!context.json) context.err('the daemon that holds the local folder has done it');
    return snapshotOf(byDaemon);
  }
  const emit = (event: DaemonEvent): void => {
    progress.event(event);
    const { level, message } = describeEvent(event);
    if (level === 'debug' || level === 'info') return; // its result says the same
    status.clear();
    context.err(`${level}: ${message}`);
  };
  try {
    return snapshotDocument(await snapshotOfFiles({ config, host, signal, emit }, accept));
  } finally {
    status.clear();
  }
}

export function snapshotOf(answer: object): SnapshotDocument {
  if (!('snapshot' in answer))
    throw new VarveError('failed', 'the daemon answered something else than a snapshot');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the daemon is this very program
  return answer.snapshot as SnapshotDocument;
}

export async function printSnapshot({ out }: CommandContext, snapshot: SnapshotDocument): Promise<void> {
  const { id, segments, rawBytes, newBytes, linkedBytes, linkedPacks, tookMs } = snapshot;
  await out(
    `published ${id}: ${plural(segments, 'segment')} new, ${bytesText(rawBytes)} sealed to ${bytesText(newBytes)}, ` +
      `${bytesText(linkedBytes)} linked in ${plural(linkedPacks, 'pack')}, ${durationText(tookMs)}`,
  );
  if (snapshot.copiedPacks > 0)
    await out(
      `copied: ${plural(snapshot.copiedPacks, 'pack')}, ${bytesText(snapshot.copiedBytes)}, since no link could be made`,
    );
  for (const { id: gone, reason } of snapshot.expired) await out(`expired ${gone}: ${reason}`);
  for (const topic of snapshot.vanishedTopics)
    await out(
      `vanished: topic ${topic} is no longer in the cluster; what was saved of it stays (--accept-shrink says that it is known)`,
    );
  for (const { kind, text } of snapshot.held) {
    const known = kind === 'clock-back' ? ' (--accept-clock says that the clock is right now)' : '';
    await out(`nothing expires: ${text}${known}`);
  }
  for (const { what, problem } of snapshot.damaged) await out(`damaged: ${what}: ${problem}`);
  for (const warning of snapshot.warnings) await out(`note: ${warning}`);
  if (snapshot.freedSegments > 0)
    await out(
      `freed ${bytesText(snapshot.freedBytes)} of the local disk: ${plural(snapshot.freedSegments, 'segment')} that snapshots hold`,
    );
}
