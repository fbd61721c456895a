/** `varve export SNAPSHOT DIR` */
import { resolve } from 'node:path';
import { VarveError } from '../errors.ts';
import { bytesText, plural, StatusLine } from '../observe/observe.ts';
import type { CommandContext } from './command.ts';
import { CycleProgress } from './cycle-progress.ts';
import { askTarget } from './repository.ts';
import { snapshotChoice } from './snapshot-choice.ts';

/** What goes with topics, and not with a snapshot as a whole. */
const ofTopics = [
  'topic',
  'all-topics',
  'exclude-topic',
  'partition',
  'from-time',
  'to-time',
  'key',
  'snapshot',
  'incarnation',
  'local-only',
  'accept-missing',
  'format',
  'out',
];

export async function exportSnapshot(context: CommandContext): Promise<number> {
  const { args, cwd } = context;
  const [name = '', folder] = args.words;
  const other = args.typed.find((word) => ofTopics.some((option) => word.split('=')[0] === `--${option}`));
  if (folder === undefined || other !== undefined) {
    const got = other === undefined ? 'a snapshot alone' : `${other} with ${JSON.stringify(name)}`;
    throw new VarveError('usage', `export: expected a snapshot and a folder, got ${got}`, {
      hint: 'varve export SNAPSHOT DIR copies a snapshot whole; varve export --topic T --out FILE writes topics',
    });
  }
  const choice = snapshotChoice(name, 'export');
  const { config } = await context.loadedConfig(['repository']);
  const instance = args.string('instance') ?? config.instance;
  const status = new StatusLine(context.errText, context.terminal.columns);
  const progress = new CycleProgress(context, status, 'varve.export-snapshot/1');
  try {
    const report = await askTarget(context, {
      config: { ...config, instance },
      order: 'exportSnapshot',
      params: { choice, folder: resolve(cwd, folder) },
      onEvent: (event) => progress.event(event),
    });
    status.clear();
    if (context.json) {
      await context.out(JSON.stringify({ schema: 'varve.export-snapshot/1', type: 'summary', ...report }));
      return 0;
    }
    await context.out(
      `exported ${report.snapshot} of ${report.instance} to ${report.folder}: ${plural(report.packs, 'pack')}, ` +
        `${bytesText(report.bytes)}, read back and opened; with the key it restores by itself`,
    );
    return 0;
  } finally {
    status.clear();
  }
}
