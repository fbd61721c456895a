import { localFolderOf, nearest } from '../config/config.ts';
import { exitStatusByCode, VarveError } from '../errors.ts';
import type { Cluster } from '../kafka/kafka.ts';
import { plural } from '../observe/observe.ts';
import {
  planRollbackOf,
  readJournals,
  rollBack,
  writeJournal,
  type Journal,
  type RollbackPlan,
} from '../restore/restore.ts';
import type { Command, CommandContext } from './command.ts';
import { connectTarget } from './replay.ts';
import { restoreOptions } from './restore-options.ts';
import { readingFolder } from './selection.ts';
import { momentText } from './times.ts';

const { target, yes } = restoreOptions;

export const command: Command = {
  name: 'groups rollback',
  summary: 'Put groups back where they stood before a restore',
  positionals: [{ name: 'id', summary: 'The restore, by its id; the newest into this cluster without it' }],
  description:
    'A restore notes the offsets that it finds, with their metadata, before it changes anything. They are put back ' +
    'exactly; where a group had none, it has none again. Refused with 18, by name: groups that are active, and offsets ' +
    'that do not lie in the log as it is now, such as after --recreate or --empty. Topics and their records stay as ' +
    'they are.',
  examples: [
    ['varve groups rollback --dry-run', 'what the newest restore changed, and where each offset would go'],
    ['varve groups rollback 20261121T155904Z-44fc --group billing', 'one group, back before that restore'],
    ['varve groups rollback --yes --json', 'for programs'],
  ],
  options: {
    group: { type: 'strings', value: 'G', summary: 'Only these groups; repeatable' },
    'skip-active-groups': restoreOptions['skip-active-groups'],
    target: { ...target, summary: 'In the cluster that the configuration calls so' },
    'target-brokers': { ...restoreOptions['target-brokers'], summary: 'In the cluster of these brokers' },
    'target-config': restoreOptions['target-config'],
    'expect-cluster': restoreOptions['expect-cluster'],
    'dry-run': restoreOptions['dry-run'],
    yes,
  },
  needs: ['local.dir'],
  drains: true,
  async run(context) {
    const { args, host, signal } = context;
    const config = await context.config();
    const folder = localFolderOf(config);
    const journals = await readingFolder(folder, async () => readJournals(host, folder));
    await using connected = await connectTarget(context, config);
    const { cluster } = connected;
    const journal = choose(journals, { id: args.words[0], cluster });
    const groups = args.list('group');
    const wanted = {
      groups: groups.length === 0 ? undefined : groups,
      skipActiveGroups: args.flag('skip-active-groups'),
    };
    const plan = await planRollbackOf(journal, wanted, { cluster, clock: host.clock, signal });
    if (!context.json) await print(context, journal, plan);
    const isWorkToDo = plan.groups.length > 0 && !args.flag('dry-run');
    if (isWorkToDo && !(await context.confirm(`Put ${plural(plan.groups.length, 'group')} back?`)))
      throw new VarveError('refused', 'the answer was no: nothing was touched', {
        hint: 'run it again and answer y, or add --yes',
      });
    const outcomes = isWorkToDo ? await rollBack(plan, { cluster, clock: host.clock, signal }) : [];
    const problems = new Map(outcomes.map(({ group, problem }) => [group, problem]));
    const isWhole = plan.active.length === 0 && wanted.groups === undefined;
    const isDone = isWhole && [...problems.values()].every((problem) => problem === undefined);
    if (isDone && !args.flag('dry-run') && journal.finishedMs !== null)
      await writeJournal(host, folder, { ...journal, rolledBackMs: host.clock.nowMs() });
    await tell(context, { journal, plan, problems, isWorkToDo });
    const isLeft = plan.active.length > 0 || [...problems.values()].some((problem) => problem !== undefined);
    return isLeft ? exitStatusByCode.incomplete : 0;
  },
};

function choose(
  journals: readonly Journal[],
  { id, cluster }: { id: string | undefined; cluster: Cluster },
): Journal {
  const { clusterId } = cluster;
  const here = journals.filter((journal) => journal.cluster === clusterId);
  const found = id === undefined ? here.at(-1) : journals.find((journal) => journal.id === id);
  if (found === undefined) {
    const near =
      id === undefined
        ? undefined
        : nearest(
            id,
            journals.map((journal) => journal.id),
          );
    const what =
      id === undefined ? `no restore into cluster ${clusterId}` : `no restore ${JSON.stringify(id)}`;
    throw new VarveError(
      'nothing-selected',
      `${what} is known here${near === undefined ? '' : `; did you mean ${near}?`}`,
      { hint: 'varve restores list shows those that were begun here; --target names another cluster' },
    );
  }
  if (found.cluster === clusterId) return found;
  throw new VarveError(
    'wrong-cluster',
    `restore ${found.id} was into cluster ${found.cluster}, and this is ${clusterId}`,
    { hint: 'name that cluster with --target or --target-brokers: nothing was touched' },
  );
}

async function print(
  { out, table }: CommandContext,
  journal: Journal,
  { groups, unchanged, active, notes }: RollbackPlan,
): Promise<void> {
  await out(`before restore ${journal.id}, begun ${momentText(journal.startedMs)}: ${journal.command}`);
  await table(
    groups.flatMap(({ group, offsets }) =>
      offsets.map(({ topic, partition, now, back, metadata }) => [
        group,
        `${topic}/${partition}`,
        `${now ?? 'none'} to ${back ?? 'none'}`,
        metadata,
      ]),
    ),
  );
  if (unchanged > 0) await out(`${plural(unchanged, 'offset')} as it was before`);
  for (const { group } of active) await out(`INCOMPLETE: group ${group} is active and is left as it is`);
  for (const note of notes) await out(`note: ${note}`);
  if (groups.length === 0) await out('nothing is to be put back');
}

async function tell(
  { json, out, args }: CommandContext,
  o: {
    journal: Journal;
    plan: RollbackPlan;
    problems: ReadonlyMap<string, string | undefined>;
    isWorkToDo: boolean;
  },
): Promise<void> {
  const { journal, plan, problems, isWorkToDo } = o;
  if (json) {
    const document = {
      schema: 'varve.groups-rollback/1',
      restore: journal.id,
      cluster: journal.cluster,
      dryRun: args.flag('dry-run'),
      groups: plan.groups.map(({ group, offsets }) => ({
        group,
        problem: problems.get(group) ?? null,
        offsets: offsets.map(({ topic, partition, now, back, metadata }) => ({
          topic,
          partition,
          now: textOf(now),
          back: textOf(back),
          metadata,
        })),
      })),
      unchanged: plan.unchanged,
      active: plan.active.map(({ group }) => group),
      notes: plan.notes,
    };
    await out(JSON.stringify(document));
    return;
  }
  if (!isWorkToDo) return;
  for (const { group, offsets } of plan.groups) {
    const problem = problems.get(group);
    await out(
      problem === undefined
        ? `group ${group}: ${plural(offsets.length, 'offset')} put back and read back`
        : `group ${group}: NOT put back: ${problem}`,
    );
  }
}

function textOf(offset: bigint | null): string | null {
  return offset === null ? null : String(offset);
}
