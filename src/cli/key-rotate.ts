import { VarveError } from '../errors.ts';
import { plural } from '../observe/observe.ts';
import type { Command } from './command.ts';
import { shownOfId } from './key.ts';
import { askTarget } from './repository.ts';
import { answeredNo } from './tend.ts';

export const command: Command = {
  name: 'key rotate',
  summary: 'Add a content key, under which later cycles seal',
  description:
    'Writes the next keyring, with one content key more. Nothing that exists is rewritten: older snapshots open by the ' +
    'older keys, which stay in every later keyring, and every slot opens all of it as before. Daemons take the new key ' +
    'at their next cycle. It bounds how much is sealed under one key. It does not help against somebody who has had the ' +
    'root key, by a slot or by a recovery sheet: only a new repository does. Print a new recovery sheet afterwards.',
  examples: [
    ['varve key rotate', 'show what will be, ask, do it'],
    ['varve key rotate --dry-run', 'show it and end'],
    ['varve key rotate --yes --json', 'for programs'],
  ],
  options: {
    'dry-run': { type: 'flag', summary: 'Show what will be and end' },
    yes: { type: 'flag', summary: 'Answer the question with yes' },
  },
  needs: ['repository'],
  async run(context) {
    const config = await context.config();
    const localFolder = config.local.dir;
    const found = await askTarget(context, { config, order: 'keys', params: { localFolder } });
    const { number, keys } = found.keyring;
    const newest = keys.at(-1);
    const lost = found.problems.find(({ isKeyring }) => isKeyring);
    // Another keyring of the number of one that was lost would part the content keys.
    if (lost !== undefined)
      throw new VarveError('damage', `keys/${lost.file}: ${lost.problem}`, { hint: lost.hint });
    if (!context.json) {
      const since = `the newest since ${newest?.created ?? ''}`;
      await context.out(`keyring.${number} stays: ${plural(keys.length, 'content key')}, ${since}`);
      await context.out(
        `keyring.${number + 1} is added: the same, and a new one that later cycles seal under`,
      );
    }
    const dryRun = context.args.flag('dry-run');
    if (!dryRun && !(await context.confirm('Add a content key?'))) throw answeredNo();
    const now = dryRun
      ? found.keyring
      : await askTarget(context, { config, order: 'rotateKey', params: { keyring: number } });
    const added = dryRun ? null : (now.keys.at(-1)?.id ?? null);
    if (context.json) {
      const document = { schema: 'varve.key-rotate/1', dryRun, keyring: now.number, keys: now.keys, added };
      await context.out(JSON.stringify(document));
    } else if (added !== null) {
      await context.out(`added content key ${added.slice(0, shownOfId)}: print a new recovery sheet`);
    }
    return 0;
  },
};
