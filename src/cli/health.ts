import type { Config } from '../config/config.ts';
import { exitStatusByCode, type ErrorCode } from '../errors.ts';
import type { FoundGap } from '../local/local.ts';
import { countText, durationText, plural } from '../observe/observe.ts';
import type { Memory } from '../repository/repository.ts';
import { readJournals } from '../restore/restore.ts';
import { dueState } from '../schedule/schedule.ts';
import type { Overview } from '../snapshot/snapshot.ts';
import type { OrderResult } from '../target/target.ts';
import type { CommandContext } from './command.ts';
import { drillFindings } from './drills.ts';
import { holdFindings } from './expiry.ts';
import { fail, failureOf, ok, warn, type Finding } from './findings.ts';
import { askTarget, recall } from './repository.ts';
import { isUnfinished } from './restores.ts';
import { agoText, longText, momentText } from './times.ts';

/** Whether cycles keep their schedule, and what holds expiry, by what this installation remembers. */
export async function lookAtCycles(context: CommandContext, config: Config): Promise<Finding[]> {
  try {
    const memory = await recall(context, config);
    const nowMs = context.host.clock.nowMs();
    return [scheduleFinding(memory, config, nowMs), ...holdFindings(memory, nowMs)];
  } catch (error) {
    return [failureOf('schedule', error)];
  }
}

function scheduleFinding(memory: Memory | undefined, config: Config, nowMs: number): Finding {
  const what = 'schedule';
  if (memory === undefined) {
    return warn(
      what,
      'no cycle has run yet',
      'start varve run, or run varve backup: it publishes the first snapshot',
    );
  }
  const { lastSuccess, lastAttempt, sinceMs } = memory;
  const due = dueState(config.cycle, {
    nowMs,
    sinceMs,
    ...(lastSuccess === null ? {} : { lastSuccessMs: lastSuccess.atMs }),
    ...(lastAttempt === null ? {} : { lastAttemptMs: lastAttempt.atMs }),
  });
  const last =
    lastSuccess === null
      ? 'none was ever published'
      : `the last was published ${agoText(lastSuccess.atMs, nowMs)}`;
  const failure =
    lastAttempt?.outcome === 'failed'
      ? `; the last attempt, ${agoText(lastAttempt.atMs, nowMs)}, failed: ${lastAttempt.message ?? lastAttempt.code ?? 'unknown'}`
      : '';
  if (due.clockBack) {
    return fail(what, 'clock-back', {
      detail: `a cycle is noted in the future: ${last}`,
      hint: 'set the clock right: until then nothing expires; where it is right now: varve snapshot --accept-clock',
    });
  }
  if (due.overdueMs !== undefined) {
    return fail(what, 'overdue', {
      detail: `a snapshot was due at ${momentText(due.overdueMs)}, and ${last}${failure}`,
      hint: 'look at the log of the daemon; varve backup publishes one now',
    });
  }
  if (failure !== '') {
    return fail(what, codeNamed(lastAttempt?.code), {
      detail: `${last}${failure}`,
      hint: 'look at the log of the daemon; varve backup tries again now',
    });
  }
  const next = due.nextMs === undefined ? 'never' : momentText(due.nextMs);
  return ok(what, `${last}; the next is due at ${next}`);
}

function codeNamed(code: string | undefined): ErrorCode {
  return isErrorCode(code) ? code : 'failed';
}

function isErrorCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(exitStatusByCode, code);
}

/** Restores that were begun and never came to their end: half of a topic looks like a whole one. */
export async function lookForRestores({ host }: CommandContext, folder: string): Promise<Finding[]> {
  const what = 'restores';
  try {
    const open = (await readJournals(host, folder)).filter(isUnfinished);
    if (open.length === 0) return [];
    const named = open.map(({ id, topics }) => `${id} (${topics.map(({ target }) => target).join(', ')})`);
    return [
      warn(
        what,
        `${plural(open.length, 'restore')} unfinished: ${named.join('; ')}`,
        `run the same command again, it goes on: ${open[0]?.command ?? ''}`,
      ),
    ];
  } catch (error) {
    return [failureOf(what, error)];
  }
}

/** What the repository holds and how well. A target that hangs, or a key that is wrong, is a finding. */
export async function lookAtRepository(context: CommandContext, config: Config): Promise<Finding[]> {
  try {
    const { instance } = config;
    const memory = await recall(context, config);
    const nowMs = context.host.clock.nowMs();
    const overview = await askTarget(context, {
      config,
      order: 'list',
      params: { instance, memory },
    });
    const localFolder = config.local.dir;
    const keys = await askTarget(context, { config, order: 'keys', params: { localFolder } });
    return [
      ...snapshotFindings(overview, config, nowMs),
      ...(await lookAtOthers(context, config)),
      ...drillFindings(overview, { config, memory, nowMs }),
      ...keyFindings(keys),
    ];
  } catch (error) {
    return [failureOf('repository', error)];
  }
}

function keyFindings({ slots, keyring, problems }: OrderResult<'keys'>): Finding[] {
  const what = 'keys';
  if (problems.length > 0) return keyProblemFindings(problems);
  if (slots.length === 1)
    return [warn(what, 'there is one slot only', 'add a second key, kept elsewhere: varve key add')];
  const contentKeys = plural(keyring.keys.length, 'content key');
  return [ok(what, `${plural(slots.length, 'slot')}, ${contentKeys}`)];
}

export function keyProblemFindings(problems: Overview['keyProblems']): Finding[] {
  return problems.map(({ file, problem, hint }) =>
    fail('keys', 'damage', { detail: `keys/${file}: ${problem}`, hint }),
  );
}

/** A daemon that shares the repository may have ended on a host that nobody looks at. */
async function lookAtOthers(context: CommandContext, config: Config): Promise<Finding[]> {
  const names = await askTarget(context, { config, order: 'instances', params: undefined });
  if (names.every((name) => name === config.instance)) return [];
  const params = { instance: undefined, memory: undefined };
  const { snapshots, retired } = await askTarget(context, { config, order: 'list', params });
  const nowMs = context.host.clock.nowMs();
  return names.flatMap((name) => {
    const newest = snapshots.findLast(({ instance }) => instance === name);
    if (name === config.instance || newest === undefined || retired.includes(name)) return [];
    const { takenMs } = newest;
    const due = dueState(config.cycle, { nowMs, sinceMs: takenMs, lastSuccessMs: takenMs });
    if (due.overdueMs === undefined) return [];
    return warn(
      'instances',
      `instance ${name}: its newest snapshot, ${newest.id}, was taken ${agoText(takenMs, nowMs)}`,
      `look at its daemon; if that is gone for good: varve instance retire ${name}`,
    );
  });
}

export function newGapsFinding(gaps: readonly FoundGap[]): Finding {
  const records = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0n);
  const topics = new Set(gaps.map((gap) => gap.topic));
  return fail('gaps', 'gap-new', {
    detail: `${plural(gaps.length, 'new gap')}, ${countText(records)} offsets in all, in ${plural(topics.size, 'topic')}`,
    hint: 'varve gaps list shows them; varve gaps accept says that they are known',
  });
}

export function snapshotFindings(overview: Overview, config: Config, nowMs: number): Finding[] {
  const damage = overview.problems.map(({ id, problem }) =>
    fail('damage', 'damage', {
      detail: `${id}: ${problem}`,
      hint: 'restore the file from another copy of the repository, then run varve verify',
    }),
  );
  return [...damage, newestFinding(overview, config, nowMs)];
}

function newestFinding({ snapshots }: Overview, config: Config, nowMs: number): Finding {
  const what = 'snapshots';
  const verified = snapshots.findLast((row) => row.verified);
  if (snapshots.length === 0)
    return warn(what, 'there is none yet', 'run varve backup, or wait for the first cycle');
  if (verified === undefined) {
    return fail(what, 'incomplete', {
      detail: `none of ${plural(snapshots.length, 'snapshot')} is verified: not everything was read within ${longText(config.verify.maxAge)}`,
      hint: 'run varve verify',
    });
  }
  const age = agoText(verified.takenMs, nowMs);
  const newest = snapshots.findLast((row) => row.instance === config.instance);
  if (newest !== undefined && !newest.verified) {
    const detail = `${newest.id}, the newest, is not verified; the newest verified one is ${verified.id}, taken ${age}`;
    return warn(what, detail, 'run varve verify');
  }
  return ok(
    what,
    `${plural(snapshots.length, 'snapshot')}; the newest verified one is ${verified.id}, taken ${age}`,
  );
}

/** For how long the local disk takes what comes, at the rate of late, if nothing can be freed. */
export function spaceText(o: { freeBytes: number; bytesPerMs: number }): string {
  if (!(o.bytesPerMs > 0)) return 'for as long as nothing new comes';
  return `about ${durationText(o.freeBytes / o.bytesPerMs)} at the rate of late`;
}
