import { describe, expect, test } from 'vitest';
import {
  doorsWithoutWords,
  importsAgainstTheRanks,
  importsBesideTheDoor,
  ranks,
  roomsOf,
  unknownRooms,
  whatOnlyOtherRoomsMay,
} from './rooms.ts';
import { readTree, sourcesOf, textOf } from './tree.ts';

const tree = readTree();
const sources = sourcesOf(tree);

function given(path: string, text: string): ReadonlyMap<string, string> {
  return new Map([[path, text]]);
}

describe('the rooms of src', () => {
  test('every room has a rank', () => {
    expect(unknownRooms(sources)).toEqual([]);
    expect(unknownRooms(given('src/utils/dates.ts', ''))).toEqual(['utils']);
  });

  test('imports go from a later rank to an earlier one, and never between rooms of one rank', () => {
    expect(importsAgainstTheRanks(sources)).toEqual([]);
    const upwards = given('src/local/reader.ts', "import type { Sink } from '../sink/sink.ts';");
    expect(importsAgainstTheRanks(upwards)).toEqual(['src/local/reader.ts imports src/sink/sink.ts']);
    const sideways = given('src/kafka/client.ts', "const host = await import('../host/host.ts');");
    expect(importsAgainstTheRanks(sideways)).toEqual(['src/kafka/client.ts imports src/host/host.ts']);
  });

  test('a room is entered by its door', () => {
    expect(importsBesideTheDoor(sources)).toEqual([]);
    const beside = given('src/sink/sink.ts', "export { readJournal } from '../local/journal.ts';");
    expect(importsBesideTheDoor(beside)).toEqual(['src/sink/sink.ts imports src/local/journal.ts']);
  });

  test('a door says in at most 15 lines what its room is for', () => {
    expect(doorsWithoutWords(sources)).toEqual([]);
    expect(doorsWithoutWords(given('src/log/log.ts', 'export {};'))).toEqual(['log: no comment on top']);
    const long = `/**\n${' * word\n'.repeat(14)} */`;
    expect(doorsWithoutWords(given('src/log/log.ts', long))).toEqual([
      'log: expected at most 15 lines, got 16',
    ]);
  });

  test('only kafka knows the client library, only host files, time and chance, and only main ends the process', () => {
    expect(whatOnlyOtherRoomsMay(sources)).toEqual([]);
    const forbidden = [
      "import 'kafkajs';",
      "import { open } from 'node:fs/promises';",
      "import fsExtra from 'fs-extra';",
      "import { setTimeout as wait } from 'node:timers/promises';",
      'setTimeout(run, 10);',
      'AbortSignal.timeout(10);',
      'Date.now();',
      'new Date();',
      'performance.now();',
      'Math.random();',
      'randomBytes(16);',
      'process.exit(1);',
    ];
    for (const line of forbidden) {
      expect(whatOnlyOtherRoomsMay(given('src/sink/sink.ts', line)), line).toHaveLength(1);
    }
  });

  test('lint holds the same table', () => {
    const lint = lintOf(textOf(tree, '.oxlintrc.json'));
    for (const [rank, rooms] of ranks.slice(1, -1).entries()) {
      // Sliced: the first here is the second rank, and what stands from its own place on is not for it to import.
      const others = ranks.slice(rank + 1).flat();
      for (const room of rooms) {
        const expected = others
          .filter((other) => other !== room)
          .map((other) => (other === 'main' ? '../main.ts' : `../${other}/**`));
        expect(lint.get(room), room).toEqual(expect.arrayContaining(expected));
      }
    }
  });
});

describe('the map', () => {
  test('ARCHITECTURE.md names every room, and the ranks as they are', () => {
    const text = textOf(tree, 'ARCHITECTURE.md');
    for (const room of roomsOf(sources)) expect(text, room).toContain(`| \`${room}\` |`);
    const line = ranks.map((rooms) => rooms.map((room) => `\`${room}\``).join(' ')).join(' · ');
    expect(text).toContain(line);
  });
});

/** Which imports lint forbids, for each room. */
function lintOf(text: string): Map<string, string[]> {
  interface Override {
    readonly files: readonly string[];
    readonly rules: Record<string, unknown>;
  }
  const { overrides }: { overrides: readonly Override[] } = JSON.parse(text);
  return new Map(
    overrides.flatMap(({ files, rules }) => {
      const room = /^src\/([a-z]+)\/\*\*$/.exec(files[0] ?? '')?.[1];
      const forbidden = JSON.stringify(rules['no-restricted-imports'] ?? '').match(/(?<=")\.\.\/[^"]+/g);
      return room === undefined || forbidden === null ? [] : [[room, forbidden] as const];
    }),
  );
}
