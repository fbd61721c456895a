import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatSheet, Key, Keyring, parseSheet, type Sheet } from '../../src/crypto/crypto.ts';

const repository = '6f1d2c3b-4a59-4687-9f00-112233445566';
const secret = fc.uint8Array({ minLength: 32, maxLength: 32 });
const root = new Key(Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7)));

function ringOf(secrets: readonly Uint8Array[]): Keyring {
  const created = '2026-11-01T00:00:00.000Z';
  const keys = secrets.map((bytes) => ({ key: new Key(bytes), created }));
  return new Keyring(keys.length, keys);
}

function plain(sheet: Sheet): object {
  const keys = sheet.keyring?.keys.map(({ key, created }) => [key.secret().toString('hex'), created]);
  return { ...sheet, root: sheet.root.secret().toString('hex'), keyring: [sheet.keyring?.number, keys] };
}

const lines = formatSheet({ repository, root, keyring: ringOf([Buffer.alloc(32, 1), Buffer.alloc(32, 2)]) });

test('a sheet that is typed back gives the same keys, in small letters, unspaced, among other words', () => {
  fc.assert(
    fc.property(secret, fc.array(secret, { minLength: 1, maxLength: 4 }), (rootBytes, secrets) => {
      const sheet = { repository, root: new Key(rootBytes), keyring: ringOf(secrets) };
      const written = formatSheet(sheet);
      const loose = written.map((line) => ` ${line.replace(/(?<=\S{5}) /g, '').toLowerCase()}\t\r`);
      const among = ['It opens EVERYTHING', '', ...loose, 'keep it safe'].join('\n');
      for (const text of [written.join('\n'), among]) expect(plain(parseSheet(text))).toEqual(plain(sheet));
    }),
    { numRuns: 20 },
  );
});

test('any one letter that is another, left out or doubled is told, and in which line', () => {
  for (const [index, line] of lines.entries()) {
    const label = /^(\S+-[12]|repository) /.exec(line)?.[1];
    if (label === undefined) continue;
    for (let at = 'repository  '.length; at < line.length; at += 1) {
      const letter = line.charAt(at);
      if (letter === ' ') continue;
      for (const typed of [letter === 'A' ? 'C' : 'A', '', letter + letter]) {
        const text = lines.with(index, line.slice(0, at) + typed + line.slice(at + 1)).join('\n');
        expect(() => parseSheet(text)).toThrow(expect.objectContaining({ code: 'config' }));
        expect(() => parseSheet(text)).toThrow(`line ${label}`);
      }
    }
  }
});

test('lines that were exchanged, or come twice and differ, are told', () => {
  const [, first = '', second = ''] = lines;
  const exchanged = [lines[0], first.replace('root-1', 'root-2'), second.replace('root-2', 'root-1')];
  expect(() => parseSheet(exchanged.join('\n'))).toThrow('line root-2 is mistyped');
  const other = formatSheet({
    repository,
    root: new Key(Buffer.alloc(32)),
    keyring: ringOf([Buffer.alloc(32)]),
  });
  expect(() => parseSheet([...lines, ...other].join('\n'))).toThrow('two lines root-1 that differ');
});

test('the root key is enough, but a content key does not come without the ones before it', () => {
  const without = (pattern: RegExp): string => lines.filter((line) => !pattern.test(line)).join('\n');
  expect(parseSheet(without(/^(key|since)/))).toMatchObject({ repository, keyring: undefined });
  expect(() => parseSheet(without(/^key1/))).toThrow('no line key1-1');
  expect(() => parseSheet(without(/^since2/))).toThrow('since2');
  expect(() => parseSheet(without(/^root-2/))).toThrow('no line root-2');
  const far = lines.find((line) => line.startsWith('key2-1'))?.replace('key2', 'key99999999') ?? '';
  expect(() => parseSheet(`${lines.join('\n')}\n${far}`)).toThrow(/mistyped/);
});
