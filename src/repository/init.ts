import { join } from 'node:path';
import {
  createKeyring,
  createSlot,
  FrameCodec,
  Key,
  keyBytes,
  readSlot,
  sealKeyring,
  type Stretch,
} from '../crypto/crypto.ts';
import { messageOf, VarveError } from '../errors.ts';
import { codeOf, ensureFolder, type Disk, type Host } from '../host/host.ts';
import {
  findRepository,
  readRepositoryIdentity,
  writeRepositoryIdentity,
  type RepositoryIdentity,
} from './identity.ts';
import { keyringNumbers, openRoot, slotFiles } from './keys.ts';
import {
  instanceFolder,
  instanceFolders,
  isInstanceName,
  keysFolder,
  packsFolder,
  snapshotsFolder,
  type RepositoryPlace,
} from './layout.ts';
import { withOwners } from './owners.ts';
import { readSecret, type RepositorySecret } from './secret.ts';
import { linkObstacle, placeFile } from './links.ts';
import { ignoring, syncFolder } from './steps.ts';
import { isUnfinished, unfinished } from './unfinished.ts';
import { sweepLeftOvers } from './upkeep.ts';

export interface InitResult {
  readonly identity: RepositoryIdentity;
  /** False where all of it was there already. */
  readonly isMade: boolean;
  /** Some of it was there. */
  readonly wasThere: boolean;
  readonly slot: string;
  /** The target has no hard links: snapshots share one folder of packs. */
  readonly isShared: boolean;
}

export const firstSlot = 'main';

/**
 * Makes what is missing of a repository. Whatever step it was stopped at, it goes on from there: the first thing that
 * is made is the slot, which holds the root key and the repository's id, and no second one is ever made beside it.
 * Where another one is `expected`, this is the wrong volume: nothing is made.
 */
export async function initRepository(
  host: Host,
  place: RepositoryPlace,
  o: { secret: RepositorySecret; stretch: Stretch; expected?: string | undefined },
): Promise<InitResult> {
  const { disk } = host;
  const { folder } = place;
  const secret = await readSecret(disk, o.secret);
  if (await isUnfinished(disk, folder)) throw unfinished('refused', folder);
  const known = await findRepository(disk, folder);
  const before = await slotFiles(disk, folder);
  const id = known?.repository ?? before.map(({ name, bytes }) => readSlot(bytes, name).repository)[0];
  if (o.expected !== undefined && id !== o.expected) throw unexpected(folder, { ...o, got: id });
  await probeFolder(host, folder);
  await ensureFolder(disk, keysFolder(place));
  await sweepLeftOvers(host, place);
  if (known !== undefined) {
    const { slot } = await openRoot(disk, {
      folder,
      repository: known.repository,
      secret,
      stretch: o.stretch,
    });
    const isMade = await ensureInstance(host, place);
    return { identity: known, isMade, wasThere: true, slot, isShared: await sharesPacks(disk, place) };
  }
  if (before.length === 0) await makeFirstSlot(host, folder, { secret, stretch: o.stretch });
  const [first] = await slotFiles(disk, folder);
  if (first === undefined) throw new Error('the slot that was made is not there');
  const { repository, created } = readSlot(first.bytes, first.name);
  const { root, slot } = await openRoot(disk, { folder, repository, secret, stretch: o.stretch });
  if ((await keyringNumbers(disk, folder)).length === 0) {
    const keyring = createKeyring({ created, random: host.random });
    const sealed = sealKeyring(keyring, { repository, root, codec: new FrameCodec(), random: host.random });
    await placeUnlessThere(host, join(keysFolder(place), 'keyring.1'), sealed);
  }
  // Also where another made them and was stopped before they were durable: varve.json promises that they are.
  await syncFolder(disk, keysFolder(place));
  await ensureInstance(host, place);
  const identity: RepositoryIdentity = { format: 1, repository, created, clusters: [] };
  await writeRepositoryIdentity(host, folder, identity);
  const isShared = await sharesPacks(disk, place);
  return { identity, isMade: true, wasThere: before.length > 0, slot, isShared };
}

function unexpected(
  folder: string,
  o: { expected?: string | undefined; got: string | undefined },
): VarveError {
  const got = o.got === undefined ? 'none' : `repository ${o.got}`;
  return new VarveError(
    'refused',
    `repository.dir ${folder}: expected repository ${o.expected}, in which this installation published, got ${got}`,
    {
      hint: 'mount its volume; to begin with another repository all the same, move repository.json out of the local folder first',
    },
  );
}

async function makeFirstSlot(
  host: Host,
  folder: string,
  o: { secret: Awaited<ReturnType<typeof readSecret>>; stretch: Stretch },
): Promise<void> {
  const { random, clock } = host;
  const root = new Key(random.bytes(keyBytes));
  const bytes = await createSlot({
    repository: random.uuid(),
    slot: firstSlot,
    created: new Date(clock.nowMs()).toISOString(),
    root,
    random,
    ...o,
  });
  await placeUnlessThere(host, join(keysFolder({ folder }), `${firstSlot}.json`), bytes);
}

/** Another that makes the same repository at the same time may have been first: then its file holds. */
async function placeUnlessThere(host: Host, path: string, contents: Buffer): Promise<void> {
  await ignoring(['EEXIST'], async () => placeFile(host, path, contents, { mode: 0o440 }));
}

/** The folders of an instance; true where any was missing. */
export async function ensureInstance(host: Host, place: RepositoryPlace): Promise<boolean> {
  const { disk } = host;
  if (!isInstanceName(place.instance)) {
    throw new VarveError('config', `instance: expected letters, digits, - and _, got ${place.instance}`, {
      hint: 'choose a plain name for the instance, other than keys',
    });
  }
  const own = instanceFolder(place);
  let isMade = false;
  const isNew = (await disk.stat(snapshotsFolder(place))) === undefined;
  const isWithoutLinks = isNew && (await linkObstacle(host, place.folder)) !== undefined;
  const below = [
    ...(isWithoutLinks ? [packsFolder(place)] : []),
    ...instanceFolders.map((name) => join(own, name)),
  ];
  for (const path of [own, ...below]) {
    const stat = await disk.stat(path);
    if (stat === undefined) {
      await disk.makeFolder(path);
      isMade = true;
    } else if (stat.kind !== 'folder') throw notAFolder(path, stat.kind);
  }
  // Also where all is there: who made it may have been stopped before it was durable.
  await syncFolder(disk, own);
  await syncFolder(disk, place.folder);
  return isMade;
}

/** Whether the snapshots of this instance share one folder of packs: once they did, they go on doing so. */
export async function sharesPacks(disk: Disk, place: RepositoryPlace): Promise<boolean> {
  return (await disk.stat(packsFolder(place)))?.kind === 'folder';
}

/** What a link points to is nobody's to sweep. */
function notAFolder(path: string, kind: string): VarveError {
  return new VarveError('target-unusable', `${path}: expected a folder, got a ${kind}`, {
    hint: 'somebody has put something else in its place: look at it, then move it away',
  });
}

/** Every instance that has snapshots or could have. */
export async function listInstances(disk: Disk, folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const { name, kind } of (await disk.list(folder)) ?? []) {
    if (kind !== 'folder' || !isInstanceName(name)) continue;
    if ((await disk.stat(join(folder, name, 'snapshots'))) !== undefined) found.push(name);
  }
  return found.toSorted();
}

/** For a name that somebody typed. */
export async function assertInstance(disk: Disk, { folder, instance }: RepositoryPlace): Promise<void> {
  await readRepositoryIdentity(disk, folder); // no repository has no instance either, and says so by itself
  const there = await listInstances(disk, folder);
  if (there.includes(instance)) return;
  throw new VarveError(
    'nothing-selected',
    `there is no instance ${instance}; there are ${there.join(', ') || 'none'}`,
    { hint: 'varve instance list shows those that are there' },
  );
}

/** A target in which this user cannot write is refused before anything is made. */
async function probeFolder(host: Host, folder: string): Promise<void> {
  await makeFolderItself(host.disk, folder);
  try {
    await linkObstacle(host, folder);
  } catch (error) {
    throw unusable(folder, await withOwners(error, host.disk));
  }
}

async function makeFolderItself(disk: Disk, folder: string): Promise<void> {
  try {
    if ((await disk.stat(folder)) === undefined) await ensureFolder(disk, folder);
  } catch (error) {
    throw unusable(folder, await withOwners(error, disk));
  }
}

function unusable(folder: string, cause: unknown): VarveError {
  const isFull = codeOf(cause) === 'ENOSPC' || codeOf(cause) === 'EDQUOT';
  return new VarveError(
    isFull ? 'no-space' : 'target-unusable',
    `repository folder ${folder} cannot be used: ${messageOf(cause)}`,
    {
      hint: isFull
        ? 'make room on the target, or raise its quota'
        : 'repository.dir must be a folder on one file system, in which this user may write; varve doctor probes it',
      cause,
    },
  );
}
