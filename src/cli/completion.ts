import { VarveError } from '../errors.ts';
import type { Command, OptionSpec } from './command.ts';
import { commandRows } from './commands.ts';
import { globalOptions } from './options.ts';

const shells = ['bash', 'zsh'] as const;
type Shell = (typeof shells)[number];

export const command: Command = {
  name: 'completion',
  summary: 'Print a script that completes commands in bash or zsh',
  description:
    'The script knows every command, option and choice, and never starts varve: print it again after an upgrade.',
  examples: [
    ['source <(varve completion bash)', 'in this bash; in ~/.bashrc: in every one'],
    ['varve completion bash > /etc/bash_completion.d/varve', 'for every user'],
    ['varve completion zsh > ~/.zfunc/_varve', 'where ~/.zfunc is in fpath, before compinit'],
  ],
  positionals: [{ name: 'shell', summary: 'bash or zsh', required: true }],
  async run({ args, json, out, write }) {
    const [word = ''] = args.words;
    const shell = shells.find((known) => known === word);
    if (shell === undefined) {
      throw new VarveError('usage', `completion: expected bash or zsh, got ${JSON.stringify(word)}`, {
        hint: 'for example: source <(varve completion bash)',
      });
    }
    const commands = await Promise.all(commandRows.map(async (row) => row.load()));
    const script = shell === 'bash' ? bashScript(commands) : zshScript(commands);
    if (json) await out(JSON.stringify({ schema: 'varve.completion/1', shell, script }));
    else await write(script);
    return 0;
  },
};

type NamedOption = readonly [name: string, option: OptionSpec];

/**
 * Both scripts do the same: find the command among the words before the cursor, then complete the value of the option
 * that stands before the cursor, or else a command, an option, or a word of the command's.
 */
function bashScript(commands: readonly Command[]): string {
  const entered = commands.map(
    ({ name, options }) =>
      `    '${name}') options='${optionNames({ ...options, ...globalOptions }).join(' ')}' ;;`,
  );
  return `# Completion of varve for bash, made by: varve completion bash
_varve() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= options= words= word at
  # --option=value comes as three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for (( at = 1; at < COMP_CWORD; at++ )); do
    word=\${COMP_WORDS[at]}
    case $word in
      ${valuedGlobals()}) at=$((at + 1)); [[ \${COMP_WORDS[at]} == = ]] && at=$((at + 1)); continue ;;
      -*) continue ;;
    esac
    command=\${command:+$command }$word
    case $command in
      ${groupNames(commands).join('|')}) ;;
      *) break ;;
    esac
  done
  COMPREPLY=()
  case "$command|$previous" in
${valueCases(commands, 'bash').join('\n')}
  esac
  case $command in
    '') words='${firstWords(commands).join(' ')}'; options='${optionNames(globalOptions).join(' ')}' ;;
${groupNames(commands)
  .map((group) => `    '${group}') words='${secondWords(commands, group).join(' ')}' ;;`)
  .join('\n')}
${entered.join('\n')}
  esac
${positionalCases(commands, 'bash').join('\n')}
  [[ $current == -* ]] && words=$options
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
_varve_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -f -- "$1"))
}
complete -F _varve varve
`;
}

function zshScript(commands: readonly Command[]): string {
  const entered = commands.map(
    ({ name, options }) =>
      `    ('${name}') options=(${described({ ...options, ...globalOptions }).join(' ')}) ;;`,
  );
  return `#compdef varve
# Completion of varve for zsh, made by: varve completion zsh
_varve() {
  local current=$words[CURRENT] previous=$words[CURRENT-1] command= word
  local -a found options
  integer at
  if [[ $current == --*=* ]]; then
    previous=\${current%%=*}
    compset -P 1 '*='
  fi
  for (( at = 2; at < CURRENT; at++ )); do
    word=$words[at]
    case $word in
      (${valuedGlobals()}) (( at += 1 )); continue ;;
      (-*) continue ;;
    esac
    command=\${command:+$command }$word
    case $command in
      (${groupNames(commands).join('|')}) ;;
      (*) break ;;
    esac
  done
  case "$command|$previous" in
${valueCases(commands, 'zsh').join('\n')}
  esac
  case $command in
    ('') found=(${firstWords(commands).map(quoted(commands)).join(' ')}); options=(${described(globalOptions).join(' ')}) ;;
${groupNames(commands)
  .map((group) => {
    const words = secondWords(commands, group).map((word) => quoted(commands, `${group} `)(word));
    return `    ('${group}') found=(${words.join(' ')}) ;;`;
  })
  .join('\n')}
${entered.join('\n')}
  esac
  if [[ $current == -* ]]; then
    _describe -o option options
    return
  fi
${positionalCases(commands, 'zsh').join('\n')}
  (( $#found )) && _describe command found
}
if [[ $funcstack[1] == _varve ]]; then _varve "$@"; else compdef _varve varve; fi
`;
}

/** What may stand behind an option that takes a value: its choices, a file, or what nobody here can know. */
function valueCases(commands: readonly Command[], shell: Shell): string[] {
  const rows: [where: string, option: NamedOption][] = [
    ...Object.entries(globalOptions).map((option): [string, NamedOption] => ['*', option]),
    ...commands.flatMap(({ name, options = {} }) =>
      Object.entries(options).map((option): [string, NamedOption] => [`'${name}'`, option]),
    ),
  ];
  return rows
    .filter(([, [, { type }]]) => type !== 'flag')
    .map(([where, [name, { choices, value }]]) => {
      const pattern = `${where}'|--${name}'`;
      let act = '';
      if (choices !== undefined) act = wordsAct(choices, shell);
      else if (value === 'FILE') act = filesAct(shell);
      return `    ${shell === 'zsh' ? '(' : ''}${pattern}) ${act}return ;;`;
    });
}

/** Words of a command's own that can be known: the shells, and the names of files. */
function positionalCases(commands: readonly Command[], shell: Shell): string[] {
  const files = commands.filter(({ positionals = [] }) => positionals.some(({ name }) => name === 'file'));
  const open = shell === 'zsh' ? '(' : '';
  return [
    '  case $command in',
    ...files.map(
      ({ name }) => `    ${open}'${name}') [[ $current == -* ]] || { ${filesAct(shell)}return; } ;;`,
    ),
    shell === 'zsh'
      ? `    ('${command.name}') ${wordsAct(shells, shell)}return ;;`
      : `    '${command.name}') words='${shells.join(' ')}' ;;`,
    '  esac',
  ];
}

function wordsAct(words: readonly string[], shell: Shell): string {
  return shell === 'zsh'
    ? `compadd -- ${words.join(' ')}; `
    : `COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$current")); `;
}

function filesAct(shell: Shell): string {
  return shell === 'zsh' ? '_files; ' : '_varve_files "$current"; ';
}

function valuedGlobals(): string {
  const valued = Object.entries(globalOptions).filter(([, { type }]) => type !== 'flag');
  return valued.map(([name]) => `--${name}`).join('|');
}

function optionNames(options: Readonly<Record<string, OptionSpec>>): string[] {
  return Object.keys(options).map((name) => `--${name}`);
}

function firstWords(commands: readonly Command[]): string[] {
  return [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))];
}

function secondWords(commands: readonly Command[], group: string): string[] {
  return commands.flatMap(({ name }) => (name.startsWith(`${group} `) ? [name.slice(group.length + 1)] : []));
}

function groupNames(commands: readonly Command[]): string[] {
  return firstWords(commands.filter(({ name }) => name.includes(' ')));
}

/** `'word:summary'`, as zsh shows them; of a group, what its commands are called. */
function quoted(commands: readonly Command[], before = ''): (word: string) => string {
  return (word) => {
    const summary = commands.find(({ name }) => name === `${before}${word}`)?.summary;
    return shellQuoted(`${word}:${summary ?? secondWords(commands, word).join(', ')}`);
  };
}

function described(options: Readonly<Record<string, OptionSpec>>): string[] {
  return Object.entries(options).map(([name, { summary }]) => shellQuoted(`--${name}:${summary}`));
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
