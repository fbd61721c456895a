/**
 * A recovery sheet: the keys of a repository as lines that a person can type. Each machine-read line is
 *
 *   <label>  six groups of five letters: base32 of 16 bytes, then the first 20 bits of
 *            BLAKE2b-256("varve1 sheet" | label | the 16 bytes)
 *
 * with the labels `repository` (its UUID), `root-1`, `root-2` (the two halves of the root key), and for the content keys,
 * oldest first, `key1-1`, `key1-2`, `key2-1` and so on. `since1` and so on tell when a content key was made.
 */
import { VarveError } from '../errors.ts';
import { decodeBase32, encodeBase32 } from './base32.ts';
import { blake2b } from './blake2b.ts';
import { bytesOfUuid } from './identity.ts';
import { Key, keyBytes } from './key.ts';
import { Keyring } from './keyring.ts';

const lineBytes = 16;
const dataLetters = 26;
const groupLetters = 5;
const linesMax = 100_000;

export interface Sheet {
  readonly repository: string;
  readonly root: Key;
  /** Undefined where only the root key was typed. */
  readonly keyring: Keyring | undefined;
}

/** The lines that are read back; the words around them are for people. */
export function formatSheet(sheet: { repository: string; root: Key; keyring: Keyring }): string[] {
  const { repository, root, keyring } = sheet;
  return [
    line('repository', bytesOfUuid(repository)),
    ...keyLines('root', root),
    '',
    ...keyring.keys.flatMap(({ key, created }, index) => [
      `since${index + 1}      ${created}`,
      ...keyLines(`key${index + 1}`, key),
    ]),
  ];
}

function keyLines(name: string, key: Key): string[] {
  const secret = key.secret();
  return [line(`${name}-1`, secret.subarray(0, lineBytes)), line(`${name}-2`, secret.subarray(lineBytes))];
}

function line(label: string, bytes: Buffer): string {
  const letters = `${encodeBase32(bytes)}${checkOf(label, bytes)}`.toUpperCase();
  const groups = letters.match(new RegExp(`.{${groupLetters}}`, 'g')) ?? [];
  return `${label.padEnd('repository'.length)}  ${groups.join(' ')}`;
}

function checkOf(label: string, bytes: Buffer): string {
  return encodeBase32(blake2b('varve1 sheet', label, bytes)).slice(0, 4);
}

/** Passes over every line whose first word is no label. Says of a line that was mistyped which one it is. */
export function parseSheet(text: string): Sheet {
  const values = new Map<string, Buffer>();
  const dates = new Map<string, string>();
  for (const row of text.split(/\r?\n/, linesMax)) {
    const [, name = '', rest = ''] = /^\s*([a-z]+\d*(?:-[12])?)\s+(\S.*?)\s*$/i.exec(row) ?? [];
    const label = name.toLowerCase();
    if (/^since\d+$/.test(label)) dates.set(label, rest);
    if (!/^(repository|(root|key\d+)-[12])$/.test(label)) continue;
    const bytes = typed(label, rest);
    if (values.get(label)?.equals(bytes) === false) throw wrong(`it has two lines ${label} that differ`);
    values.set(label, bytes);
  }
  const repository = uuidOf(lineOf(values, 'repository'));
  const root = keyOf(values, 'root');
  const keyring = keyringOf(values, dates);
  return { repository, root, keyring };
}

function keyringOf(
  values: ReadonlyMap<string, Buffer>,
  dates: ReadonlyMap<string, string>,
): Keyring | undefined {
  const count = [...values.keys()].reduce(
    (most, label) => Math.max(most, Number(/^key(\d+)-/.exec(label)?.[1] ?? 0)),
    0,
  );
  if (count === 0) return undefined;
  if (count > values.size) throw wrong(`it has a line of key ${count}, and not those of all before it`);
  const keys = Array.from({ length: count }, (_, index) => {
    const created = new Date(dates.get(`since${index + 1}`) ?? Number.NaN);
    if (Number.isNaN(created.getTime()))
      throw wrong(`expected a time behind since${index + 1}, such as 2026-11-01T00:00:00.000Z`);
    return { key: keyOf(values, `key${index + 1}`), created: created.toISOString() };
  });
  return new Keyring(count, keys);
}

function keyOf(values: ReadonlyMap<string, Buffer>, name: string): Key {
  const secret = Buffer.concat([lineOf(values, `${name}-1`), lineOf(values, `${name}-2`)], keyBytes);
  return new Key(secret);
}

function lineOf(values: ReadonlyMap<string, Buffer>, label: string): Buffer {
  const bytes = values.get(label);
  if (bytes === undefined) throw wrong(`it has no line ${label}`);
  return bytes;
}

/** No digit below 2 and no 8 or 9 is among the letters: what looks like one was meant as the letter. */
function typed(label: string, text: string): Buffer {
  const letters = text
    .toLowerCase()
    .replaceAll(/[\s-]/g, '')
    .replaceAll('0', 'o')
    .replaceAll('1', 'i')
    .replaceAll('8', 'b');
  const lettersMax = dataLetters + 4;
  if (letters.length !== lettersMax)
    throw wrong(`line ${label}: expected ${lettersMax} letters and digits, got ${letters.length}`);
  const bytes = decodeBase32(letters.slice(0, dataLetters));
  if (bytes === undefined || checkOf(label, bytes) !== letters.slice(dataLetters))
    throw wrong(`line ${label} is mistyped: its last four letters do not fit the others`);
  return bytes;
}

function uuidOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Never with what was typed: it may be right but for one letter. */
function wrong(problem: string): VarveError {
  return new VarveError('config', `the recovery sheet: ${problem}`, {
    hint: 'compare that line with the sheet, letter by letter (I, O and B are letters; 1, 0 and 8 do not occur)',
  });
}
