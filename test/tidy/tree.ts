import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** What npm, the tests and git put there: not ours to read. */
const notOurs = new Set(['.git', 'node_modules', '.cache', 'coverage']);

/** A file's path in the checkout, and its text. */
export type Tree = ReadonlyMap<string, string>;

export function readTree(): Tree {
  const paths = filesBelow(checkout).map((path) => relative(checkout, path));
  const texts = paths.filter((path) => !/\.(bin|png)$|^package-lock\.json$/.test(path));
  return new Map(texts.toSorted().map((path) => [path, readFileSync(join(checkout, path), 'utf8')]));
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return notOurs.has(entry.name) ? [] : filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

export function textOf(tree: Tree, path: string): string {
  const text = tree.get(path);
  if (text === undefined) throw new Error(`there is no file ${path}`);
  return text;
}

/** The sources of the program itself. */
export function sourcesOf(tree: Tree): Tree {
  return new Map([...tree].filter(([path]) => path.startsWith('src/') && path.endsWith('.ts')));
}
