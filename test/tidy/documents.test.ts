import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandRows } from '../../src/cli/commands.ts';
import { exitStatusByCode } from '../../src/errors.ts';
import { checkout, readTree, sourcesOf, textOf } from './tree.ts';

const tree = readTree();
const documents = [...tree].filter(([path]) => path.endsWith('.md'));
const manifest: { dependencies: Record<string, string>; scripts: Record<string, string> } = JSON.parse(
  textOf(tree, 'package.json'),
);

describe('the documents', () => {
  test('every link leads to a file that is there', () => {
    for (const [path, text] of documents) {
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
        expect(existsSync(join(checkout, dirname(path), target)), `${path}: ${target}`).toBe(true);
      }
    }
  });

  test('every npm script that is named is there', () => {
    for (const [path, text] of documents) {
      for (const [, name = ''] of text.matchAll(/\bnpm run ([a-z:-]+(?:\d+\.\d+)?)/g)) {
        expect(Object.keys(manifest.scripts), `${path}: npm run ${name}`).toContain(name);
      }
    }
  });

  test('README.md lists every command, and no other', () => {
    const section = /\n## Commands\n([\s\S]*?)\n## /.exec(textOf(tree, 'README.md'))?.[1] ?? '';
    const cells = [...section.matchAll(/^\| (`[^|]*`) \|/gm)].map(([, cell = '']) => cell);
    const named = cells.flatMap((cell) =>
      [...cell.matchAll(/`([a-z]+(?:[- ][a-z]+)*?)(?: --[a-z-]+)?`/g)].map(([, name = '']) => name),
    );
    expect(named.toSorted()).toEqual(commandRows.map(({ name }) => name).toSorted());
  });

  test('docs/errors.md lists every code with its exit status, and no other', () => {
    const rows = [...textOf(tree, 'docs/errors.md').matchAll(/^\| `([a-z-]+)` \| (\d+) \|/gm)];
    expect(new Set(rows.map(([, code]) => code)).size).toBe(rows.length);
    const documented = Object.fromEntries(rows.map(([, code = '', status]) => [code, Number(status)]));
    expect(documented).toEqual({ ...exitStatusByCode });
  });

  test('the glossary is in order, has each word once, and only words that the code uses', () => {
    const rows = [...textOf(tree, 'docs/glossary.md').matchAll(/^\| ([a-z][a-z ]*?) \| (.+) \|$/gm)].slice(1);
    const words = rows.map(([, word = '']) => word);
    expect(words).toEqual([...new Set(words)].toSorted());
    const code = [...sourcesOf(tree).values()].join('\n');
    const unused = rows.filter(
      ([, word = '', meaning = '']) =>
        !meaning.endsWith('(to come)') && !new RegExp(word.replace(' ', '[ -]?'), 'i').test(code),
    );
    expect(unused.map(([, word]) => word)).toEqual([]);
  });

  test('decision records are numbered one by one', () => {
    const records = documents.filter(([path]) => path.startsWith('docs/decisions/'));
    for (const [index, [path, text]] of records.entries()) {
      expect(path).toMatch(new RegExp(`/${String(index + 1).padStart(4, '0')}-[a-z-]+\\.md$`));
      expect(text, path).toMatch(new RegExp(`^# ${index + 1}\\. [A-Z]`));
    }
  });

  test('a runtime dependency that was not agreed at the start has a decision record', () => {
    const agreed = 'kafkajs node-cron tar-stream zstd-napi libsodium-wrappers fs-extra yargs'.split(' ');
    const records = documents.filter(([path]) => path.startsWith('docs/decisions/'));
    for (const name of Object.keys(manifest.dependencies)) {
      if (agreed.includes(name)) continue;
      expect(
        records.some(([, text]) => text.includes(`\`${name}\``)),
        name,
      ).toBe(true);
    }
  });
});
