import type { Command, OptionSpec } from './command.ts';
import { commandRows, type CommandRow } from './commands.ts';
import { globalOptions } from './options.ts';
import { tableLines, wrap } from './output.ts';

const groups = [
  'Back up',
  'Restore',
  'Look',
  'Tend',
  'Set up',
] as const satisfies readonly CommandRow['group'][];

/** From the table alone: no command is loaded for it. */
export function topHelp(columns: number): string {
  return [
    'varve backs up Apache Kafka, exactly, and restores it to a point in time.',
    '',
    'Usage: varve COMMAND [options]',
    ...groups.flatMap((group) => {
      const rows = commandRows.filter((row) => row.group === group);
      return rows.length === 0
        ? []
        : [
            '',
            `${group}:`,
            ...indented(
              rows.map((row) => [row.name, row.summary]),
              columns,
            ),
          ];
    }),
    '',
    'Options of every command:',
    ...optionLines(globalOptions, columns),
    '',
    'Examples:',
    ...indented(
      [
        ['varve config validate', 'is the configuration sound?'],
        ['varve doctor', 'can this machine do it?'],
        ['varve backup --no-snapshot', 'save everything there is now'],
        ['varve cat --topic orders --json', 'and read it back'],
        ['VARVE_KAFKA_BROKERS=kafka:9092 varve config print', 'any key, from the environment'],
      ],
      columns,
    ),
    '',
    'varve COMMAND --help shows a command and its examples.',
  ].join('\n');
}

export function groupHelp(name: string, columns: number): string {
  const rows = commandRows.filter((row) => row.name.startsWith(`${name} `));
  return [
    `Usage: varve ${name} COMMAND [options]`,
    '',
    ...indented(
      rows.map((row) => [row.name, row.summary]),
      columns,
    ),
    '',
    'Examples:',
    ...rows.map((row) => `  varve ${row.name} --help`),
  ].join('\n');
}

export function commandHelp(command: Command, columns: number): string {
  const own = command.options ?? {};
  return [
    ...wrap(`${command.summary}.`, columns),
    '',
    `Usage: ${usageOf(command)}`,
    ...(command.description === undefined
      ? []
      : ['', ...command.description.split('\n').flatMap((line) => wrap(line, columns))]),
    ...(command.positionals === undefined
      ? []
      : [
          '',
          ...indented(
            command.positionals.map(({ name, summary }) => [name, summary]),
            columns,
          ),
        ]),
    ...(Object.keys(own).length === 0 ? [] : ['', 'Options:', ...optionLines(own, columns)]),
    '',
    'Options of every command:',
    ...optionLines(globalOptions, columns),
    '',
    'Examples:',
    ...command.examples.flatMap(([line, what]) => [...exampleLines(line, columns), `      ${what}`]),
  ].join('\n');
}

/** A long one goes on in the next line, as a shell takes it. */
function exampleLines(line: string, columns: number): string[] {
  const [first = '', ...more] = line.length + 2 <= columns ? [line] : wrap(line, columns - 6);
  return [`  ${first}`, ...more.map((part) => `    ${part}`)].map((part, at) =>
    at < more.length ? `${part} \\` : part,
  );
}

function usageOf({ name, positionals = [] }: Command): string {
  const words = positionals.map((word) => {
    const many = word.many === true ? `${word.name}...` : word.name;
    return word.required === true ? many : `[${many}]`;
  });
  return ['varve', name, ...words, '[options]'].join(' ');
}

function optionLines(options: Readonly<Record<string, OptionSpec>>, columns: number): string[] {
  const rows = Object.entries(options).map(([name, option]) => {
    const alias = option.alias === undefined ? '' : `-${option.alias}, `;
    const value = option.type === 'flag' ? '' : ` ${option.value ?? defaultValueName(option)}`;
    const notes = [
      ...(option.choices === undefined ? [] : [`one of ${option.choices.join(', ')}`]),
      ...(option.required === true ? ['required'] : []),
    ];
    return [
      `${alias}--${name}${value}`,
      notes.length === 0 ? option.summary : `${option.summary} (${notes.join('; ')})`,
    ];
  });
  return indented(rows, columns);
}

function defaultValueName(option: OptionSpec): string {
  return option.type === 'count' ? 'N' : option.type === 'strings' ? 'A,B' : 'VALUE';
}

function indented(rows: readonly (readonly string[])[], columns: number): string[] {
  return tableLines(rows, columns - 2).map((line) => `  ${line}`);
}
