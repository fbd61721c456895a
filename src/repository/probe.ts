/** Tries on the target, under names of its own, everything that a cycle does there, and leaves nothing behind. */
import { dirname, join } from 'node:path';
import { messageOf } from '../errors.ts';
import { codeOf, type Disk, type Host } from '../host/host.ts';
import { findRepository } from './identity.ts';
import { keysFolder } from './layout.ts';
import { isLinkRefused, linkObstacleIn, sharedPacksHint } from './links.ts';
import { mountOf, mountText } from './mounts.ts';
import { foreignFolder, withOwners } from './owners.ts';
import { createFile, readPastCache, removeTree, targetTimeIn } from './steps.ts';

export interface ProbeFinding {
  readonly level: 'ok' | 'warn' | 'fail';
  readonly what: string;
  readonly detail: string;
  readonly hint?: string;
  readonly code?: 'target-unusable' | 'no-space';
}

const clockDifferenceMaxMs = 5 * 60_000;
const freeBytesMin = 1024 ** 3;

/** Where another repository is `expected`, this is the wrong volume: nothing is tried on it. */
export async function probeTarget(host: Host, folder: string, expected?: string): Promise<ProbeFinding[]> {
  const { disk, random } = host;
  const findings: ProbeFinding[] = [...(await mountFindings(host, folder))];
  try {
    const found = expected === undefined ? undefined : await findRepository(disk, folder);
    if (expected !== undefined && found?.repository !== expected) {
      const got = found === undefined ? 'none' : `repository ${found.repository}`;
      const detail = `${folder}: expected repository ${expected}, in which this installation published, got ${got}`;
      const hint = 'mount the volume of repository.dir';
      return [...findings, { level: 'fail', what: 'repository', code: 'target-unusable', detail, hint }];
    }
    if ((await disk.stat(folder)) === undefined) {
      const detail = `${folder} is not there yet: varve init makes it`;
      return [
        ...findings,
        { level: 'warn', what: 'target', detail, hint: 'check that the volume is mounted' },
      ];
    }
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return [
      ...findings,
      failed('target', error, 'check repository.dir, and who may enter the folders above it'),
    ];
  }
  const probe = join(folder, `.probe.${random.bytes(6).toString('hex')}`);
  try {
    await disk.makeFolder(probe);
    await probeIn(host, probe, findings);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    findings.push(
      failed(
        'write',
        await withOwners(error, disk),
        'this user must be able to write in repository.dir: check owner, mode and mount',
      ),
    );
  } finally {
    await removeTree(disk, probe).catch(() => undefined); // what stood in the way has been told
  }
  const freeBytes = await disk.freeBytes(folder);
  const detail = `${Math.floor(freeBytes / 1e6)} MB free`;
  if (freeBytes >= freeBytesMin) findings.push({ level: 'ok', what: 'room on the target', detail });
  else
    findings.push({
      level: 'warn',
      what: 'room on the target',
      detail,
      hint: 'make room, or raise the quota',
    });
  return findings;
}

/** What was found stays found where a later attempt fails in a way of its own. */
async function probeIn(host: Host, probe: string, findings: ProbeFinding[]): Promise<void> {
  const { disk } = host;
  const foreign = await foreignFolder(disk, { folder: keysFolder({ folder: dirname(probe) }), made: probe });
  if (foreign !== undefined)
    findings.push({
      level: 'fail',
      what: 'owner',
      code: 'target-unusable',
      detail: foreign.text,
      hint: 'run varve as the user that the repository belongs to (runAsUser), or chown -R it',
    });
  const [first, second] = [join(probe, 'a'), join(probe, 'b')];
  const attempt = async (what: string, hint: string, run: () => Promise<string>): Promise<void> => {
    try {
      findings.push({ level: 'ok', what, detail: await run() });
    } catch (error) {
      findings.push(failed(what, error, hint));
    }
  };
  await attempt('write and fsync', 'look at the mount and at its server', async () => {
    await createFile(disk, first, [Buffer.alloc(8192, 1)]);
    return 'works';
  });
  findings.push(await linkFinding(disk, probe));
  await attempt('rename', 'look at the mount and at its server', async () => {
    await createFile(disk, second, [Buffer.from('.')]);
    await disk.rename(second, join(probe, 'c'));
    return 'works';
  });
  findings.push(await symlinkFinding(disk, probe));
  await attempt('reading back', 'look at the mount and at its server', async () => {
    const { how } = await readPastCache(disk, first, () => undefined);
    return how === 'direct'
      ? 'goes past the page cache'
      : 'comes from the page cache: what the server holds is not seen';
  });
  findings.push(await syncFinding(host, probe));
  findings.push(await clockFinding(host, probe));
}

async function linkFinding(disk: Disk, probe: string): Promise<ProbeFinding> {
  const what = 'hard links';
  const folder = join(probe, 'links');
  try {
    await disk.makeFolder(folder);
    const obstacle = await linkObstacleIn(disk, folder);
    if (obstacle === undefined) return { level: 'ok', what, detail: 'work' };
    return { level: 'warn', what, detail: `there are none here: ${obstacle}`, hint: sharedPacksHint };
  } catch (error) {
    return failed(what, error, 'look at the mount and at its server');
  }
}

async function symlinkFinding(disk: Disk, probe: string): Promise<ProbeFinding> {
  const what = 'symbolic links';
  try {
    await disk.makeSymlink('a', join(probe, 'view'));
    return { level: 'ok', what, detail: 'work' };
  } catch (error) {
    if (!isLinkRefused(error)) return failed(what, error, 'look at the mount and at its server');
    const hint = 'there are no views such as daily.0 here; varve list tells what each of them would name';
    return { level: 'warn', what, detail: `there are none here: ${messageOf(error)}`, hint };
  }
}

async function syncFinding({ disk }: Host, probe: string): Promise<ProbeFinding> {
  const what = 'fsync of a folder';
  try {
    await disk.syncFolder(probe);
    return { level: 'ok', what, detail: 'works' };
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error) ?? ''))
      return failed(what, error, 'look at the mount');
    const hint = 'after a power cut of its server, a name may be missing that was there';
    return { level: 'warn', what, detail: 'this file system has none', hint };
  }
}

async function clockFinding(host: Host, probe: string): Promise<ProbeFinding> {
  const what = 'clock of the target';
  const difference = (await targetTimeIn(host, probe)) - host.clock.nowMs();
  const detail = `${Math.round(Math.abs(difference) / 1000)} s ${difference < 0 ? 'behind' : 'ahead'}`;
  if (Math.abs(difference) <= clockDifferenceMaxMs) return { level: 'ok', what, detail };
  return {
    level: 'warn',
    what,
    detail,
    hint: 'set both clocks by NTP: where they are an hour apart nothing expires',
  };
}

function failed(what: string, error: unknown, hint: string): ProbeFinding {
  const isFull = ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '');
  return {
    level: 'fail',
    what,
    detail: messageOf(error),
    hint,
    code: isFull ? 'no-space' : 'target-unusable',
  };
}

const riskyOptions: Readonly<Record<string, string>> = {
  soft: 'a soft mount may lose what was written without saying so: mount it hard',
  softerr: 'a soft mount may lose what was written without saying so: mount it hard',
  nolock: 'mount it with NFS 4.1 or newer, without nolock',
  'local_lock=flock': 'locks are not seen by other machines: mount it without local_lock',
  'local_lock=posix': 'locks are not seen by other machines: mount it without local_lock',
  'local_lock=all': 'locks are not seen by other machines: mount it without local_lock',
  ro: 'it is mounted read only: cycles cannot publish',
};

async function mountFindings({ disk }: Host, folder: string): Promise<ProbeFinding[]> {
  const mount = await mountOf(disk, folder);
  if (mount === undefined) return [];
  const detail = mountText(mount);
  const { options } = mount;
  const risks = Object.entries(riskyOptions).filter(([option]) => options.has(option));
  if (risks.length === 0) return [{ level: 'ok', what: 'mount', detail }];
  return risks.map(([option, hint]) => ({
    level: option === 'ro' ? 'fail' : 'warn',
    what: `mount option ${option}`,
    detail,
    hint,
    ...(option === 'ro' ? { code: 'target-unusable' as const } : {}),
  }));
}
