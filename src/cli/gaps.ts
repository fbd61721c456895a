import { VarveError } from '../errors.ts';
import { localFolderOf } from '../config/config.ts';
import { acceptGaps, keyText, listGaps, readIdentity, type FoundGap } from '../local/local.ts';
import { countText, plural } from '../observe/observe.ts';
import type { Command, CommandContext } from './command.ts';
import { livesOf, readingFolder } from './selection.ts';

const whatAGapIs =
  'A gap is a range of offsets that the cluster had deleted before it could be saved: those records are in no backup. ' +
  'A new one keeps check from being healthy until it is accepted.';

export const gapsList: Command = {
  name: 'gaps list',
  summary: 'List the records that could not be saved',
  description: `${whatAGapIs} Needs no broker.`,
  examples: [
    ['varve gaps list', 'the new ones'],
    ['varve gaps list --all --json', 'the accepted ones too, for programs'],
  ],
  options: { all: { type: 'flag', summary: 'Also list those that were accepted' } },
  needs: ['local.dir'],
  async run(context) {
    const { folder, gaps } = await gapsOf(context);
    const fresh = gaps.filter((gap) => !gap.isAccepted);
    const shown = context.args.flag('all') ? gaps : fresh;
    if (context.json) {
      await context.out(
        JSON.stringify({ schema: 'varve.gaps/1', new: fresh.length, gaps: shown.map(documentOf) }),
      );
      return 0;
    }
    const accepted = gaps.length - fresh.length;
    await context.out(
      `${plural(fresh.length, 'new gap')}${accepted === 0 ? '' : `, ${countText(accepted)} accepted`} in ${folder}`,
    );
    await context.table(shown.map((gap) => [gap.isAccepted ? 'accepted' : 'new', ...rowOf(gap)]));
    return 0;
  },
};

export const gapsAccept: Command = {
  name: 'gaps accept',
  summary: 'Say that the missing records are known',
  description: `${whatAGapIs} Accepting changes no record; the gap stays listed under --all. May run beside a daemon.`,
  examples: [
    ['varve gaps accept --dry-run', 'show what would be accepted'],
    ['varve gaps accept --topic orders', 'those of one topic, after a question'],
    ['varve gaps accept --yes --json', 'all of them, for programs'],
  ],
  options: {
    topic: { type: 'strings', value: 'A,B', summary: 'Only gaps of these topics; repeatable' },
    'dry-run': { type: 'flag', summary: 'Show the plan and end' },
    yes: { type: 'flag', summary: 'Answer the question with yes' },
  },
  needs: ['local.dir'],
  async run(context) {
    const { args, host, json } = context;
    const topics = args.list('topic');
    const { folder, gaps } = await gapsOf(context);
    for (const topic of topics) await livesOf(host, folder, topic);
    const planned = gaps.filter(
      (gap) => !gap.isAccepted && (topics.length === 0 || topics.includes(gap.topic)),
    );
    const isDryRun = args.flag('dry-run');
    if (!json) await printPlan(context, planned);
    const isWorkToDo = planned.length > 0 && !isDryRun;
    if (isWorkToDo) {
      if (!(await context.confirm(`Accept ${plural(planned.length, 'gap')}?`))) throw refusedByAnswer();
      await acceptGaps(host, folder, planned);
    }
    if (json) {
      await context.out(
        JSON.stringify({
          schema: 'varve.gaps-accept/1',
          dryRun: isDryRun,
          accepted: planned.map(documentOf),
        }),
      );
    } else if (isWorkToDo) await context.out(`accepted ${plural(planned.length, 'gap')}`);
    return 0;
  },
};

async function gapsOf({ config, host }: CommandContext): Promise<{ folder: string; gaps: FoundGap[] }> {
  const folder = localFolderOf(await config());
  const gaps = await readingFolder(folder, async () => {
    await readIdentity(host.disk, folder); // refuses a format that is newer than this program
    return listGaps(host.disk, folder);
  });
  if (gaps.length === 0 && (await host.disk.stat(folder)) === undefined) {
    throw new VarveError('target-unusable', `local folder ${folder} does not exist`, {
      hint: 'check local.dir; varve init makes the folder',
    });
  }
  return { folder, gaps };
}

async function printPlan({ out, table }: CommandContext, planned: readonly FoundGap[]): Promise<void> {
  if (planned.length === 0) {
    await out('no new gap to accept');
    return;
  }
  await out('these records are missing from the backup and will count as known:');
  await table(planned.map(rowOf));
}

function refusedByAnswer(): VarveError {
  return new VarveError('refused', 'the answer was no: nothing was accepted', {
    hint: 'run it again and answer y, or add --yes',
  });
}

function rowOf(gap: FoundGap): string[] {
  const range = `offsets ${gap.from} to ${gap.to - 1n}, ${countText(gap.to - gap.from)} in all`;
  return [keyText(gap), `${range}, met ${gap.at}, topic id ${gap.topicId}`];
}

/** Offsets are text, as everywhere but in records: JSON's numbers end before they do. `to` is not missing any more. */
function documentOf(gap: FoundGap): object {
  const { topic, topicId, partition, from, to, at, isAccepted } = gap;
  return { topic, topicId, partition, from: String(from), to: String(to), at, accepted: isAccepted };
}
