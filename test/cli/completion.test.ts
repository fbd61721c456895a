import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { commandRows } from '../../src/cli/commands.ts';
import { run } from './surroundings.ts';

const { stdout: script } = await run(['completion', 'bash']);

/** What a real bash offers for the last of these words, in order. */
function offered(...words: string[]): string[] {
  const text = execFileSync(
    'bash',
    [
      '--norc',
      '-c',
      'eval "$SCRIPT"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _varve; printf "%s\\n" "${COMPREPLY[@]}"',
      'bash',
      'varve',
      ...words,
    ],
    { encoding: 'utf8', env: { ...process.env, SCRIPT: script } },
  );
  return text.split('\n').filter((line) => line !== '');
}

test('bash is told every command by its first word, and by its second within its group', () => {
  const firsts = [...new Set(commandRows.map(({ name }) => name.split(' ')[0]))];
  expect(offered('')).toEqual(firsts);
  expect(offered('res')).toEqual(['restore', 'restores']);
  expect(offered('key', '')).toEqual(['list', 'add', 'remove', 'rotate', 'export', 'generate']);
  expect(offered('key', 'g')).toEqual(['generate']);
  expect(offered('list', '')).toEqual([]);
});

test("bash is told every option of a command, and every command's options", async () => {
  for (const row of commandRows) {
    const { options = {} } = await row.load();
    const names = Object.keys(options).map((name) => `--${name}`);
    expect(script, row.name).toContain(`'${row.name}') options='${[...names, '--config'].join(' ')} `);
  }
  expect(offered('verify', '--')).toEqual(expect.arrayContaining(['--deep', '--fast', '--json', '--config']));
  expect(offered('verify', '--d')).toEqual(['--deep']);
  expect(offered('config', 'print', '--s')).toEqual(['--set']);
  expect(offered('--lo')).toEqual(['--log-level']);
});

test('a command is found behind options that stand before it, and behind their values', () => {
  expect(offered('--json', 'verify', '--d')).toEqual(['--deep']);
  expect(offered('--config', 'key', 'verify', '--d')).toEqual(['--deep']);
  expect(offered('--config', '=', 'key', 'verify', '--d')).toEqual(['--deep']);
});

test('the value of an option is one of its choices, a file, or left to the operator', async () => {
  const rows = await Promise.all(commandRows.map(async (row) => row.load()));
  const chosen = rows.flatMap(({ name, options = {} }) =>
    Object.entries(options).flatMap(([option, { choices }]) =>
      choices === undefined ? [] : [{ words: [...name.split(' '), `--${option}`], choices }],
    ),
  );
  expect(chosen.length).toBeGreaterThan(0);
  for (const { words, choices } of chosen) {
    expect(offered(...words, '')).toEqual(choices);
    expect(offered(...words, '=')).toEqual(choices);
    expect(offered(...words, '=', choices[0] ?? '')).toEqual([choices[0]]);
  }
  expect(offered('list', '--config', 'package.j')).toEqual(['package.json']);
  expect(offered('key', 'generate', 'package.j')).toEqual(['package.json']);
  expect(offered('verify', '--instance', '')).toEqual([]);
  expect(offered('completion', '')).toEqual(['bash', 'zsh']);
});

test('the script for zsh names every command and option, and no quote in it stays open', async () => {
  const { stdout } = await run(['completion', 'zsh']);
  expect(stdout.startsWith('#compdef varve\n')).toBe(true);
  for (const row of commandRows) {
    const { options = {} } = await row.load();
    expect(stdout).toContain(`('${row.name}') options=(`);
    for (const name of Object.keys(options)) expect(stdout, row.name).toContain(`'--${name}:`);
  }
  for (const line of stdout.split('\n').filter((text) => !text.startsWith('#'))) {
    expect(line.replaceAll(String.raw`'\''`, '').split("'").length % 2, line).toBe(1);
  }
});

test('another shell, or none, is refused', async () => {
  expect(await run(['completion', 'fish'])).toMatchObject({ status: 2, stdout: '' });
  expect(await run(['completion'])).toMatchObject({ status: 2 });
});
