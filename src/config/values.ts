import { Secret, type Config } from './types.ts';

/** The dotted path of every value, with the value. A list is one value. */
export function valuesOf(config: Config): [path: string, value: unknown][] {
  return leavesOf(config, []).map(([path, value]) => [path.join('.'), value]);
}

export function leavesOf(value: unknown, path: readonly string[]): [readonly string[], unknown][] {
  const isLeaf =
    typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Secret;
  if (isLeaf || ('months' in value && typeof value.months === 'number')) return [[path, value]];
  return Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, [...path, name]));
}
