import { dirname, join } from 'node:path';
import { messageOf } from '../errors.ts';
import { localFolderOf, type Config } from '../config/config.ts';
import type { Host } from '../host/host.ts';
import { askHolder, readIdentity } from '../local/local.ts';
import type { CommandContext } from './command.ts';
import { fail, failureOf, ok, roomFinding, warn, type Finding, type Tell } from './findings.ts';

/** Returns the cluster that the folder belongs to, where it belongs to one. */
export async function probeLocal(
  { host }: CommandContext,
  config: Config,
  tell: Tell,
): Promise<string | undefined> {
  const folder = localFolderOf(config);
  try {
    const home = await nearestFolder(host, folder);
    if (home === undefined) {
      await tell(notAFolder(folder));
      return undefined;
    }
    for await (const finding of probeDisk(host, home)) await tell(finding);
    await tell(roomFinding(await host.disk.freeBytes(home), config.local.minFree));
    if (home !== folder) {
      await tell(ok('local folder', `${folder} is not there yet: the first run makes it in ${home}`));
      return undefined;
    }
    return await probeOwner(host, config, { folder, tell });
  } catch (error) {
    await tell(failureOf('local folder', error));
    return undefined;
  }
}

/** The folder itself or, where it is missing, the one above it that it would be made in. */
async function nearestFolder(host: Host, folder: string): Promise<string | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    // Through links, as the operating system does on the way to what lies below.
    const entries = await host.disk.list(at);
    if (entries !== undefined) return at;
    if (dirname(at) === at) return undefined;
  }
}

function notAFolder(folder: string): Finding {
  return fail('local folder', 'target-unusable', {
    detail: `no folder on the way to ${folder} is there`,
    hint: 'check local.dir and what is mounted',
  });
}

const slowSyncMs = 500;

/** Everything the sink does with a disk, once, under names of its own. */
async function* probeDisk(host: Host, folder: string): AsyncGenerator<Finding, void, undefined> {
  const { disk, clock, random } = host;
  const name = `.varve-doctor.${random.bytes(6).toString('hex')}`;
  const [path, other, socket] = [join(folder, name), join(folder, `${name}.link`), `${name}.sock`];
  try {
    const beganMs = clock.nowMs();
    await writeProbe(host, path);
    await disk.syncFolder(folder);
    const tookMs = Math.round(clock.nowMs() - beganMs);
    const detail = `writable; a write and its sync took ${tookMs} ms`;
    const slow = 'every second one sync per partition is made: use a faster disk, or expect lag';
    yield tookMs > slowSyncMs ? warn('disk', detail, slow) : ok('disk', detail);
    await disk.link(path, other);
    await probeSocket(host, { folder, socket });
    yield ok('disk', 'hard links and sockets work');
  } catch (error) {
    yield failureOf('disk', error);
  } finally {
    for (const left of [path, other, join(folder, socket)]) {
      if ((await disk.stat(left)) !== undefined) await disk.removeFile(left);
    }
  }
}

async function writeProbe({ disk }: Host, path: string): Promise<void> {
  const file = await disk.open(path, 'create');
  try {
    await file.write([Buffer.from('varve doctor\n')], 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function probeSocket(host: Host, at: { folder: string; socket: string }): Promise<void> {
  await using sockets = await host.openSocketFolder(at.folder);
  const server = await sockets.listen(at.socket, (connection) => connection.end());
  try {
    const connection = await sockets.connect(at.socket);
    connection.destroy();
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

async function probeOwner(
  host: Host,
  config: Config,
  { folder, tell }: { folder: string; tell: Tell },
): Promise<string | undefined> {
  const identity = await readIdentity(host.disk, folder);
  if (identity !== undefined && identity.instance !== config.instance) {
    await tell(
      fail('local folder', 'foreign-installation', {
        detail: `${folder} belongs to another instance: expected ${config.instance}, got ${identity.instance}`,
        hint: 'give each instance a local.dir of its own, or set `instance` back',
      }),
    );
    return undefined;
  }
  const whose = identity === undefined ? 'nobody yet' : `installation ${identity.installation}`;
  await tell(ok('local folder', `${folder} of ${whose}`));
  await tell(await holderOf(host, folder));
  return identity?.cluster ?? undefined;
}

const answerWaitMs = 2000;

async function holderOf(host: Host, folder: string): Promise<Finding> {
  try {
    const answers = await askHolder(host, folder, { command: 'who' }, { waitMs: answerWaitMs });
    if (answers === undefined) return ok('lock', 'no process holds the local folder');
    const who: unknown = answers.at(-1);
    const id = typeof who === 'object' && who !== null && 'process' in who ? String(who.process) : '(silent)';
    return ok('lock', `process ${id} holds the local folder: run would be refused, backup goes through it`);
  } catch (error) {
    return warn('lock', `the holder could not be asked: ${messageOf(error)}`, 'look at who uses this folder');
  }
}
