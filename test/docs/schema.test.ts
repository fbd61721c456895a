import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { varveHere } from '../cli/here.ts';
import { keyOf, Store } from '../snapshot/given.ts';
import { readTree, sourcesOf } from '../tidy/tree.ts';
import { problemsOf, schemas } from './schemas.ts';

test('every document that the commands print has a schema, and every schema a document', () => {
  const code = [...sourcesOf(readTree()).values()].join('\n');
  const printed = [...code.matchAll(/'varve\.([a-z-]+)\/(\d+)'/g)].map(([text, name = '']) => [name, text]);
  expect([...new Set(printed.map(([name = '']) => name))].toSorted()).toEqual([...schemas.keys()].toSorted());
  for (const [name = '', text] of printed) {
    expect(`'${String(schemas.get(name)?.properties?.['schema']?.const)}'`).toBe(text);
  }
});

test('what the commands print without a broker is what its schema says', async () => {
  await using store = await Store.make();
  store.nowMs = Date.now();
  await store.append(keyOf('orders'), 20);
  const { id } = await store.cycle();
  const config = {
    kafka: { brokers: ['127.0.0.1:1'] },
    local: { dir: store.local, minFree: '1MiB' },
    repository: { dir: store.target, keyFile: store.keyFile },
  };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
  const lines = [
    'version|config print|config validate|completion zsh|check|info|list|list latest|gaps list|restores list',
    `verify --deep|init|key list|instance list|unlock|pin ${id}|expire --dry-run|repack --dry-run|gaps accept --dry-run`,
    'export --topic orders --out orders.tar',
    'key generate another|key add second --key-file another|key remove second --yes|key rotate --yes|key export',
  ].flatMap((line) => line.split('|'));
  for (const line of lines) {
    const { stdout } = await varveHere([...line.split(' '), '--json'], { cwd: store.folder });
    const document: Readonly<Record<string, unknown>> = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    const name = /^varve\.(.*)\/1$/.exec(String(document['schema']))?.[1] ?? '';
    expect(problemsOf(document, schemas.get(name) ?? { const: 'a schema' }, line)).toEqual([]);
    expect(problemsOf({ schema: document['schema'] }, schemas.get(name) ?? {}, line)).not.toEqual([]);
  }
  for (const words of [['list'], ['list', 'latest'], ['key', 'list']]) {
    const { stdout } = await varveHere(words, { cwd: store.folder });
    expect(stdout.split('\n').filter(({ length }) => length > 80)).toEqual([]);
  }
});
