import type { Key } from './keys.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { isSection, type Tree } from './tree.ts';
import type { ConfigPorts } from './types.ts';

const prefix = 'VARVE_';
const configVariable = 'VARVE_CONFIG';

/** `local.segmentBytes` is VARVE_LOCAL_SEGMENT_BYTES; `*` stays. */
export function variableOf(pattern: readonly string[]): string {
  return prefix + pattern.map((name) => (name === '*' ? name : wordsOf(name))).join('_');
}

/** Lays every VARVE_ variable into the tree. An empty one counts as not set. */
export function readEnvironmentInto(
  tree: Tree,
  keys: readonly Key[],
  env: ConfigPorts['env'],
  problems: Problem[],
): void {
  const variables = Object.keys(env)
    .filter((name) => name.startsWith(prefix) && name !== configVariable)
    .toSorted();
  for (const variable of variables) {
    const value = env[variable];
    if (value === undefined || value === '' || isFromKubernetes(variable, value)) continue;
    const path = pathOf(variable, keys, tree);
    if (path !== undefined) tree.set(path, value, { kind: 'environment', variable });
    else problems.push({ path: variable, text: unknownText(variable, keys) });
  }
}

/**
 * What Kubernetes injects for a Service whose name is, or begins with, varve: VARVE_SERVICE_HOST,
 * VARVE_PORT=tcp://10.0.0.1:80, VARVE_PORT_80_TCP_ADDR, VARVE_METRICS_SERVICE_PORT_HTTP and so on.
 */
function isFromKubernetes(variable: string, value: string): boolean {
  if (/^VARVE_(?:.+_)?SERVICE_(?:HOST|PORT(?:_.+)?)$/.test(variable)) return true;
  if (/^VARVE_(?:.+_)?PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/.test(variable)) return true;
  return /^VARVE_(?:.+_)?PORT$/.test(variable) && /^(?:tcp|udp|sctp):\/\//.test(value);
}

function pathOf(variable: string, keys: readonly Key[], tree: Tree): readonly string[] | undefined {
  const plain = keys.find((key) => variableOf(key.pattern) === variable);
  if (plain !== undefined) return plain.pattern;
  return keys
    .filter((key) => key.pattern.includes('*'))
    .toSorted((a, b) => variableOf(b.pattern).length - variableOf(a.pattern).length)
    .map((key) => namedPathOf(variable, key, tree))
    .find((path) => path !== undefined);
}

/** A chosen name is one that the file gives; a target may also come from the environment alone, in lower case. */
function namedPathOf(variable: string, key: Key, tree: Tree): readonly string[] | undefined {
  const [before = '', after = ''] = variableOf(key.pattern).split('*');
  const length = variable.length - before.length - after.length;
  if (length < 1 || !variable.startsWith(before) || !variable.endsWith(after)) return undefined;
  const word = variable.slice(before.length, before.length + length);
  const star = key.pattern.indexOf('*');
  const section = tree.get(key.pattern.slice(0, star));
  const known = isSection(section) ? Object.keys(section).find((name) => wordsOf(name) === word) : undefined;
  const name = known ?? (key.pattern[0] === 'targets' ? word.toLowerCase() : undefined);
  return name === undefined ? undefined : key.pattern.with(star, name);
}

function unknownText(variable: string, keys: readonly Key[]): string {
  const candidates = keys.map((key) => variableOf(key.pattern)).filter((name) => !name.includes('*'));
  const near = nearest(variable, [...candidates, configVariable]);
  return near === undefined ? 'unknown variable' : `unknown variable; did you mean ${near}?`;
}

function wordsOf(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/[.-]/g, '_')
    .toUpperCase();
}
