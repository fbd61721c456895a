import { basename, dirname, join } from 'node:path';
import type { Tree } from './tree.ts';

/** Imports go from a later rank to an earlier one, never between rooms of one rank. */
export const ranks: readonly (readonly string[])[] = [
  ['errors', 'escape'],
  ['log', 'crypto', 'schedule'],
  ['host', 'config', 'kafka'],
  ['local', 'repository'],
  ['sink', 'snapshot', 'restore'],
  ['exchange', 'observe'],
  ['target', 'page'],
  ['sources'],
  ['drill'],
  ['daemon'],
  ['cli'],
  ['main'],
];
const rankOf = new Map(ranks.flatMap((rooms, rank) => rooms.map((room) => [room, rank] as const)));

const ofOneFile = ['errors', 'escape', 'main'];

/** Some are rooms of one file. */
export function roomOf(path: string): string {
  const [, first = '', second] = path.split('/');
  return second === undefined ? basename(first, '.ts') : first;
}

export function roomsOf(sources: Tree): string[] {
  return [...new Set([...sources.keys()].map(roomOf))];
}

/** Each of these says, one line for each place, what is against the rules there. */
export function unknownRooms(sources: Tree): string[] {
  return roomsOf(sources).filter((room) => !rankOf.has(room));
}

export function importsAgainstTheRanks(sources: Tree): string[] {
  return innerImports(sources)
    .filter(({ from, to }) => {
      const [mine, theirs] = [roomOf(from), roomOf(to)];
      return mine !== theirs && (rankOf.get(theirs) ?? Infinity) >= (rankOf.get(mine) ?? -1);
    })
    .map(({ from, to }) => `${from} imports ${to}`);
}

export function importsBesideTheDoor(sources: Tree): string[] {
  return innerImports(sources)
    .filter(({ from, to }) => {
      const room = roomOf(to);
      return roomOf(from) !== room && to.split('/').length > 2 && to !== `src/${room}/${room}.ts`;
    })
    .map(({ from, to }) => `${from} imports ${to}`);
}

const onlyIn: readonly { readonly what: RegExp; readonly rooms: readonly string[] }[] = [
  { what: /\bprocess\.(exit|kill|abort|reallyExit)\b/, rooms: ['host', 'main'] },
  { what: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bhrtime\b/, rooms: ['host', 'main'] },
  { what: /(?<![.\w#])set(Timeout|Interval|Immediate)\(|\bAbortSignal\.timeout\b/, rooms: ['host'] },
  { what: /\bMath\.random\b|\brandom(Bytes|UUID|Int)\(|\bgetRandomValues\b/, rooms: ['host'] },
];

const onlyImportedBy: readonly { readonly what: RegExp; readonly rooms: readonly string[] }[] = [
  { what: /^kafkajs(\/|$)/, rooms: ['kafka'] },
  { what: /^(node:)?fs(\/promises)?$|^fs-extra$/, rooms: ['host'] },
  { what: /^(node:)?timers(\/promises)?$/, rooms: ['host'] },
];

export function whatOnlyOtherRoomsMay(sources: Tree): string[] {
  return [...sources].flatMap(([path, text]) => {
    const isForbidden = ({ rooms }: { rooms: readonly string[] }): boolean => !rooms.includes(roomOf(path));
    const used = onlyIn.filter(isForbidden).flatMap(({ what }) => what.exec(text)?.[0] ?? []);
    const targets = importsIn(text);
    const imported = onlyImportedBy
      .filter(isForbidden)
      .flatMap(({ what }) => targets.filter((target) => what.test(target)));
    return [...used, ...imported].map((what) => `${path}: ${what}`);
  });
}

const doorLinesMax = 15;

/** A door opens with a comment that says what its room is for. */
export function doorsWithoutWords(sources: Tree): string[] {
  return roomsOf(sources).flatMap((room) => {
    if (ofOneFile.includes(room)) return [];
    const comment = /^\/\*\*[\s\S]*?\*\//.exec(sources.get(`src/${room}/${room}.ts`) ?? '')?.[0];
    if (comment === undefined) return [`${room}: no comment on top`];
    const lines = comment.split('\n').length;
    return lines > doorLinesMax ? [`${room}: expected at most ${doorLinesMax} lines, got ${lines}`] : [];
  });
}

function innerImports(sources: Tree): { from: string; to: string }[] {
  return [...sources].flatMap(([from, text]) =>
    importsIn(text)
      .filter((target) => target.startsWith('.'))
      .map((target) => ({ from, to: join(dirname(from), target) }))
      .filter(({ to }) => to.startsWith('src/')),
  );
}

function importsIn(text: string): string[] {
  const pattern = /(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*['"]([^'"]+)['"]/g;
  return [...text.matchAll(pattern)].map(([, target = '']) => target);
}
