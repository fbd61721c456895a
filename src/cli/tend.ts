import { VarveError } from '../errors.ts';
import { bytesText, plural } from '../observe/observe.ts';
import type { ExpireResult } from '../target/target.ts';
import type { Command, CommandContext } from './command.ts';
import { holdLocalFolder, installationOf } from './holding.ts';
import { askTarget, recall } from './repository.ts';
import { snapshotChoice } from './snapshot-choice.ts';

const yes = { type: 'flag', summary: 'Answer the question with yes' } as const;

export const expire: Command = {
  name: 'expire',
  summary: 'Let go of snapshots by the policy, after showing the plan',
  description:
    'Shows for each snapshot whether it stays or goes, and why; then asks, and moves what goes to the trash, where it ' +
    'stays for 48 hours. Where a daemon holds the local folder, the daemon expires by itself, and this ends with 11. With names, only those are looked at: one that a rule keeps stays. Cycles do the same by ' +
    'themselves. Data past its `archive.keep` is named too: the next cycle no longer carries its packs on. Nothing ever lets go of the newest verified snapshot, of the newest, or of one that is pinned.',
  examples: [
    ['varve expire --dry-run', 'show the plan and end'],
    ['varve expire', 'show it, ask, do it'],
    ['varve expire 20261101T030000Z-1a2b --yes --json', 'one snapshot, for programs'],
  ],
  positionals: [{ name: 'snapshot', summary: 'Only these, by their ids', many: true }],
  options: { 'dry-run': { type: 'flag', summary: 'Show the plan and end' }, yes },
  needs: ['repository', 'local.dir'],
  async run(context) {
    const config = await context.config();
    const installation = await installationOf(context, config);
    const memory = await recall(context, config);
    const ids = context.args.words;
    const asked = { ids, installation, memory };
    const plan = await askTarget(context, { config, order: 'expire', params: { ...asked, apply: false } });
    if (!context.json) await printPlan(context, plan);
    const goes = plan.steps.filter(({ decision }) => decision === 'expire');
    const isDryRun = context.args.flag('dry-run');
    let expired: readonly string[] = [];
    if (goes.length > 0 && !isDryRun) {
      if (!(await context.confirm(`Let go of ${plural(goes.length, 'snapshot')}?`))) throw answeredNo();
      await using held = new AsyncDisposableStack();
      held.use(await holdLocalFolder(context, config, 'expire'));
      const done = await askTarget(context, { config, order: 'expire', params: { ...asked, apply: true } });
      expired = done.expired;
    }
    if (context.json)
      await context.out(JSON.stringify({ schema: 'varve.expire/1', dryRun: isDryRun, ...plan, expired }));
    else if (expired.length > 0) await context.out(`expired ${plural(expired.length, 'snapshot')}`);
    return 0;
  },
};

async function printPlan(
  { table, out }: CommandContext,
  { steps, held, archive }: ExpireResult,
): Promise<void> {
  await table(steps.map(({ id, decision, reasons }) => [decision, id, reasons.join('; ')]));
  for (const text of held) await out(`nothing expires: ${text}`);
  if (archive.length === 0) return;
  await out('data that the next cycle lets go of, by archive.keep:');
  await table(archive.map(({ pack, bytes, reason }) => [pack, bytesText(bytes), reason]));
}

export const pin: Command = {
  name: 'pin',
  summary: 'Keep a snapshot whatever the policy says',
  description: 'A pinned snapshot never expires. The pin is noted in the repository, sealed.',
  examples: [
    ['varve pin latest --reason "before the migration"', 'the newest one'],
    ['varve pin daily.3 --json', 'for programs'],
  ],
  positionals: [{ name: 'snapshot', summary: 'An id, a view, latest, or a time', required: true }],
  options: { reason: { type: 'string', value: 'TEXT', summary: 'Why, for whoever finds it later' } },
  needs: ['repository'],
  run: async (context) => setPin(context, { pinned: true }),
};

export const unpin: Command = {
  name: 'unpin',
  summary: 'Let the policy decide about a snapshot again',
  description: 'Takes a pin away. The snapshot stays for as long as a rule keeps it.',
  examples: [['varve unpin 20261101T030000Z-1a2b', 'by its id']],
  positionals: [{ name: 'snapshot', summary: 'An id, a view, latest, or a time', required: true }],
  needs: ['repository'],
  run: async (context) => setPin(context, { pinned: false }),
};

async function setPin(context: CommandContext, { pinned }: { pinned: boolean }): Promise<number> {
  const config = await context.config();
  const [name = ''] = context.args.words;
  const params = snapshotChoice(name, pinned ? 'pin' : 'unpin');
  const { row } = await askTarget(context, { config, order: 'show', params });
  const reason = pinned ? context.args.string('reason') : undefined;
  const { changed } = await askTarget(context, {
    config,
    order: 'pin',
    params: { id: row.id, pinned, reason },
  });
  if (context.json) await context.out(JSON.stringify({ schema: 'varve.pin/1', id: row.id, pinned, changed }));
  else if (changed) await context.out(`${pinned ? 'pinned' : 'unpinned'} ${row.id}`);
  else await context.out(`${row.id} ${pinned ? 'was pinned already' : 'was not pinned'}`);
  return 0;
}

export const unlock: Command = {
  name: 'unlock',
  summary: 'Take away the lock of an instance whose holder is gone',
  description:
    'Shows who holds the lock, asks, and removes it. A lock of this installation is taken over by itself, and one whose ' +
    'holder has been silent for ten minutes, too: this is for when waiting is no choice.',
  examples: [
    ['varve unlock', 'show the holder, ask, remove'],
    ['varve unlock --yes --json', 'for programs'],
  ],
  options: { yes },
  needs: ['repository'],
  async run(context) {
    const config = await context.config();
    const holder = await askTarget(context, { config, order: 'unlock', params: { apply: false } });
    if (holder === undefined) {
      if (context.json)
        await context.out(JSON.stringify({ schema: 'varve.unlock/1', holder: null, removed: false }));
      else await context.out(`nobody holds instance ${config.instance}`);
      return 0;
    }
    const who = `installation ${holder.installation} on ${holder.host}, since ${holder.since}`;
    if (!context.json) await context.out(`instance ${config.instance} is held by ${who}`);
    if (!(await context.confirm('Is that process gone for good?'))) throw answeredNo();
    await askTarget(context, { config, order: 'unlock', params: { apply: true } });
    if (context.json) await context.out(JSON.stringify({ schema: 'varve.unlock/1', holder, removed: true }));
    else await context.out('the lock is gone');
    return 0;
  },
};

export function answeredNo(): VarveError {
  return new VarveError('refused', 'the answer was no: nothing was touched', {
    hint: 'run it again and answer y, or add --yes',
  });
}
