import { localFolderOf, type Config } from '../config/config.ts';
import { askHolder, listGaps, readIdentity } from '../local/local.ts';
import { countText, plural } from '../observe/observe.ts';
import type { Command, CommandContext } from './command.ts';
import {
  fail,
  failureOf,
  findingDocument,
  gravestStatus,
  ok,
  printFinding,
  roomFinding,
  verdict,
  warn,
  type Finding,
} from './findings.ts';
import { lookAtCycles, lookAtRepository, lookForRestores, newGapsFinding } from './health.ts';

export const command: Command = {
  name: 'check',
  summary: 'Tell whether the backup is healthy now',
  description:
    'Looks at the local folder, at the daemon that holds it, at new gaps, at the room on the disk, and at the ' +
    'repository: is the schedule kept, did anything hold expiry, is the newest snapshot verified, is anything ' +
    'damaged. Needs no broker and changes nothing. Ends with 0, or with the status of the gravest finding: 3 for new ' +
    'gaps and stopped partitions, 4 for damage, 5 where a snapshot is overdue, 13 for a target that cannot be used, ' +
    '14 for too little room. doctor tells whether this machine could do the work at all.',
  examples: [
    ['varve check', 'one line for each finding, the verdict first'],
    ['varve check --json', 'the same for programs'],
  ],
  needs: ['local.dir'],
  async run(context) {
    const findings = await findingsOf(context, await context.config());
    const status = gravestStatus(findings);
    if (context.json) {
      const document = {
        schema: 'varve.check/1',
        healthy: status === 0,
        findings: findings.map(findingDocument),
      };
      await context.out(JSON.stringify(document));
      return status;
    }
    await context.out(verdict(findings, { good: 'healthy', bad: 'not healthy' }));
    for (const finding of findings) await printFinding(context, finding);
    return status;
  },
};

async function findingsOf(context: CommandContext, config: Config): Promise<Finding[]> {
  const folder = localFolderOf(config);
  const home = await look('local folder', () => lookAtFolder(context, folder, config.instance));
  if (home.code === 'target-unusable') return [home];
  return [
    home,
    await look('daemon', () => lookAtDaemon(context, folder)),
    await look('gaps', () => lookForGaps(context, folder)),
    await look('room', () => lookForRoom(context, folder, config.local.minFree)),
    ...(await lookForRestores(context, folder)),
    ...(config.repository.dir === undefined
      ? []
      : [...(await lookAtCycles(context, config)), ...(await lookAtRepository(context, config))]),
  ];
}

async function look(what: string, at: () => Promise<Finding>): Promise<Finding> {
  try {
    return await at();
  } catch (error) {
    return failureOf(what, error);
  }
}

async function lookAtFolder({ host }: CommandContext, folder: string, instance: string): Promise<Finding> {
  const what = 'local folder';
  const identity = await readIdentity(host.disk, folder);
  if (identity === undefined) {
    return fail(what, 'target-unusable', {
      detail: `${folder} is not there, or holds no varve.json`,
      hint: 'check local.dir; varve init makes the folder',
    });
  }
  if (identity.instance !== instance) {
    return fail(what, 'foreign-installation', {
      detail: `${folder} belongs to another instance: expected ${instance}, got ${identity.instance}`,
      hint: 'give each instance a local.dir of its own, or set `instance` back',
    });
  }
  return ok(what, `${folder} of cluster ${identity.cluster ?? '(none yet)'}`);
}

const answerWaitMs = 5000;

async function lookAtDaemon({ host }: CommandContext, folder: string): Promise<Finding> {
  const what = 'daemon';
  const answers = await askHolder(host, folder, { command: 'status' }, { waitMs: answerWaitMs });
  if (answers === undefined) {
    return warn(
      what,
      'none holds the local folder: nothing is saved just now',
      'start varve run, unless varve backup is run from time to time instead',
    );
  }
  const answer = answers.at(-1);
  if (answer === undefined) {
    return fail(what, 'overdue', {
      detail: `one holds the local folder, but did not answer within ${answerWaitMs / 1000} s`,
      hint: 'look at its log; if it hangs, stop it and start it again, which loses nothing',
    });
  }
  const status = field(answer, 'status');
  const who = `process ${String(field(answer, 'process'))} since ${String(field(answer, 'started'))}`;
  if (typeof status !== 'object' || status === null) {
    return warn(what, `${who} is still starting`, 'look again in a minute, and at its log');
  }
  const [partitions, stopped, waiting] = [
    numberIn(status, 'partitions'),
    numberIn(status, 'stopped'),
    numberIn(status, 'waiting'),
  ];
  if (stopped > 0) {
    return fail(what, 'incomplete', {
      detail: `${who} follows ${plural(partitions, 'partition')}, of which ${countText(stopped)} stopped`,
      hint: 'its log names each with the reason',
    });
  }
  const detail = `${who} follows ${plural(partitions, 'partition')}`;
  if (waiting === 0) return ok(what, detail);
  return warn(what, `${detail}, of which ${countText(waiting)} wait to be tried again`, 'its log says why');
}

function field(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined;
}

function numberIn(of: object, name: string): number {
  const value = field(of, name);
  return typeof value === 'number' ? value : 0;
}

async function lookForGaps({ host }: CommandContext, folder: string): Promise<Finding> {
  const gaps = await listGaps(host.disk, folder);
  const fresh = gaps.filter((gap) => !gap.isAccepted);
  if (fresh.length > 0) return newGapsFinding(fresh);
  return ok('gaps', gaps.length === 0 ? 'none' : `none new, ${countText(gaps.length)} accepted`);
}

async function lookForRoom({ host }: CommandContext, folder: string, minFree: number): Promise<Finding> {
  return roomFinding(await host.disk.freeBytes(folder), minFree);
}
