/** Filling topics, wherever the records come from: the plan, the question, the work, the report, the last line. */
import { resolve } from 'node:path';
import type { Config, KafkaConfig } from '../config/config.ts';
import { kafkaPorts, kafkaSettings } from '../daemon/daemon.ts';
import { exitStatusByCode, VarveError } from '../errors.ts';
import { replaceFile } from '../host/host.ts';
import { connectCluster, type Cluster } from '../kafka/kafka.ts';
import { StatusLine } from '../observe/observe.ts';
import {
  newProgress,
  runRestore,
  type Backup,
  type Claimed,
  type RestoreOptions,
  type RestorePorts,
  type RestoreProgress,
  type RestoreReport,
  type RestoreRequest,
  type TopicPlan,
} from '../restore/restore.ts';
import type { CommandContext } from './command.ts';
import { errorText } from './output.ts';
import { RestoreLog } from './restore-log.ts';
import { throttleOf } from './restore-options.ts';
import { planDocument, planLines } from './restore-plan.ts';
import { showRestore, type ShownRestore } from './restore-progress.ts';
import { nextSteps, reportDocument, reportLines } from './restore-report.ts';
import { targetKafka } from './target-cluster.ts';

/** The cluster whose topics are filled. */
export interface Target extends AsyncDisposable {
  readonly kafka: KafkaConfig;
  readonly cluster: Cluster;
}

const frameBytesInFlightMax = 12 * 1024 * 1024;

/** As the options say, and none but the one that is expected. */
export async function connectTarget(context: CommandContext, config: Config): Promise<Target> {
  const kafka = await targetKafka(context, config);
  const cluster = await connectCluster({
    settings: kafkaSettings(kafka, context.host),
    ports: kafkaPorts(context.host),
    signal: context.signal,
    frameBytesInFlightMax,
  }).catch((error: unknown) => {
    throw early(error, context.signal);
  });
  const expected = context.args.string('expect-cluster');
  if (expected !== undefined && expected !== cluster.clusterId) {
    await cluster[Symbol.asyncDispose]();
    throw new VarveError('wrong-cluster', `expected cluster ${expected}, got ${cluster.clusterId}`, {
      hint: 'check where the addresses of the brokers lead: nothing was touched',
    });
  }
  return { kafka, cluster, [Symbol.asyncDispose]: async () => cluster[Symbol.asyncDispose]() };
}

export interface Sources {
  readonly request: RestoreRequest;
  readonly backup: Backup;
  readonly claimed: Claimed;
  /** Called once nothing is read any more; tells how much of the repository was opened. */
  readonly end: () => Promise<number>;
}

export interface Telling {
  readonly status: StatusLine;
  readonly warn: (message: string) => void;
}

interface Begun {
  id?: string;
  /** Undefined where no group is set. */
  groupsTo?: RestoreRequest['groupsTo'] | undefined;
}

/** `name` is the command's; `find` is given a way to warn that goes into the log as well. */
export async function replay(
  context: CommandContext,
  o: { name: string; config: Config; target: Target },
  find: (telling: Telling) => Promise<Sources>,
): Promise<number> {
  const { host, json, signal } = context;
  const status = new StatusLine(context.errText, context.terminal.columns);
  await using log = new RestoreLog(host, o.config.local.dir);
  const warn = (message: string): void => {
    status.clear();
    context.err(`warning: ${message}`);
    log.add(`warning: ${message}`);
  };
  const sources = await find({ status, warn }).catch((error: unknown) => {
    throw early(error, signal);
  });
  const progress = newProgress();
  const shown = showRestore(context, { status, progress, log });
  const begun: Begun = {};
  let report: RestoreReport | undefined;
  let openedBytes = 0;
  try {
    const ports = portsOf(context, { ...o, sources, progress, status, shown, log, begun });
    report = await runRestore(sources.request, optionsOf(context, o.name), { ...ports, warn });
  } catch (error) {
    await shown.stop();
    const { id } = begun;
    if (id === undefined) throw early(error, signal);
    if (error instanceof VarveError)
      return await fail(context, { id, error: signal.aborted ? stoppedBy(error) : error, log });
    if (!json) await context.out(`NOT RESTORED ${id}`);
    throw error;
  } finally {
    openedBytes = await sources.end();
  }
  await shown.stop();
  if (report === undefined) return 0;
  return await tell(context, { report, openedBytes, log, begun });
}

function optionsOf(context: CommandContext, name: string): RestoreOptions {
  const { args } = context;
  return {
    command: commandText(context, name),
    dryRun: args.flag('dry-run'),
    isCompared: !args.flag('no-verify'),
    throttle: throttleOf(args),
  };
}

function portsOf(
  context: CommandContext,
  o: {
    config: Config;
    target: Target;
    sources: Sources;
    progress: RestoreProgress;
    status: StatusLine;
    shown: ShownRestore;
    log: RestoreLog;
    begun: Begun;
  },
): Omit<RestorePorts, 'warn'> {
  const { config, target, sources, progress, status, shown, log, begun } = o;
  const { host, json, signal } = context;
  return {
    host,
    cluster: target.cluster,
    addresses: target.kafka.brokers.join(','),
    backup: sources.backup,
    claimed: sources.claimed,
    localFolder: config.local.dir,
    signal,
    progress,
    async onPlan(plan, goesOn) {
      status.clear();
      begun.groupsTo = plan.groups[0]?.to;
      const lines = planLines(plan, goesOn);
      if (json) await context.out(JSON.stringify(planDocument(plan, goesOn)));
      else for (const line of lines) await context.out(line);
      for (const line of lines) log.add(line);
    },
    async confirm(plan) {
      status.clear();
      shown.pause();
      const lost = plan.topics.flatMap((topic) => wordsOfLoss(topic));
      const all = plan.topics.map((topic) => topic.target).join(', ');
      const isYes =
        lost.length > 0 ? await confirmEach(context, lost) : await context.confirm(`Restore ${all}?`);
      shown.go();
      if (!isYes)
        throw new VarveError('refused', 'the answer was no: nothing was touched', {
          hint: 'run it again and answer y, or add --yes',
        });
    },
    async onBegun(id) {
      begun.id = id;
      await log.begin(id);
    },
  };
}

/** Typed for each topic that goes: the one answer that nobody gives by accident. */
async function confirmEach(context: CommandContext, lost: readonly Loss[]): Promise<boolean> {
  for (const { question, topic } of lost)
    if (!(await context.confirm(question, { expect: topic }))) return false;
  return true;
}

interface Loss {
  readonly topic: string;
  readonly question: string;
}

function wordsOfLoss({ action, target: topic }: TopicPlan): Loss[] {
  if (action === 'recreate') return [{ topic, question: `Topic ${topic} is deleted and made anew.` }];
  if (action === 'empty') return [{ topic, question: `The records of topic ${topic} are deleted.` }];
  return [];
}

/** Whatever a signal breaks off says something else of itself. */
function early(error: unknown, { aborted }: AbortSignal): unknown {
  if (!aborted) return error;
  return new VarveError('interrupted', 'stopped before anything was written', {
    hint: 'run the same command again',
    cause: error,
  });
}

function stoppedBy(error: unknown): VarveError {
  return new VarveError('interrupted', 'stopped before the end', {
    hint: 'run the same command again: it goes on where this one stopped, and no record comes twice',
    cause: error,
  });
}

async function fail(
  context: CommandContext,
  { id, error, log }: { id: string; error: VarveError; log: RestoreLog },
): Promise<number> {
  const { code, message, hint, exitStatus } = error;
  for (const line of errorText(error).trimEnd().split('\n')) log.add(line);
  log.add(`NOT RESTORED ${id}`);
  if (context.json) {
    const document = { schema: 'varve.restore/1', type: 'error', id, restored: false };
    await context.out(JSON.stringify({ ...document, error: { code, message, hint: hint ?? null } }));
    return exitStatus;
  }
  context.errText(errorText(error));
  await context.out(`NOT RESTORED ${id}`);
  return exitStatus;
}

async function tell(
  context: CommandContext,
  o: { report: RestoreReport; openedBytes: number; log: RestoreLog; begun: Begun },
): Promise<number> {
  const { report, openedBytes, log, begun } = o;
  const failed = report.topics.filter(({ problem }) => problem !== null);
  const document = reportDocument(report, openedBytes);
  const path = context.args.string('report');
  if (path !== undefined) await writeReport(context, path, document);
  const last = `${failed.length === 0 ? 'RESTORED' : 'NOT RESTORED'} ${report.id}`;
  const lines = [...reportLines(report, openedBytes), ...nextSteps(report, begun.groupsTo)];
  for (const line of [...lines, last]) log.add(line);
  if (context.json) await context.out(JSON.stringify(document));
  else for (const line of [...lines, last]) await context.out(line);
  // Running it again mends what was interrupted; it does not mend damage.
  const isDamage = failed.length > 0 && failed.every(({ code }) => code === 'damage');
  if (isDamage) return exitStatusByCode.damage;
  if (failed.length > 0) return exitStatusByCode.interrupted;
  return report.incomplete.length > 0 ? exitStatusByCode.incomplete : 0;
}

async function writeReport({ host, cwd }: CommandContext, path: string, document: object): Promise<void> {
  await replaceFile(host, resolve(cwd, path), Buffer.from(`${JSON.stringify(document, null, 2)}\n`));
}

function commandText(context: CommandContext, name: string): string {
  return `varve ${name} ${context.args.typed.join(' ')}`;
}
