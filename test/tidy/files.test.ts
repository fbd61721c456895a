import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkout, readTree, sourcesOf, type Tree } from './tree.ts';

const tree = readTree();
const sources = sourcesOf(tree);

describe('the files', () => {
  test('no source file is longer than 400 lines; past 250 it asks to be two', () => {
    const long = [...sources].filter(([, text]) => text.split('\n').length > 400);
    expect(long.map(([path]) => path)).toEqual([]);
  });

  test('no folder is named for what belongs nowhere', () => {
    const names = [...tree.keys()].flatMap((path) => path.split('/').slice(0, -1));
    const vague = new Set(['util', 'utils', 'common', 'helper', 'helpers', 'types', 'misc', 'lib']);
    expect(names.filter((name) => vague.has(name))).toEqual([]);
  });

  test('what is still to be done stands where a link leads', () => {
    expect(undone(sources)).toEqual([]);
    expect(undone(new Map([['src/a.ts', '// TODO: later']]))).toEqual(['src/a.ts: // TODO: later']);
    expect(undone(new Map([['src/a.ts', '// TODO https://example.org/1']]))).toEqual([]);
  });

  test('no file knows the machine it was written on', () => {
    expect(machines(tree)).toEqual([]);
    // In two pieces, so that this file does not match itself.
    const home = ['', 'root', 'cache'].join('/');
    expect(machines(new Map([['README.md', `see ${home}`]]))).toEqual([`README.md: ${home.slice(0, 6)}`]);
  });

  test('what is to be executed is executable', () => {
    for (const path of ['bin/varve.js', '.ci/run']) {
      expect(statSync(join(checkout, path)).mode & 0o111, path).toBe(0o111);
    }
  });
});

function undone(files: Tree): string[] {
  return [...files].flatMap(([path, text]) =>
    text
      .split('\n')
      .filter((line) => /\b(TODO|FIXME|XXX)\b/.test(line) && !/https?:/.test(line))
      .map((line) => `${path}: ${line.trim()}`),
  );
}

function machines(files: Tree): string[] {
  const places = /[/](?:work|root)[/]|registry[.]npmjs|repo1?[.]maven/;
  return [...files].flatMap(([path, text]) => {
    const place = places.exec(text)?.[0];
    return place === undefined ? [] : [`${path}: ${place}`];
  });
}
