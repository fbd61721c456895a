import { join } from 'node:path';
import type { Random } from '../host/host.ts';

/**
 * Names below the repository's folder (a contract, specified in docs/format.md). No other file spells one of them.
 */
export interface RepositoryPlace {
  /** `repository.dir` */
  readonly folder: string;
  readonly instance: string;
}

export const repositoryFileName = 'varve.json';

/**
 * What `varve.json` is called in a copy that is being made: it is renamed when all else is there. By a name of its own,
 * so that of two that copy into one folder none takes the other's for its own.
 */
export function unfinishedName(random: Random): string {
  return `unfinished-export.${random.bytes(6).toString('hex')}`;
}

export function isUnfinishedName(text: string): boolean {
  return /^unfinished-export\.[0-9a-f]{12}$/.test(text);
}

export function keysFolder({ folder }: Pick<RepositoryPlace, 'folder'>): string {
  return join(folder, 'keys');
}

export function instanceFolder({ folder, instance }: RepositoryPlace): string {
  return join(folder, instance);
}

/** What an instance's folder holds, besides its views. */
export const instanceFolders = ['snapshots', 'marks', 'staging', 'trash', 'lock'] as const;

export function snapshotsFolder(place: RepositoryPlace): string {
  return join(instanceFolder(place), 'snapshots');
}

export function snapshotFolder(place: RepositoryPlace, id: string): string {
  return join(snapshotsFolder(place), id);
}

export function stagingRoot(place: RepositoryPlace): string {
  return join(instanceFolder(place), 'staging');
}

export function stagingFolder(place: RepositoryPlace, id: string): string {
  return join(stagingRoot(place), id);
}

export function marksFolder(place: RepositoryPlace): string {
  return join(instanceFolder(place), 'marks');
}

export function trashFolder(place: RepositoryPlace): string {
  return join(instanceFolder(place), 'trash');
}

export function lockFolder(place: RepositoryPlace): string {
  return join(instanceFolder(place), 'lock');
}

/**
 * Where the packs of all snapshots lie together, on a target that has no hard links. That the folder is there is what
 * says so, to every later cycle.
 */
export function packsFolder(place: RepositoryPlace): string {
  return join(instanceFolder(place), 'packs');
}

/** Of a pack, as seen from the folder of its snapshot, be it published, staged or in the trash. */
export function packName({
  path,
  shared,
}: {
  readonly path: string;
  readonly shared?: true | undefined;
}): string {
  return shared === true ? `${sharedPrefix}${path}` : path;
}

export const sharedPrefix = '../../packs/';

const snapshotIdPattern = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{4}$/;

export function isSnapshotId(text: string): boolean {
  return snapshotIdPattern.test(text);
}

/** `20261101T030000Z-1a2b` */
export function snapshotIdAt(random: Random, atMs: number): string {
  return `${compactTime(atMs)}-${random.bytes(2).toString('hex')}`;
}

export function timeOfSnapshotId(id: string): number {
  const parts = snapshotIdPattern.exec(id)?.slice(1).map(Number) ?? [];
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** `20261101T030000Z` */
function compactTime(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

export function packPath(o: { month: string; seq: number; number: number }): string {
  return `${o.month}/${String(o.seq).padStart(10, '0')}-${o.number}.tar`;
}

const markTypes = [
  'pinned',
  'unpinned',
  'checked',
  'damaged',
  'drill',
  'retired',
  'unretired',
  'misdated',
] as const;

export type MarkType = (typeof markTypes)[number];

export interface MarkName {
  readonly snapshot: string;
  readonly type: MarkType;
  readonly atMs: number;
}

/** `<snapshot id>.<type>-<time with milliseconds>-<4 hex>` */
export function markFileName(random: Random, { snapshot, type, atMs }: MarkName): string {
  const time = new Date(atMs).toISOString().replaceAll(/[-:.]/g, '');
  return `${snapshot}.${type}-${time}-${random.bytes(2).toString('hex')}`;
}

export function parseMarkFileName(text: string): MarkName | undefined {
  const match = /^([^.]+)\.([a-z]+)-(\d{8})T(\d{2})(\d{2})(\d{2})(\d{3})Z-[0-9a-f]{4}$/.exec(text);
  if (match === null) return undefined;
  const [, snapshot = '', type = '', day = '', hour, minute, second, ms] = match;
  const known = markTypes.find((name) => name === type);
  if (known === undefined || !isSnapshotId(snapshot)) return undefined;
  const date = `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`;
  return { snapshot, type: known, atMs: Date.parse(`${date}T${hour}:${minute}:${second}.${ms}Z`) };
}

/** `<snapshot id>~<epoch seconds of the target's clock>` */
export function trashName(id: string, atMs: number): string {
  return `${id}~${Math.floor(atMs / 1000)}`;
}

export function parseTrashName(text: string): { readonly id: string; readonly atMs: number } | undefined {
  const match = /^([^~]+)~(\d{1,12})$/.exec(text);
  if (match?.[1] === undefined || !isSnapshotId(match[1])) return undefined;
  return { id: match[1], atMs: Number(match[2]) * 1000 };
}

export function isViewName(text: string): boolean {
  return /^(hourly|daily|weekly|monthly)\.(0|[1-9]\d{0,5})$/.test(text);
}

export function isInstanceName(text: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$/.test(text) && text !== 'keys';
}
