import manifest from '../../package.json' with { type: 'json' };
import type { SheetContent } from '../target/target.ts';
import type { Command } from './command.ts';
import { askTarget } from './repository.ts';
import { answeredNo } from './tend.ts';

export const command: Command = {
  name: 'key export',
  summary: 'Print a recovery sheet, which opens everything',
  description:
    'Prints the root key and the content keys as lines that can be typed back, each with a checksum, and how to open the ' +
    'repository with them when every slot, or all of keys/, is lost. It is for paper in a safe: it is stored nowhere, and ' +
    'printed on a terminal only after a question. Whoever has the sheet and the repository can read everything, now and ' +
    'later. Print a new one after varve key rotate.',
  examples: [
    ['varve key export | lp', 'straight to a printer'],
    ['varve key export --yes', 'on this terminal, without a question'],
  ],
  options: { yes: { type: 'flag', summary: 'Answer the question with yes' } },
  needs: ['repository'],
  async run(context) {
    const config = await context.config();
    const question =
      'Print what opens everything here, where others may see it and the terminal may keep it?';
    if (context.terminal.stdout && !(await context.confirm(question))) throw answeredNo();
    const content = await askTarget(context, { config, order: 'sheet', params: undefined });
    const text = sheetText(content, new Date(context.host.clock.nowMs()).toISOString());
    if (context.json) {
      const { lines: _lines, ...whose } = content;
      const document = { schema: 'varve.key-export/1', ...whose, sheet: `${text.join('\n')}\n` };
      await context.out(JSON.stringify(document));
    } else for (const line of text) await context.out(line);
    return 0;
  },
};

function sheetText({ repository, created, clusters, keyring, lines }: SheetContent, now: string): string[] {
  return [
    'VARVE RECOVERY SHEET',
    '',
    'WHOEVER HAS THIS SHEET AND THE REPOSITORY CAN READ EVERYTHING IN IT, FOR EVER.',
    'Keep it on paper, locked away, apart from the repository, the cluster and this',
    'machine. Removing a slot or rotating a key does not make it worthless.',
    '',
    `  of repository   ${repository}`,
    `  made            ${created}`,
    `  of clusters     ${clusters.length === 0 ? 'none yet' : clusters.join(' ')}`,
    `  newest keyring  keyring.${keyring}`,
    `  printed         ${now} by varve ${manifest.version}`,
    '',
    'It is for when no key file and no passphrase opens the repository any more:',
    '',
    '  1. Type the lines below into a file in memory, such as /dev/shm/sheet. Small',
    '     letters, and spaces, do not matter. I, O and B are letters: 1, 0 and 8 do',
    '     not occur. The last four letters of a line are its checksum: a line that',
    '     is mistyped is named. The first three lines always; those of "since" and',
    '     "key" only where keys/ in the repository holds no keyring (then all).',
    '  2. varve key generate NEWKEY',
    '  3. varve key add recovered --from-sheet /dev/shm/sheet --key-file NEWKEY \\',
    '       --set repository.dir=FOLDER     (the folder that holds varve.json)',
    '  4. Set repository.keyFile to NEWKEY, run varve verify, remove /dev/shm/sheet.',
    '',
    ...lines,
    '',
    'After varve key rotate this sheet still opens all that was sealed before, and,',
    'with the keyring in keys/, everything. Print a new one all the same.',
  ];
}
