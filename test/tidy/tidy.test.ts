import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { exitStatusByCode } from '../../src/errors.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: checkout,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && !path.endsWith('package-lock.json'));
const sources = tracked.filter((path) => path.startsWith('src/') && path.endsWith('.ts'));

/** Imports go from a later rank to an earlier one, never between rooms of one rank. */
const ranks = [
  ['errors'],
  ['log', 'crypto', 'schedule'],
  ['host', 'config', 'kafka'],
  ['local', 'repository'],
  ['sink', 'snapshot', 'restore'],
  ['observe'],
  ['daemon'],
  ['cli'],
  ['main'],
];
const rankOf = new Map(ranks.flatMap((rooms, rank) => rooms.map((room) => [room, rank] as const)));

interface Import {
  readonly from: string;
  readonly to: string;
}

function textOf(path: string): string {
  return readFileSync(join(checkout, path), 'utf8');
}

function roomOf(path: string): string {
  const [, first = '', second] = path.split('/');
  return second === undefined ? basename(first, '.ts') : first;
}

function importsOf(path: string): string[] {
  const pattern = /(?:from|import\()\s*'([^']+)'/g;
  return [...textOf(path).matchAll(pattern)].map(([, target = '']) => target);
}

const innerImports: Import[] = sources.flatMap((from) =>
  importsOf(from)
    .filter((target) => target.startsWith('.'))
    .map((target) => ({ from, to: join(dirname(from), target) }))
    .filter(({ to }) => to.startsWith('src/')),
);

describe('the rooms', () => {
  test('every room has a rank and a door that says in at most 15 lines what it is for', () => {
    const rooms = new Set(sources.map(roomOf));
    for (const room of rooms) expect([...rankOf.keys()]).toContain(room);
    for (const room of rooms) {
      if (room === 'errors' || room === 'main') continue;
      const door = textOf(`src/${room}/${room}.ts`);
      const comment = /^\/\*\*[\s\S]*?\*\//.exec(door)?.[0];
      expect(comment, `the door of ${room} opens with a comment`).toBeDefined();
      expect(comment?.split('\n').length, `the comment of ${room}`).toBeLessThanOrEqual(15);
    }
  });

  test('imports go up the rank table only', () => {
    const wrong = innerImports.filter(({ from, to }) => {
      const [mine, theirs] = [roomOf(from), roomOf(to)];
      return mine !== theirs && (rankOf.get(theirs) ?? 99) >= (rankOf.get(mine) ?? -1);
    });
    // main.ts is reached by nobody, and reaches the command line and the host.
    expect(wrong).toEqual([]);
  });

  test('a room is entered by its door', () => {
    const wrong = innerImports.filter(({ from, to }) => {
      const room = roomOf(to);
      return roomOf(from) !== room && to.split('/').length > 2 && to !== `src/${room}/${room}.ts`;
    });
    expect(wrong.filter(({ from }) => from !== 'src/main.ts')).toEqual([]);
  });

  test('only kafka imports the client library, only host touches files, only main ends the process', () => {
    for (const path of sources) {
      const room = roomOf(path);
      for (const target of importsOf(path)) {
        if (room !== 'kafka') expect(target, path).not.toMatch(/^kafkajs/);
        if (room !== 'host') expect(target, path).not.toMatch(/^(node:)?fs(\/promises)?$|^fs-extra$/);
      }
      if (room !== 'main') expect(textOf(path), path).not.toMatch(/\bprocess\.exit\(/);
      if (room !== 'host' && room !== 'main') {
        expect(textOf(path), path).not.toMatch(
          /\bDate\.now\(|\bMath\.random\(|[^.\w](setTimeout|setInterval)\(/,
        );
      }
    }
  });

  test('no folder is named for what does not belong anywhere', () => {
    for (const entry of readdirSync(join(checkout, 'src'))) {
      expect(entry).not.toMatch(/^(utils?|common|helpers?|types|misc)(\.ts)?$/);
    }
  });
});

describe('the files', () => {
  test('no source file is longer than 400 lines', () => {
    const long = sources.filter((path) => textOf(path).split('\n').length > 400);
    expect(long).toEqual([]);
  });

  test('what is to be done stands in an issue that a link leads to', () => {
    for (const path of sources) {
      for (const line of textOf(path).split('\n')) {
        if (/\b(TODO|FIXME|XXX)\b/.test(line)) expect(line, path).toMatch(/https?:/);
      }
    }
  });

  test('no file knows the machine it was written on', () => {
    // Written so that this file does not match itself.
    const places = /[/](?:work|root)[/]|registry[.]npmjs|repo1?[.]maven/;
    for (const path of tracked) {
      if (/\.(bin|png)$/.test(path)) continue;
      expect(places.exec(textOf(path))?.[0], path).toBeUndefined();
    }
  });

  test('the launcher can be run', () => {
    const mode = execFileSync('git', ['ls-files', '--stage', 'bin/varve.js'], {
      cwd: checkout,
      encoding: 'utf8',
    });
    expect(mode).toMatch(/^100755/);
  });
});

describe('the documents', () => {
  test('docs/errors.md lists every code with its exit status, and no other', () => {
    const rows = [...textOf('docs/errors.md').matchAll(/^\| `([a-z-]+)` \| (\d+) \|/gm)];
    const documented = Object.fromEntries(rows.map(([, code = '', status]) => [code, Number(status)]));
    expect(documented).toEqual({ ...exitStatusByCode });
  });

  test('ARCHITECTURE.md names every room', () => {
    const text = textOf('ARCHITECTURE.md');
    for (const room of new Set(sources.map(roomOf))) expect(text).toContain(`\`${room}\``);
  });

  test('every runtime dependency that was not agreed at the start has a decision record', () => {
    const agreed = [
      'kafkajs',
      'node-cron',
      'tar-stream',
      'zstd-napi',
      'libsodium-wrappers',
      'fs-extra',
      'yargs',
    ];
    const manifest: { dependencies: Record<string, string> } = JSON.parse(textOf('package.json'));
    const records = readdirSync(join(checkout, 'docs/decisions'))
      .map((name) => textOf(`docs/decisions/${name}`))
      .join('\n');
    for (const name of Object.keys(manifest.dependencies)) {
      if (!agreed.includes(name)) expect(records, name).toContain(`\`${name}\``);
    }
  });
});
