import { VarveError, exitStatusByCode } from '../errors.ts';
import type { Subset, VerifyLevel, VerifyReport } from '../snapshot/snapshot.ts';
import { bytesText, countText, plural, StatusLine } from '../observe/observe.ts';
import type { Command, CommandContext } from './command.ts';
import { CycleProgress } from './cycle-progress.ts';
import { askTarget, recall } from './repository.ts';

export const command: Command = {
  name: 'verify',
  summary: 'Read the repository and tell whether it is whole',
  description:
    'Reads every file of every snapshot and holds it against SHA256SUMS, then opens every manifest and index and holds ' +
    'them against each other. --fast stops after the sums and needs no key; --deep opens every block and checks every ' +
    'batch, count and range too. Files that snapshots share are read once. A clean read lifts a mark of damage, and ' +
    'makes snapshots count as verified. Needs no broker and no local folder, takes no lock, works on a mount that is ' +
    'read only. Ends with 4 where anything is flipped, short, empty, missing, foreign or without a manifest.',
  examples: [
    ['varve verify', 'digests, documents and chains'],
    ['varve verify --fast', 'digests alone, without a key'],
    ['varve verify --deep --subset 1/7', 'everything of a seventh of the packs: a week of nights reads all'],
    ['varve verify --deep --second-opener', 'opened by two implementations of the cipher, and compared'],
    ['varve verify --json', 'for programs: progress and the result as lines of JSON'],
  ],
  options: {
    fast: { type: 'flag', summary: 'Digests only; needs no key' },
    deep: { type: 'flag', summary: 'Every block and every batch, too' },
    'second-opener': {
      type: 'flag',
      summary: 'With --deep: open every block by libsodium, too, and compare',
    },
    subset: { type: 'string', value: 'N/T', summary: 'Only the n-th of t parts of the packs' },
    instance: { type: 'string', value: 'NAME', summary: 'Only this instance (else all)' },
  },
  drains: true,
  async run(context) {
    const { args } = context;
    const level = levelOf(args.flag('fast'), args.flag('deep'));
    const subset = subsetOf(args.string('subset'));
    const secondOpener = args.flag('second-opener');
    if (secondOpener && level !== 'deep') {
      throw new VarveError('usage', 'verify: --second-opener opens again what --deep opens', {
        hint: 'add --deep',
      });
    }
    const { config } = await context.loadedConfig([level === 'fast' ? 'repository.dir' : 'repository']);
    const status = new StatusLine(context.errText, context.terminal.columns);
    const progress = new CycleProgress(context, status, 'varve.verify/1');
    let report: VerifyReport;
    try {
      report = await askTarget(context, {
        config,
        order: 'verify',
        params: {
          level,
          instance: args.string('instance'),
          subset,
          memory: await recall(context, config),
          localFolder: config.local.dir,
          secondOpener,
        },
        onEvent: (event) => progress.event(event),
      });
    } finally {
      status.clear();
    }
    await print(context, report);
    return report.findings.length > 0 ? exitStatusByCode.damage : 0;
  },
};

function levelOf(isFast: boolean, isDeep: boolean): VerifyLevel {
  if (isFast && isDeep) {
    throw new VarveError('usage', 'verify: expected --fast or --deep, got both', {
      hint: '--fast reads digests only, --deep opens everything',
    });
  }
  if (isFast) return 'fast';
  return isDeep ? 'deep' : 'normal';
}

function subsetOf(text: string | undefined): Subset | undefined {
  if (text === undefined) return undefined;
  const match = /^([1-9]\d{0,3})\/([1-9]\d{0,3})$/.exec(text);
  const [part, of] = [Number(match?.[1]), Number(match?.[2])];
  if (match !== null && part <= of) return { part, of };
  throw new VarveError('usage', `--subset: expected n/t with n from 1 to t, got ${JSON.stringify(text)}`, {
    hint: 'for a week of nights: 1/7, 2/7 and so on to 7/7',
  });
}

async function print(context: CommandContext, report: VerifyReport): Promise<void> {
  const { level, snapshots, packs, readBytes, records, openedTwice, findings } = report;
  if (context.json) {
    const ok = findings.length === 0;
    await context.out(JSON.stringify({ schema: 'varve.verify/1', type: 'summary', ok, ...report }));
    return;
  }
  const deep = level === 'deep' ? `, ${countText(records)} records opened` : '';
  const twice = openedTwice === 0 ? '' : `, ${plural(openedTwice, 'block')} by libsodium, too`;
  const verdict = findings.length === 0 ? 'whole' : `DAMAGED: ${plural(findings.length, 'finding')}`;
  await context.out(
    `${verdict}: ${plural(snapshots, 'snapshot')}, ${plural(packs, 'pack')}, ${bytesText(readBytes)} read${deep}${twice}`,
  );
  for (const { instance, snapshot, file, problem } of findings)
    await context.out(
      `damaged: ${[instance, snapshot, file].filter((part) => part !== '').join('/')}: ${problem}`,
    );
}
