/**
 * The lock of an instance's folder: one file in `lock/`, made by linking a file of its own into place, with a heartbeat
 * beside it. Publishing needs none, since names are unique; letting go, sweeping, views and marks do.
 *
 *   lock/holder         {"installation","nonce","host","since"}: fixed for its life
 *   lock/beat.<nonce>   replaced once a minute while it is held; its date is the target's
 *
 * No process ids: in containers they name nobody. A lock of the same installation is taken over at once, by whoever
 * holds the local folder; another's only when it has not beaten for ten minutes of the target's clock.
 */
import { join } from 'node:path';
import { hostname } from 'node:os';
import { z } from 'zod';
import { messageOf, VarveError } from '../errors.ts';
import type { Disk, Host, Timer } from '../host/host.ts';
import { lockFolder, snapshotsFolder, type RepositoryPlace } from './layout.ts';
import { giveName } from './links.ts';
import { foreignFolder } from './owners.ts';
import { createFile, ignoring, readIfThere, replaceWhole, syncFolder, targetTimeIn } from './steps.ts';
import { sweepOld } from './upkeep.ts';

export interface RepositoryLock extends AsyncDisposable {
  /** Throws `locked` where the lock is no longer ours: the work must stop then. */
  assertHeld(): Promise<void>;
}

export interface LockHolder {
  readonly installation: string;
  readonly nonce: string;
  readonly host: string;
  /** RFC 3339, by the holder's clock. */
  readonly since: string;
}

const holderSchema = z.object({
  installation: z.string(),
  nonce: z.string(),
  host: z.string(),
  since: z.string(),
});

export const beatEveryMs = 60_000;
export const silentMs = 10 * 60_000;
const attemptsMax = 20;
const leftOver =
  /^(\.[0-9a-f]{32}|\.aside\.[0-9a-f]{12}|\.[0-9a-f]{12}\.(now|tmp)|beat\.[0-9a-f]{32}|\.holder\.placing)$/;

export const holderPath = (place: RepositoryPlace): string => join(lockFolder(place), 'holder');
const beatPath = (place: RepositoryPlace, nonce: string): string => join(lockFolder(place), `beat.${nonce}`);

export async function acquireLock(
  host: Host,
  place: RepositoryPlace,
  { installation }: { installation: string },
): Promise<RepositoryLock> {
  const nonce = host.random.bytes(16).toString('hex');
  const since = new Date(host.clock.nowMs()).toISOString();
  const own: LockHolder = { installation, nonce, host: hostname(), since };
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    if (await claim(host, place, own)) {
      const isOwn = (name: string): boolean => name === `beat.${nonce}`;
      await sweepOld(host, lockFolder(place), (name) => leftOver.test(name) && !isOwn(name));
      return new HeldLock(host, place, own);
    }
    const holder = await readLock(host, place);
    if (holder === undefined) continue;
    if (holder.installation !== installation) await assertSilent(host, place, holder);
    await putAside(host, place, holder);
  }
  throw new VarveError('locked', `${lockFolder(place)}: several processes are after the lock at once`, {
    hint: 'run one process on an instance of the repository',
    retryable: true,
  });
}

/** Who holds the lock; undefined where nobody does. */
export async function readLock(
  host: Pick<Host, 'disk'>,
  place: RepositoryPlace,
): Promise<LockHolder | undefined> {
  const bytes = await readIfThere(host.disk, holderPath(place));
  return bytes === undefined ? undefined : parseHolder(bytes, holderPath(place));
}

/** For the operator who knows better. */
export async function breakLock(host: Host, place: RepositoryPlace): Promise<LockHolder | undefined> {
  const path = holderPath(place);
  const bytes = await readIfThere(host.disk, path);
  if (bytes === undefined) return undefined;
  await ignoring(['ENOENT'], async () => host.disk.removeFile(path));
  await syncFolder(host.disk, lockFolder(place));
  try {
    return parseHolder(bytes, path);
  } catch {
    return { installation: 'unknown', nonce: '', host: 'unknown', since: 'unknown' }; // it was no lock, and is gone
  }
}

function parseHolder(bytes: Buffer, path: string): LockHolder {
  try {
    return holderSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new VarveError(
      'locked',
      `${path}: there is a lock that says nothing of its holder: ${messageOf(cause)}`,
      {
        hint: 'make sure that no other process works on this repository, then run varve unlock',
        cause,
      },
    );
  }
}

/** The name appears with its contents, or not at all. */
async function claim(host: Host, place: RepositoryPlace, own: LockHolder): Promise<boolean> {
  const { disk } = host;
  const temporary = join(lockFolder(place), `.${own.nonce}`);
  await ignoring(['ENOENT'], async () => disk.removeFile(temporary));
  await createFile(disk, temporary, [Buffer.from(`${JSON.stringify(own)}\n`)]);
  try {
    const isTaken = await ignoring(['EEXIST'], async () => giveName(host, temporary, holderPath(place)));
    if (isTaken) return false;
  } finally {
    await ignoring(['ENOENT'], async () => disk.removeFile(temporary));
  }
  await syncFolder(disk, lockFolder(place));
  return (await readLock(host, place))?.nonce === own.nonce;
}

async function assertSilent(host: Host, place: RepositoryPlace, holder: LockHolder): Promise<void> {
  const beat = await host.disk.stat(holderPath(place));
  const latest = await host.disk.stat(beatPath(place, holder.nonce));
  const beatMs = Math.max(beat?.modifiedMs ?? 0, latest?.modifiedMs ?? 0);
  const nowMs = await targetTimeIn(host, lockFolder(place));
  if (nowMs - beatMs >= silentMs) return;
  throw new VarveError(
    'locked',
    `instance ${place.instance} of the repository is held by another installation: ${holder.installation} on ${holder.host} since ${holder.since}`,
    {
      hint: `stop that one, or give this one an \`instance\` of its own; if it is gone for good, wait ${silentMs / 60_000} minutes or run varve unlock`,
    },
  );
}

/** Moves the stale lock out of the way; what was moved may be another by then, and is put back. */
async function putAside(host: Host, place: RepositoryPlace, stale: LockHolder): Promise<void> {
  const { disk } = host;
  const aside = join(lockFolder(place), `.aside.${host.random.bytes(6).toString('hex')}`);
  if (await ignoring(['ENOENT'], async () => disk.rename(holderPath(place), aside))) return;
  const bytes = await readIfThere(disk, aside);
  const moved = bytes === undefined ? undefined : parseHolder(bytes, aside);
  if (moved !== undefined && moved.nonce !== stale.nonce)
    await ignoring(['EEXIST'], async () => giveName(host, aside, holderPath(place)));
  await ignoring(['ENOENT'], async () => disk.removeFile(aside));
  await ignoring(['ENOENT'], async () => disk.removeFile(beatPath(place, stale.nonce)));
}

class HeldLock implements RepositoryLock {
  readonly #host: Host;
  readonly #place: RepositoryPlace;
  readonly #own: LockHolder;
  #timer: Timer | undefined;
  #beating: Promise<void> = Promise.resolve();
  #isOpen = true;

  constructor(host: Host, place: RepositoryPlace, own: LockHolder) {
    this.#host = host;
    this.#place = place;
    this.#own = own;
    this.#schedule();
  }

  async assertHeld(): Promise<void> {
    const holder = await readLock(this.#host, this.#place);
    if (holder?.nonce === this.#own.nonce) return;
    const by =
      holder === undefined ? 'nobody holds it now' : `installation ${holder.installation} holds it now`;
    throw new VarveError(
      'locked',
      `instance ${this.#place.instance} of the repository: the lock was lost: ${by}`,
      {
        hint: 'make sure that one process works on this instance, then run the cycle again',
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    this.#timer?.cancel();
    await this.#beating;
    const { disk } = this.#host;
    const holder = await readLock(this.#host, this.#place).catch((error: unknown) => {
      if (error instanceof VarveError) return undefined; // whatever it is, it is not ours
      throw error;
    });
    if (holder?.nonce === this.#own.nonce)
      await ignoring(['ENOENT'], async () => disk.removeFile(holderPath(this.#place)));
    await ignoring(['ENOENT'], async () => disk.removeFile(beatPath(this.#place, this.#own.nonce)));
  }

  #schedule(): void {
    this.#timer = this.#host.clock.after(beatEveryMs, () => {
      this.#beating = this.#beat().then(() => {
        if (this.#isOpen) this.#schedule();
      });
    });
  }

  /** One that fails is made up for by the next; before anything is let go of, the lock is looked at. */
  async #beat(): Promise<void> {
    const path = beatPath(this.#place, this.#own.nonce);
    await replaceWhole(this.#host, path, Buffer.from('.')).catch(() => undefined);
  }
}

/**
 * What this process makes must belong to whom the snapshots belong, as the target counts users: the packs of one could
 * not be linked, nor opened, by another. Needs the lock, which is such a file.
 */
export async function assertOwned({ disk }: { disk: Disk }, place: RepositoryPlace): Promise<void> {
  const folder = snapshotsFolder(place);
  const foreign = await foreignFolder(disk, { folder, made: holderPath(place) });
  if (foreign === undefined) return;
  throw new VarveError('target-unusable', foreign.text, {
    hint: `run varve as uid ${foreign.theirs} (runAsUser), or give the repository to the other: chown -R ${foreign.own} ${place.folder}`,
  });
}
