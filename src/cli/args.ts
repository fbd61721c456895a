import { VarveError } from '../errors.ts';
import type { Args, Command, OptionSpec } from './command.ts';
import { globalOptions } from './options.ts';
import { suggestion } from './suggest.ts';

type Options = Readonly<Record<string, OptionSpec>>;

/** Parses what follows the command's own words; everything it does not know is refused with the nearest it does. */
export async function parseArgs(argv: readonly string[], command: Command): Promise<Args> {
  const options: Options = { ...globalOptions, ...command.options };
  const { default: yargs } = await import('yargs/yargs');
  const parser = yargs()
    .help(false)
    .version(false)
    .exitProcess(false)
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'greedy-arrays': false,
      'unknown-options-as-args': false,
    })
    .options(Object.fromEntries(Object.entries(options).map(([name, option]) => [name, yargsOption(option)])))
    .fail((message: string | null, error: Error | undefined) => {
      throw usageError(
        command,
        lowerFirst(message ?? error?.message ?? 'the command line cannot be understood'),
      );
    });
  const whole = withValues(argv, options);
  refuseUnknown(whole, options, command);
  const parsed: Readonly<Record<string, unknown>> = await parser.parse(joinValues(whole, options));
  const words = Array.isArray(parsed['_']) ? parsed['_'].map(String) : [];
  checkWords(words, command);
  checkValues(parsed, options, command);
  return readable(parsed, options, { words, typed: argv });
}

export function usageError(command: { readonly name: string }, message: string): VarveError {
  return new VarveError('usage', message, {
    hint: `varve ${command.name} --help shows the options and examples.`,
  });
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1).replaceAll(/\s*\n\s*/g, ' ');
}

function yargsOption(option: OptionSpec) {
  const alias = option.alias === undefined ? {} : { alias: option.alias };
  return option.type === 'flag'
    ? ({ type: 'boolean', ...alias } as const)
    : ({ type: 'string', array: isMany(option), nargs: 1, ...alias } as const);
}

function optionNamed(word: string, options: Options): string | undefined {
  if (Object.hasOwn(options, word)) return word;
  return Object.keys(options).find((name) => options[name]?.alias === word);
}

/** Every word that looks like an option, up to `--`, must be one. A value may begin with `-`: topic ids do. */
function refuseUnknown(argv: readonly string[], options: Options, command: Command): void {
  for (let index = 0; index < argv.length && argv[index] !== '--'; index++) {
    const word = argv[index] ?? '';
    const found = /^--?([^=]+)/.exec(word);
    if (found === null || /^-\d/.test(word)) continue;
    const name = optionNamed(found[1] ?? '', options);
    if (name === undefined) throw unknownOption(word.split('=')[0] ?? '', found[1] ?? '', options, command);
    if (options[name]?.type === 'flag' || word.includes('=')) continue;
    const value = argv[++index];
    if (value === undefined || value.startsWith('--')) throw usageError(command, `${word} needs a value`);
  }
}

function unknownOption(shown: string, name: string, options: Options, command: Command): VarveError {
  const names = Object.keys(options).map((known) => `--${known}`);
  return usageError(command, `unknown option ${shown}${suggestion(`--${name}`, names)}`);
}

/** `--repartition --yes` with the value that an option without one has. */
function withValues(argv: readonly string[], options: Options): string[] {
  const end = argv.indexOf('--');
  return argv.map((word, index) => {
    const without = word.startsWith('--') ? options[word.slice(2)]?.without : undefined;
    const next = argv[index + 1];
    const hasValue = next !== undefined && !next.startsWith('-');
    return without === undefined || hasValue || (end >= 0 && index > end) ? word : `${word}=${without}`;
  });
}

/** `--incarnation -abc` as `--incarnation=-abc`, which no parser takes for two options. */
function joinValues(argv: readonly string[], options: Options): string[] {
  const joined: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--') return [...joined, ...argv.slice(index)];
    const name = /^--?[^=]+$/.test(word) ? optionNamed(word.replace(/^--?/, ''), options) : undefined;
    const value = argv[index + 1];
    if (name === undefined || options[name]?.type === 'flag' || value === undefined) {
      joined.push(word);
    } else {
      joined.push(`${word}=${value}`);
      index++;
    }
  }
  return joined;
}

function checkWords(words: readonly string[], command: Command): void {
  const wanted = command.positionals ?? [];
  const missing = wanted.find((spec, index) => spec.required === true && words[index] === undefined);
  if (missing !== undefined) throw usageError(command, `${missing.name} is missing: ${missing.summary}`);
  const extra = wanted.at(-1)?.many === true ? undefined : words[wanted.length];
  if (extra !== undefined) throw usageError(command, `unexpected argument ${JSON.stringify(extra)}`);
}

function checkValues(parsed: Readonly<Record<string, unknown>>, options: Options, command: Command): void {
  for (const [name, option] of Object.entries(options)) {
    const value = parsed[name];
    if (value === undefined) {
      if (option.required === true) throw usageError(command, `--${name} is missing: ${option.summary}`);
      continue;
    }
    if (!isMany(option) && Array.isArray(value)) throw usageError(command, `--${name} is given twice`);
    const text = typeof value === 'string' ? value : '';
    if (option.type === 'count' && !/^\d{1,15}$/.test(text)) {
      throw usageError(command, `--${name}: expected a whole number, got ${JSON.stringify(text)}`);
    }
    const wrong = option.choices && wordsOf(value).find((word) => option.choices?.includes(word) === false);
    if (wrong !== undefined) {
      const choices = option.choices?.join(', ') ?? '';
      throw usageError(command, `--${name}: expected one of ${choices}, got ${JSON.stringify(wrong)}`);
    }
  }
}

function readable(
  parsed: Readonly<Record<string, unknown>>,
  options: Options,
  { words, typed }: Pick<Args, 'words' | 'typed'>,
): Args {
  const read = (name: string, type: OptionSpec['type']): unknown => {
    if (options[name]?.type !== type) throw new Error(`--${name} is not declared as ${type}`);
    return parsed[name];
  };
  return {
    words,
    typed,
    flag: (name) => read(name, 'flag') === true,
    string: (name) => {
      const value = read(name, 'string');
      return typeof value === 'string' ? value : undefined;
    },
    list: (name) => wordsOf(read(name, 'strings')),
    repeated: (name) => itemsOf(read(name, 'repeated')),
    count: (name) => {
      const value = read(name, 'count');
      return value === undefined ? undefined : Number(value);
    },
  };
}

function isMany(option: OptionSpec): boolean {
  return option.type === 'strings' || option.type === 'repeated';
}

/** Lists repeat, and take commas. */
function wordsOf(value: unknown): string[] {
  return itemsOf(value)
    .flatMap((item) => item.split(','))
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

function itemsOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string');
}
