import { localFolderOf, type Config } from '../config/config.ts';
import { askDaemon, repackRequest, type DaemonEvent, type OrderWaits } from '../daemon/daemon.ts';
import { VarveError } from '../errors.ts';
import { bytesText, plural, StatusLine } from '../observe/observe.ts';
import type { RepackReport } from '../snapshot/snapshot.ts';
import type { Command, CommandContext } from './command.ts';
import { CycleProgress } from './cycle-progress.ts';
import { holdLocalFolder, installationOf } from './holding.ts';
import { askTarget } from './repository.ts';
import { readingFolder } from './selection.ts';
import { answeredNo } from './tend.ts';

export const command: Command = {
  name: 'repack',
  summary: 'Join the small packs of past months into larger ones',
  description:
    'Every cycle adds a pack to each month that it found something of, and every snapshot links them all. This shows what ' +
    'joining those of past months costs, asks, and publishes the newest snapshot once more, with fewer packs: what is ' +
    'sealed is copied byte for byte, each old pack held against its digest on the way, each new one read back. Older ' +
    'snapshots keep the old packs until they expire; until then the target holds both. Killed at any moment it leaves ' +
    'everything as it was; run again, it begins anew. Where a daemon holds the local folder, the daemon does it, between its cycles.',
  examples: [
    ['varve repack --dry-run', 'show what it would cost and end'],
    ['varve repack', 'show it, ask, do it'],
    ['varve repack --yes --json', 'for programs: progress and the result as lines of JSON'],
  ],
  options: {
    'dry-run': { type: 'flag', summary: 'Show what it would cost and end' },
    yes: { type: 'flag', summary: 'Answer the question with yes' },
  },
  needs: ['repository', 'local.dir'],
  drains: true,
  async run(context) {
    const config = await context.config();
    const plan = await order(context, config, { apply: false });
    const isDryRun = context.args.flag('dry-run');
    if (!context.json) await printPlan(context, plan);
    if (plan.months.length === 0 || isDryRun) {
      await printSummary(context, plan, { isDryRun });
      return 0;
    }
    const question = `Write ${bytesText(plan.writeBytes)} to the target?`;
    if (!(await context.confirm(question))) throw answeredNo();
    const report = await carryOut(context, config);
    if (!context.json && report.snapshot === null)
      await context.out('nothing to do any more: meanwhile there are no small packs of past months left');
    await printSummary(context, report, { isDryRun });
    return 0;
  },
};

/** By the daemon that holds the local folder, where there is one. */
async function carryOut(context: CommandContext, config: Config): Promise<RepackReport> {
  const { host, signal } = context;
  const folder = localFolderOf(config);
  const asked = { command: 'repack', planned: config.repository.dir };
  const byDaemon = await showing(context, async (onEvent) =>
    readingFolder(folder, async () => askDaemon(host, folder, asked, { signal, onEvent })),
  );
  if (byDaemon !== undefined) {
    const report = repackOf(byDaemon);
    if (!context.json && report.snapshot !== null)
      context.err('the daemon that holds the local folder has done it');
    return report;
  }
  await using held = new AsyncDisposableStack();
  held.use(await holdLocalFolder(context, config, 'repack'));
  return await order(context, config, { apply: true });
}

function repackOf(answer: object): RepackReport {
  if (!('repack' in answer))
    throw new VarveError('failed', 'the daemon answered something else than a repack');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the daemon is this very program
  return answer.repack as RepackReport;
}

async function order(
  context: CommandContext,
  config: Config,
  { apply }: { apply: boolean },
): Promise<RepackReport> {
  const params = repackRequest(config, { installation: await installationOf(context, config), apply });
  return await showing(context, async (onEvent) =>
    askTarget(context, { config, order: 'repack', params, onEvent }),
  );
}

async function showing<T>(
  context: CommandContext,
  work: (show: (event: DaemonEvent | OrderWaits) => void) => Promise<T>,
): Promise<T> {
  const status = new StatusLine(context.errText, context.terminal.columns);
  const progress = new CycleProgress(context, status, 'varve.repack/1');
  try {
    return await work((event) => progress.event(event));
  } finally {
    status.clear();
  }
}

async function printPlan({ out, table }: CommandContext, plan: RepackReport): Promise<void> {
  if (plan.base === null) return await out('there is no snapshot yet: varve backup publishes the first');
  if (plan.months.length === 0)
    return await out(`nothing to do: no past month of ${plan.base} would have fewer packs`);
  await table(
    plan.months.map(({ month, packsBefore, packsAfter, bytes }) => [
      month,
      `${plural(packsBefore, 'pack')} into ${packsAfter}`,
      bytesText(bytes),
    ]),
  );
  await out(`a snapshot has ${plural(plan.packsAfter, 'pack')} then, instead of ${plan.packsBefore}`);
  await out(`reads ${bytesText(plan.readBytes)} and writes ${bytesText(plan.writeBytes)}`);
  const older = `${plural(plan.olderSnapshots, 'snapshot')} ${plan.olderSnapshots === 1 ? 'keeps' : 'keep'}`;
  await out(`${older} the old packs until they expire: until then the target holds both`);
}

async function printSummary(
  context: CommandContext,
  report: RepackReport,
  { isDryRun }: { isDryRun: boolean },
): Promise<void> {
  if (!context.json) for (const warning of report.warnings) context.err(warning);
  if (context.json) {
    const head = { schema: 'varve.repack/1', type: 'summary', dryRun: isDryRun };
    await context.out(JSON.stringify({ ...head, ...report }));
  } else if (report.snapshot !== null)
    await context.out(`published ${report.snapshot}, ${plural(report.packsAfter, 'pack')}`);
}
