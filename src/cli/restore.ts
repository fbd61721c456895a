import { resolve } from 'node:path';
import { localFolderOf, type Config, type KafkaConfig } from '../config/config.ts';
import { askDaemon, kafkaPorts, kafkaSettings } from '../daemon/daemon.ts';
import { exitStatusByCode, messageOf, VarveError } from '../errors.ts';
import { connectCluster, type Cluster, type CommittedOffset } from '../kafka/kafka.ts';
import { replaceFile } from '../host/host.ts';
import { readIdentity } from '../local/local.ts';
import { StatusLine } from '../observe/observe.ts';
import {
  newProgress,
  type Claimed,
  runRestore,
  type RestoreOptions,
  type RestorePorts,
  type RestoreProgress,
  type RestoreReport,
  type RestoreRequest,
} from '../restore/restore.ts';
import type { ReadingSession } from '../target/target.ts';
import type { Command, CommandContext } from './command.ts';
import { errorText, escapeControls } from './output.ts';
import { reportDocument, reportLines, nextSteps } from './restore-report.ts';
import { planDocument, planLines } from './restore-plan.ts';
import { RestoreLog } from './restore-log.ts';
import { restoreOptions, requestOf, throttleOf } from './restore-options.ts';
import { showRestore, type ShownRestore } from './restore-progress.ts';
import { checkChoice, openBackup, startReading, type OpenBackup } from './sources.ts';
import { targetKafka } from './target-cluster.ts';

export const command: Command = {
  name: 'restore',
  summary: 'Put topics back, with the offsets of their groups',
  description:
    'Reads the local files and the newest snapshots together, shows what it will do, asks, does it, reads everything ' +
    'back and compares, then sets the offsets of consumer groups to the very same records. Whatever stops it, the ' +
    'same command goes on where it stopped, and no record comes twice.\n' +
    'A topic that exists and is not empty is refused unless --recreate (deletes it first, after checking that every ' +
    'live record is in the backup) or --append. Times are RFC 3339 with a zone and are held against each record by its ' +
    'own timestamp. The last line is RESTORED or NOT RESTORED with the id of the restore.',
  examples: [
    ['varve restore --topic orders --dry-run', 'what would be done'],
    ['varve restore --topic orders --from-time 2026-11-01T00:00Z', 'from a moment on'],
    [
      'varve restore --topic orders --to-topic orders.check --no-groups',
      'beside the live topic, to look at it',
    ],
    ["varve restore --topic 'shop.*' --recreate", 'several, over what is there'],
    [
      'varve restore --all-topics --snapshot daily.1 --target dr --yes --json',
      'into another cluster, for programs',
    ],
  ],
  options: restoreOptions,
  needs: [],
  drains: true,
  outlivesTerminal: true,
  async run(context) {
    const request = requestOf(context.args);
    checkChoice(request);
    const throttle = throttleOf(context.args);
    const { config } = await context.loadedConfig([]);
    const kafka = await targetKafka(context, config);
    await using reading = startReading(context, config, request);
    await using cluster = await connectCluster({
      settings: kafkaSettings(kafka),
      ports: kafkaPorts(context.host),
      signal: context.signal,
      frameBytesInFlightMax,
    });
    const expected = context.args.string('expect-cluster');
    if (expected !== undefined && expected !== cluster.clusterId) {
      throw new VarveError('wrong-cluster', `expected cluster ${expected}, got ${cluster.clusterId}`, {
        hint: 'check where the addresses of the brokers lead: nothing was touched',
      });
    }
    return await restoreInto(context, { config, kafka, cluster, reading, request, throttle });
  },
};

const frameBytesInFlightMax = 12 * 1024 * 1024;

interface Work {
  readonly config: Config;
  readonly kafka: KafkaConfig;
  readonly cluster: Cluster;
  readonly reading: ReadingSession | undefined;
  readonly request: RestoreRequest;
  readonly throttle: number | undefined;
}

async function restoreInto(context: CommandContext, work: Work): Promise<number> {
  const { config, reading, request } = work;
  const { host, json, signal } = context;
  const status = new StatusLine(context.errText, context.terminal.columns);
  await using log = new RestoreLog(host, config.local.dir);
  const warn = (message: string): void => {
    status.clear();
    context.err(`warning: ${escapeControls(message)}`);
    log.add(`warning: ${message}`);
  };
  await cutFirst(context, work, warn);
  const choice = {
    snapshot: request.snapshot,
    instance: request.instance,
    reading,
    warn,
  };
  // Before the sources are looked at: a daemon that goes on meanwhile would claim more than was seen of them.
  const claimed = await claimedBy(work, { signal, warn });
  const backup = await openBackup(context, config, choice);
  const progress = newProgress();
  const shown = showRestore(context, { status, progress, log });
  const begun: { id?: string } = {};
  let report: RestoreReport | undefined;
  try {
    const ports = portsOf(context, { work, backup, claimed, progress, status, shown, log, begun });
    report = await runRestore(request, optionsOf(context, work), { ...ports, warn });
  } catch (error) {
    await shown.stop();
    const { id } = begun;
    if (id === undefined) throw error;
    if (error instanceof VarveError)
      return await fail(context, { id, error: signal.aborted ? stoppedBy(error) : error, log });
    if (!json) await context.out(`NOT RESTORED ${id}`);
    throw error;
  } finally {
    await reading?.[Symbol.asyncDispose]();
  }
  await shown.stop();
  if (report === undefined) return 0;
  return await tell(context, { report, openedBytes: reading?.openedBytes ?? 0, log });
}

function optionsOf(context: CommandContext, { throttle }: Work): RestoreOptions {
  const { args } = context;
  return {
    command: commandText(context),
    dryRun: args.flag('dry-run'),
    isCompared: !args.flag('no-verify'),
    throttle,
  };
}

function portsOf(
  context: CommandContext,
  o: {
    work: Work;
    backup: OpenBackup;
    claimed: Claimed;
    progress: RestoreProgress;
    status: StatusLine;
    shown: ShownRestore;
    log: RestoreLog;
    begun: { id?: string };
  },
): Omit<RestorePorts, 'warn'> {
  const { work, backup, claimed, progress, status, shown, log, begun } = o;
  const { host, json, signal } = context;
  return {
    host,
    cluster: work.cluster,
    addresses: work.kafka.brokers.join(','),
    backup,
    claimed,
    localFolder: work.config.local.dir,
    signal,
    progress,
    async onPlan(plan, goesOn) {
      status.clear();
      const lines = planLines(plan, goesOn);
      if (json) await context.out(JSON.stringify(planDocument(plan, goesOn)));
      else for (const line of lines) await context.out(line);
      for (const line of lines) log.add(line);
    },
    async confirm(plan) {
      status.clear();
      shown.pause();
      const replaced = plan.topics.filter(({ action }) => action === 'recreate').map(({ target }) => target);
      const all = plan.topics.map(({ target }) => target).join(', ');
      const isYes =
        replaced.length > 0 ? await confirmEach(context, replaced) : await context.confirm(`Restore ${all}?`);
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
async function confirmEach(context: CommandContext, topics: readonly string[]): Promise<boolean> {
  for (const topic of topics) {
    const question = `Topic ${topic} is deleted and made anew.`;
    if (!(await context.confirm(question, { expect: topic }))) return false;
  }
  return true;
}

/** With a daemon that follows this very cluster: what is committed now belongs to the backup, too. */
async function cutFirst(
  { host, signal }: CommandContext,
  { config, cluster, request }: Work,
  warn: (message: string) => void,
): Promise<void> {
  if (config.local.dir === undefined || request.snapshot !== undefined) return;
  const folder = localFolderOf(config);
  if ((await readIdentity(host.disk, folder))?.cluster !== cluster.clusterId) return;
  try {
    await askDaemon(host, folder, { command: 'backup', snapshot: false }, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    warn(`the daemon could not be asked to save what is committed now: ${messageOf(error)}`);
  }
}

interface Telling {
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
}

/** What the program's own group says was saved: another replica, or a disk that was lost, may have had it. */
async function claimedBy(work: Work, telling: Telling): Promise<Claimed> {
  const claimed = new Map<string, { topic: string; partitions: Map<number, bigint> }>();
  for (const { topic, partition, offset, metadata } of await ownPositions(work, telling)) {
    const topicId = topicIdIn(metadata);
    if (topicId === undefined || offset <= 0n) continue;
    const known = claimed.get(topicId) ?? { topic, partitions: new Map<number, bigint>() };
    known.partitions.set(partition, offset);
    claimed.set(topicId, known);
  }
  return claimed;
}

/** A cluster that does not know the group is not asked for it: a fresh one has no coordinator yet. */
async function ownPositions(
  { cluster, config }: Work,
  { signal, warn }: Telling,
): Promise<CommittedOffset[]> {
  const { groupId } = config.kafka;
  try {
    const isThere = (await cluster.groupNames({ signal })).includes(groupId);
    return isThere ? await cluster.committedOffsets(groupId, { signal }) : [];
  } catch (error) {
    if (!(error instanceof VarveError) || error.code !== 'kafka-refused') throw error;
    warn(`what was saved and is not at hand cannot be told: ${error.message}`);
    return [];
  }
}

function topicIdIn(metadata: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(metadata);
    const id: unknown =
      typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, 'topicId') : undefined;
    return typeof id === 'string' ? id : undefined;
  } catch {
    return undefined; // not ours
  }
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
  log.add(errorText(error).trimEnd());
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
  { report, openedBytes, log }: { report: RestoreReport; openedBytes: number; log: RestoreLog },
): Promise<number> {
  const failed = report.topics.filter(({ problem }) => problem !== null);
  const document = reportDocument(report, openedBytes);
  const path = context.args.string('report');
  if (path !== undefined) await writeReport(context, path, document);
  const last = `${failed.length === 0 ? 'RESTORED' : 'NOT RESTORED'} ${report.id}`;
  const lines = [...reportLines(report, openedBytes), ...nextSteps(report)];
  for (const line of [...lines, last]) log.add(line);
  if (context.json) await context.out(JSON.stringify(document));
  else for (const line of [...lines, last]) await context.out(escapeControls(line));
  // Running it again mends what was interrupted; it does not mend damage.
  const isDamage = failed.length > 0 && failed.every(({ code }) => code === 'damage');
  if (isDamage) return exitStatusByCode.damage;
  if (failed.length > 0) return exitStatusByCode.interrupted;
  return report.incomplete.length > 0 ? exitStatusByCode.incomplete : 0;
}

async function writeReport({ host, cwd }: CommandContext, path: string, document: object): Promise<void> {
  await replaceFile(host, resolve(cwd, path), Buffer.from(`${JSON.stringify(document, null, 2)}\n`));
}

function commandText(context: CommandContext): string {
  return `varve restore ${context.args.typed.join(' ')}`;
}
