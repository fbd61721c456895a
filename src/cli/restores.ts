import { localFolderOf } from '../config/config.ts';
import { plural } from '../observe/observe.ts';
import { readJournals, type Journal } from '../restore/restore.ts';
import type { Command, CommandContext } from './command.ts';
import { readingFolder } from './selection.ts';
import { momentText } from './times.ts';

export const command: Command = {
  name: 'restores list',
  summary: 'List restores that were begun here, and which are unfinished',
  description:
    'An unfinished restore goes on when its command is run again: it is shown as it was typed. Needs no broker. The ' +
    'log of each is restores/<id>.log in the local folder.',
  examples: [
    ['varve restores list', 'the newest last'],
    ['varve restores list --json', 'for programs'],
  ],
  needs: ['local.dir'],
  async run(context) {
    const folder = localFolderOf(await context.config());
    const journals = await readingFolder(folder, async () => readJournals(context.host, folder));
    if (context.json) {
      const restores = journals.map(documentOf);
      await context.out(JSON.stringify({ schema: 'varve.restores/1', restores }));
    } else await print(context, journals);
    return 0;
  },
};

async function print({ out, table }: CommandContext, journals: readonly Journal[]): Promise<void> {
  const open = journals.filter(isUnfinished);
  await out(`${plural(journals.length, 'restore')}, ${open.length} unfinished`);
  await table(
    journals.map((journal) => [
      journal.id,
      isUnfinished(journal) ? 'UNFINISHED' : 'finished',
      groupsText[rollbackOf(journal)],
      journal.topics.map(({ target }) => target).join(', '),
      journal.command,
    ]),
  );
}

type Rollback = 'possible' | 'done' | 'none' | 'unknown';

const groupsText: Record<Rollback, string> = {
  possible: 'groups can be rolled back',
  done: 'groups rolled back',
  none: 'no group touched',
  unknown: 'groups not noted',
};

/** Whether `groups rollback` has something to put back. */
function rollbackOf({ before, rolledBackMs }: Journal): Rollback {
  if (before === undefined) return 'unknown';
  if (before.length === 0) return 'none';
  return rolledBackMs === undefined ? 'possible' : 'done';
}

export function isUnfinished({ finishedMs }: Journal): boolean {
  return finishedMs === null;
}

function documentOf(journal: Journal): object {
  const { id, command: typed, startedMs, finishedMs, cluster, topics } = journal;
  return {
    id,
    state: isUnfinished(journal) ? 'unfinished' : 'finished',
    command: typed,
    started: momentText(startedMs),
    finished: finishedMs === null ? null : momentText(finishedMs),
    cluster,
    rollback: rollbackOf(journal),
    topics: topics.map(({ source, target, topicId, state }) => ({ topic: source, target, topicId, state })),
  };
}
