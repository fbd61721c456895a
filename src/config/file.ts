import { resolve } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import { messageOf } from '../errors.ts';
import type { Problem } from './problem.ts';
import type { Tree } from './tree.ts';
import type { ConfigPorts } from './types.ts';

/** Looked for in this order where neither `--config` nor VARVE_CONFIG names a file. */
const usualFiles = ['./varve.yaml', '/etc/varve/varve.yaml'] as const;

const fileLengthMax = 1024 * 1024;

/** Lays the file's values into the tree; returns its path, or undefined where there is none to read. */
export async function readFileInto(
  tree: Tree,
  { named, isCluster = false }: { named: string | undefined; isCluster: boolean | undefined },
  ports: ConfigPorts,
  problems: Problem[],
): Promise<string | undefined> {
  const candidates = named === undefined ? usualFiles : [named];
  for (const file of candidates) {
    const contents = await readOne(file, ports, problems);
    if (contents === undefined) continue;
    if (contents !== null) layInto(tree, { file, contents, isCluster }, problems);
    return file;
  }
  if (named !== undefined) problems.push({ path: named, text: 'there is no such configuration file' });
  return undefined;
}

/** Undefined: no such file. Null: there is one, but it cannot be read. */
async function readOne(
  file: string,
  ports: ConfigPorts,
  problems: Problem[],
): Promise<string | undefined | null> {
  try {
    const contents = await ports.readText(resolve(ports.cwd, file));
    if (contents === undefined || contents.length <= fileLengthMax) return contents;
    problems.push({ path: file, text: 'expected a configuration file of at most 1 MiB' });
  } catch (error) {
    problems.push({ path: file, text: `the configuration file cannot be read: ${messageOf(error)}` });
  }
  return null;
}

function layInto(
  tree: Tree,
  { file, contents, isCluster }: { file: string; contents: string; isCluster: boolean },
  problems: Problem[],
): void {
  const lines = new LineCounter();
  const document = parseDocument(contents, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  for (const error of document.errors) {
    // The parser's own message may quote the file, and so a secret; its code says enough.
    const what = error.code.toLowerCase().replaceAll('_', ' ');
    const origin = { kind: 'file', file, line: lineAt(error.pos[0]) } as const;
    problems.push({ path: 'YAML', text: what, origin });
  }
  if (document.errors.length > 0 || document.contents === null) return;
  if (!isMap(document.contents)) {
    if (isScalar(document.contents) && document.contents.value === null) return;
    problems.push({ path: file, text: 'expected a map of sections, such as "kafka:" with indented keys' });
    return;
  }
  const section = isCluster && !document.contents.has('kafka') ? ['kafka'] : [];
  walk({ tree, file, document, lineAt, problems }, document.contents, section, 0);
}

interface Walk {
  readonly tree: Tree;
  readonly file: string;
  readonly document: Document;
  readonly lineAt: (offset: number) => number;
  readonly problems: Problem[];
}

/** Far above the schema's own depth; only a file that loops through its aliases gets there. */
const depthMax = 16;

function walk(to: Walk, node: unknown, path: readonly string[], offset: number): void {
  const origin = { kind: 'file', file: to.file, line: to.lineAt(offset) } as const;
  if (path.length > depthMax) {
    to.problems.push({
      path: path.slice(0, 4).join('.'),
      text: `nested deeper than ${depthMax} levels`,
      origin,
    });
    return;
  }
  if (!isMap(node)) {
    const value = valueOf(to.document, node);
    // A key without a value, as a commented-out section leaves it, counts as absent.
    if (value !== null) to.tree.set(path, value, origin);
    if (isSeq(node)) noteItems(to, node.items, path);
    return;
  }
  if (path.length > 0) to.tree.note(path, origin);
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : 'a key that is not text';
    const at = isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
    walk(to, pair.value, [...path, key], at);
  }
}

function noteItems(to: Walk, items: readonly unknown[], path: readonly string[]): void {
  for (const [index, item] of items.entries()) {
    const line = isScalar(item) && item.range ? to.lineAt(item.range[0]) : undefined;
    if (line !== undefined) to.tree.note([...path, String(index)], { kind: 'file', file: to.file, line });
  }
}

const aliasCountMax = 100;

function valueOf(document: Document, node: unknown): unknown {
  if (isScalar(node)) return node.value;
  if (node === null || node === undefined) return null;
  if (!isSeq(node) && !isAliasLike(node)) return null;
  return node.toJS(document, { maxAliasCount: aliasCountMax });
}

function isAliasLike(
  node: unknown,
): node is { toJS(document: Document, options: { maxAliasCount: number }): unknown } {
  return typeof node === 'object' && node !== null && 'toJS' in node && typeof node.toJS === 'function';
}
