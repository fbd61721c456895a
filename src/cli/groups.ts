import { VarveError } from '../errors.ts';
import { plural } from '../observe/observe.ts';
import type { Command } from './command.ts';
import { askTarget, recall } from './repository.ts';
import { snapshotChoice } from './snapshot-choice.ts';
import { momentText } from './times.ts';

export const command: Command = {
  name: 'groups list',
  summary: 'List the consumer groups of a snapshot, with their offsets',
  description:
    'The groups of the newest snapshot, or of the one that is named, as they stood when it was taken: restore sets them ' +
    'to the same records again. Needs no broker and no local folder.',
  examples: [
    ['varve groups list', 'of the newest snapshot'],
    ['varve groups list --snapshot daily.3 --topic orders --json', 'of an older one, for programs'],
  ],
  options: {
    snapshot: { type: 'string', value: 'S', summary: 'An id, a view such as daily.0, latest, or a time' },
    topic: { type: 'strings', value: 'T', summary: 'Only offsets on these topics; repeatable' },
  },
  needs: ['repository'],
  async run(context) {
    const config = await context.config();
    const text = context.args.string('snapshot');
    const choice = text === undefined ? undefined : snapshotChoice(text, '--snapshot');
    const memory = await recall(context, config);
    const params = { instance: undefined, memory, ...(choice !== undefined && { choice }) };
    const { newest } = await askTarget(context, { config, order: 'overview', params });
    const found = newest
      .toSorted((a, b) => b.row.takenMs - a.row.takenMs)
      .find(({ manifest }) => manifest.groups !== null);
    if (found === undefined || found.manifest.groups === null) {
      throw new VarveError('nothing-selected', 'no snapshot holds the offsets of groups', {
        hint: 'varve list shows the snapshots; groups are saved by each cycle that reaches Kafka',
      });
    }
    const topics = context.args.list('topic');
    const { readMs, groups } = found.manifest.groups;
    const rows = groups.flatMap(({ group, protocolType, offsets }) => {
      const wanted = offsets.filter(({ topic }) => topics.length === 0 || topics.includes(topic));
      return wanted.length === 0 ? [] : [{ group, protocolType, offsets: wanted }];
    });
    const read = momentText(readMs);
    if (context.json) {
      const document = {
        schema: 'varve.groups/1',
        snapshot: found.row.id,
        instance: found.row.instance,
        read,
        groups: rows.map(({ offsets, ...row }) => ({
          ...row,
          offsets: offsets.map((at) => ({ ...at, offset: String(at.offset) })),
        })),
      };
      await context.out(JSON.stringify(document));
      return 0;
    }
    await context.out(`${plural(rows.length, 'group')} in snapshot ${found.row.id}, read ${read}`);
    await context.table(
      rows.flatMap(({ group, offsets }) =>
        offsets.map(({ topic, partition, offset, metadata }) => [
          group,
          `${topic}/${partition}`,
          String(offset),
          metadata,
        ]),
      ),
    );
    return 0;
  },
};
