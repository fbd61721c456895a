import { describe, expect, test } from 'vitest';
import { parseArgs } from '../../src/cli/args.ts';
import { commandRows } from '../../src/cli/commands.ts';
import { requestOf, throttleOf } from '../../src/cli/restore-options.ts';
import { checkChoice } from '../../src/cli/sources.ts';
import { readTree, textOf } from '../tidy/tree.ts';
import { commandLinesOf, wordsOf } from './shown.ts';

const tree = readTree();
const pages = [...tree].filter(([path]) => path === 'README.md' || /^docs\/.*\.md$/.test(path));
const shown = pages.flatMap(([path, text]) => commandLinesOf(text).map((line) => ({ path, line })));

describe('the commands in the documents', () => {
  test.each(shown)('$path: $line', async ({ line }) => {
    await parse(line);
  });

  test('README.md and every page of the cookbook show some', () => {
    const withCommands = new Set(shown.map(({ path }) => path));
    const wanted = pages.map(([path]) => path).filter((path) => /^README|^docs\/restore\//.test(path));
    expect(wanted.length).toBeGreaterThan(5);
    expect(wanted.filter((path) => !withCommands.has(path))).toEqual([]);
  });

  test.each([
    'varve resore --topic orders',
    'varve restore --topics orders',
    'varve restore --topic orders --groups-to middle',
    'varve restore --topic orders --recreate --append',
    'varve restore --all-topics --from-time 2026-11-01T00:00',
    'varve backup orders',
    'varve pin',
  ])('what the program does not take is not taken for a command: %s', async (line) => {
    await expect(parse(line)).rejects.toThrow(/./);
  });

  test('a line is found with and without a prompt, carried on behind a backslash, without its comment', () => {
    const text =
      '```\n$ npx varve init   # once\nvarve restore --topic a \\\n  --yes | tail -1\nvarved 3\n```\nvarve no\n';
    expect(commandLinesOf(text)).toEqual(['varve init   # once', 'varve restore --topic a --yes | tail -1']);
    expect(wordsOf("varve cat --topic 'a b#c' --json | head -1 # x")).toEqual([
      'varve',
      'cat',
      '--topic',
      'a b#c',
      '--json',
    ]);
  });
});

describe('the guarantees', () => {
  const text = textOf(tree, 'docs/guarantees.md');
  const rows = text.split('\n').filter((line) => /^\| (?!-|what )/.test(line));
  const proofs = [...text.matchAll(/`(test\/[a-z/-]+\.test\.ts)`: “([^”]+)”/g)].map(
    ([, file = '', name = '']) => ({
      file,
      name,
    }),
  );

  test('each row names a test that proves it', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((row) => !/`test\/[^`]+`: “[^”]+” \|$/.test(row))).toEqual([]);
  });

  test.each(proofs)('$file has “$name”', ({ file, name }) => {
    const source = textOf(tree, file);
    expect([`'${name}'`, `"${name}"`].some((quoted) => source.includes(quoted))).toBe(true);
  });
});

async function parse(line: string): Promise<void> {
  const [, ...words] = wordsOf(line);
  const row = commandRows.find(({ name }) => name === words.slice(0, name.split(' ').length).join(' '));
  if (row === undefined) throw new Error(`no command: ${line}`);
  const args = await parseArgs(words.slice(row.name.split(' ').length), await row.load());
  if (row.name !== 'restore') return;
  checkChoice(requestOf(args));
  throttleOf(args);
}
