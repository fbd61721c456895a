import type { Key } from './keys.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import type { Tree } from './tree.ts';
import type { Override } from './types.ts';

/** Lays what the command line gave into the tree, above everything else. */
export function readOverridesInto(
  tree: Tree,
  keys: readonly Key[],
  overrides: readonly Override[],
  problems: Problem[],
): void {
  for (const { path, value, flag } of overrides) {
    const found = keys.map((key) => pathOf(path, key.pattern)).find((one) => one !== undefined);
    if (found === undefined)
      problems.push({ path, text: unknownKeyText(path, keys), origin: { kind: 'flag', flag } });
    else tree.set(found, value, { kind: 'flag', flag });
  }
}

export function unknownKeyText(path: string, keys: readonly Key[]): string {
  const near = nearestKey(path, keys);
  return near === undefined ? 'unknown key' : `unknown key; did you mean ${near}?`;
}

/** By the whole path, or where its last word stands elsewhere (`segmentBytes` for `local.segmentBytes`). */
function nearestKey(path: string, keys: readonly Key[]): string | undefined {
  const paths = keys.filter((key) => key.environmentOnly !== true).map((key) => key.pattern);
  const sections = paths.flatMap((pattern) =>
    pattern.slice(0, -1).map((_, index) => pattern.slice(0, index + 1)),
  );
  const words = path.split('.');
  const candidates = [...paths, ...sections]
    .map((pattern) => pattern.map((name, index) => (name === '*' ? (words[index] ?? 'NAME') : name)))
    .map((pattern) => pattern.join('.'));
  const word = words.at(-1) ?? '';
  const siblings = candidates.filter((candidate) => parentOf(candidate) === parentOf(path));
  const sibling = nearest(word, siblings.map(lastOf));
  if (sibling !== undefined) return siblings.find((candidate) => lastOf(candidate) === sibling);
  return candidates.find((candidate) => lastOf(candidate) === word) ?? nearest(path, candidates);
}

function pathOf(path: string, pattern: readonly string[]): readonly string[] | undefined {
  const star = pattern.indexOf('*');
  if (star < 0) return path === pattern.join('.') ? pattern : undefined;
  const before = `${pattern.slice(0, star).join('.')}.`;
  const after = `.${pattern.slice(star + 1).join('.')}`;
  const length = path.length - before.length - after.length;
  if (length < 1 || !path.startsWith(before) || !path.endsWith(after)) return undefined;
  return pattern.with(star, path.slice(before.length, before.length + length));
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('.')));
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}
