/**
 * The command line: words in, results out, an exit status back.
 *
 * It promises: results go to stdout and all else to stderr; with `--json` stdout holds JSON only, an error being its
 * last line; what it does not know it refuses with the nearest that it does; and the top-level help loads no command.
 * It never ends the process, and never reads the configuration unless a command asks.
 */
import { firstError, messageOf, VarveError } from '../errors.ts';
import type { Surroundings } from './command.ts';
import { commandRows, type CommandRow } from './commands.ts';
import { commandHelp, groupHelp, topHelp } from './help.ts';
import { globalOptions } from './options.ts';
import { errorDocument, errorText } from './output.ts';
import { suggestion } from './suggest.ts';

export type { Surroundings } from './command.ts';
export { Signals } from './signals.ts';

/** Resolves to the exit status, whatever happens. */
export async function runCli(argv: readonly string[], around: Surroundings): Promise<number> {
  try {
    return await dispatch(argv, around);
  } catch (thrown) {
    const error = firstError(thrown);
    const known =
      error instanceof VarveError ? error : new VarveError('failed', messageOf(error), { cause: error });
    if (asksFor('json', argv)) await around.stdout(`${errorDocument(known)}\n`);
    else around.stderr(errorText(known));
    // Not one of ours: a fault in this program, which nobody can find without knowing where.
    if (known !== error && error instanceof Error) around.stderr(`${error.stack ?? ''}\n`);
    return known.exitStatus;
  }
}

async function dispatch(argv: readonly string[], around: Surroundings): Promise<number> {
  const { columns } = around.terminal;
  const { words, rest } = commandWords(argv);
  const row = commandRows.find((candidate) => candidate.name === words.join(' '));
  if (row === undefined) return withoutCommand(argv, words, around);
  const command = await row.load();
  if (asksFor('help', rest)) {
    await around.stdout(`${commandHelp(command, columns)}\n`);
    return 0;
  }
  const { parseArgs } = await import('./args.ts');
  const args = await parseArgs(rest, command);
  if (args.flag('version')) return printVersion(around);
  const { contextOf } = await import('./context.ts');
  if (command.drains === true) around.beginDraining();
  if (command.streams === true) around.beginStreaming();
  if (command.outlivesTerminal === true) around.beginOutliving();
  return command.run(contextOf(command, args, around));
}

async function withoutCommand(
  argv: readonly string[],
  words: readonly string[],
  around: Surroundings,
): Promise<number> {
  const { columns } = around.terminal;
  const [first] = words;
  const inGroup = commandRows.some((row) => first !== undefined && row.name.startsWith(`${first} `));
  if (first === undefined && asksFor('version', argv)) return printVersion(around);
  if (words.length <= 1 && asksFor('help', argv) && (first === undefined || inGroup)) {
    await around.stdout(`${first === undefined ? topHelp(columns) : groupHelp(first, columns)}\n`);
    return 0;
  }
  if (first === undefined) {
    const unknown = argv.find((word) => word.startsWith('-') && !isGlobalOption(word));
    const what =
      unknown === undefined ? 'no command is given' : `unknown option ${unknown.split('=')[0] ?? ''}`;
    throw new VarveError('usage', what, { hint: 'varve --help lists the commands and the options of each.' });
  }
  const typed = words.join(' ');
  const names = commandRows.map((row) => row.name);
  const groupNames = new Set(
    names.filter((name) => name.includes(' ')).map((name) => name.split(' ')[0] ?? ''),
  );
  const hint = `varve ${inGroup ? `${first} ` : ''}--help lists the commands.`;
  if (inGroup && words.length === 1) {
    const choices = names.filter((name) => name.startsWith(`${first} `)).join(', ');
    throw new VarveError('usage', `${first} is not a whole command: expected one of ${choices}`, { hint });
  }
  throw new VarveError(
    'usage',
    `unknown command ${JSON.stringify(typed)}${suggestion(typed, [...names, ...groupNames])}`,
    {
      hint,
    },
  );
}

interface Split {
  /** The command as typed: two words where the first is a group's. */
  readonly words: readonly string[];
  /** Everything else, in order. */
  readonly rest: readonly string[];
}

/** Finds the command among options that may stand before it. */
function commandWords(argv: readonly string[]): Split {
  const words: string[] = [];
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--' || words.length >= wordCount(words, commandRows)) {
      return { words, rest: [...rest, ...argv.slice(index)] };
    }
    if (!word.startsWith('-')) {
      words.push(word);
      continue;
    }
    rest.push(word);
    const value = argv[index + 1];
    if (takesValue(word) && value !== undefined) {
      rest.push(value);
      index++;
    }
  }
  return { words, rest };
}

function wordCount(words: readonly string[], rows: readonly CommandRow[]): number {
  const [first] = words;
  if (first === undefined) return 1;
  return rows.some((row) => row.name.startsWith(`${first} `)) ? 2 : 1;
}

function takesValue(word: string): boolean {
  const option = globalOptions[word.replace(/^--/, '')];
  return word.startsWith('--') && option !== undefined && option.type !== 'flag';
}

function isGlobalOption(word: string): boolean {
  const name = word.replace(/^--?/, '').split('=')[0] ?? '';
  return Object.entries(globalOptions).some(([long, { alias }]) => name === long || name === alias);
}

/** Looked for before anything is parsed, so that help and errors work on a command line that does not. */
function asksFor(name: 'help' | 'json' | 'version', argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const alias = globalOptions[name]?.alias;
  return argv
    .slice(0, end < 0 ? argv.length : end)
    .some((word) => word === `--${name}` || (alias !== undefined && word === `-${alias}`));
}

async function printVersion(around: Surroundings): Promise<number> {
  const { programVersion } = await import('./version.ts');
  await around.stdout(`${programVersion()}\n`);
  return 0;
}
