import { exitStatusByCode, VarveError } from '../errors.ts';
import { plural } from '../observe/observe.ts';
import type { Command } from './command.ts';
import { installationOf } from './holding.ts';
import { askTarget, recall } from './repository.ts';
import { answeredNo } from './tend.ts';
import { agoText } from './times.ts';

export const instanceList: Command = {
  name: 'instance list',
  summary: 'List the instances that share the repository',
  description:
    'Each daemon with an `instance` of its own has its own folder, snapshots and lock in the repository.',
  examples: [['varve instance list --json', 'for programs']],
  needs: ['repository'],
  async run(context) {
    const config = await context.config();
    const found = await askTarget(context, {
      config,
      order: 'list',
      params: { instance: undefined, memory: await recall(context, config) },
    });
    const names = await askTarget(context, { config, order: 'instances', params: undefined });
    const instances = names.map((name) => {
      const own = found.snapshots.filter(({ instance }) => instance === name);
      return {
        name,
        snapshots: own.length,
        newest: own.at(-1)?.id ?? null,
        problems: found.problems.filter(({ instance }) => instance === name).length,
        isThis: name === config.instance,
        isRetired: found.retired.includes(name),
      };
    });
    if (context.json) await context.out(JSON.stringify({ schema: 'varve.instances/1', instances }));
    else
      await context.table(
        instances.map(({ name, snapshots, newest, problems, isThis, isRetired }) => [
          name,
          plural(snapshots, 'snapshot'),
          newest ?? 'none yet',
          problems === 0 ? '' : `DAMAGED: ${plural(problems, 'problem')}`,
          isThis ? 'this one' : isRetired ? 'retired' : '',
        ]),
      );
    if (found.problems.length === 0) return 0;
    if (!context.json) await context.out('varve list shows the problems');
    return exitStatusByCode.damage;
  },
};

export const instanceRetire: Command = {
  name: 'instance retire',
  summary: 'Say that the daemon of an instance is gone for good',
  description:
    'Shows what the instance holds, asks, and notes in the repository, sealed, that nobody waits for it any more: check no ' +
    'longer warns that it is late, and a restore does not miss what was on its disk alone. Its snapshots stay and are ' +
    'read by every restore. --undo takes it back; so does the next snapshot that the instance publishes.',
  examples: [
    ['varve instance retire replica-2', 'show it, ask, note it'],
    ['varve instance retire replica-2 --undo', 'take that back'],
    ['varve instance retire replica-2 --yes --json', 'for programs'],
  ],
  positionals: [{ name: 'instance', summary: 'As instance list names it', required: true }],
  options: {
    undo: { type: 'flag', summary: 'Its daemon is to come back' },
    'dry-run': { type: 'flag', summary: 'Show what it holds and end' },
    yes: { type: 'flag', summary: 'Answer the question with yes' },
  },
  needs: ['repository', 'local.dir'],
  async run(context) {
    const config = await context.config();
    const [name = ''] = context.args.words;
    const retired = !context.args.flag('undo');
    if (retired && name === config.instance) {
      throw new VarveError('usage', `instance retire: ${name} is the instance of this very configuration`, {
        hint: 'run it where another instance is configured; this one is stopped by stopping its daemon',
      });
    }
    const asked = { name, retired, installation: await installationOf(context, config) };
    const ask = async (apply: boolean): ReturnType<typeof askTarget<'retire'>> =>
      askTarget(context, { config, order: 'retire', params: { ...asked, apply } });
    let result = await ask(false);
    const { snapshots, newest, takenMs, changed } = result;
    if (!context.json) {
      const age = agoText(takenMs, context.host.clock.nowMs());
      await context.out(`${name}: ${plural(snapshots, 'snapshot')}, the newest ${newest}, taken ${age}`);
      if (!changed) await context.out(`it ${retired ? 'is retired already' : 'is not retired'}`);
    }
    const isDryRun = context.args.flag('dry-run');
    if (changed && !isDryRun) {
      const question = retired ? 'Is its daemon gone for good?' : 'Is its daemon to count again?';
      if (!(await context.confirm(question))) throw answeredNo();
      result = await ask(true);
    }
    const done = result.changed && !isDryRun;
    if (context.json) {
      const document = {
        schema: 'varve.instance-retire/1',
        name,
        retired,
        newest,
        snapshots,
        dryRun: isDryRun,
      };
      await context.out(JSON.stringify({ ...document, changed: done }));
    } else if (done) await context.out(retired ? `retired ${name}` : `${name} counts again`);
    return 0;
  },
};
