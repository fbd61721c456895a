/** From what was asked for to the partitions and copies that hold it. */
import { matchesGlob } from '../config/config.ts';
import { VarveError } from '../errors.ts';
import type { Backup, Copy, Life, Range } from './backup.ts';
import { chooseLife, chooseTopics } from './choose.ts';
import { Ranks } from './cut.ts';
import type { Journal } from './journal.ts';
import { lengthOf, type SourceTopic } from './plan.ts';
import type { RestoreProgress } from './progress.ts';
import type { RestoreRequest } from './request.ts';
import { scanPartition } from './stream.ts';
import { clipStretches, planStretches, without } from './stretches.ts';

/** By topic id and partition: up to where the cluster has it that records were saved, here or elsewhere. */
export type Claimed = ReadonlyMap<
  string,
  { readonly topic: string; readonly partitions: ReadonlyMap<number, bigint> }
>;

/** Every topic that is meant, with its sources. */
export async function findSources(
  backup: Backup,
  request: RestoreRequest,
  claimed: Claimed,
): Promise<SourceTopic[]> {
  const found: SourceTopic[] = [];
  for (const { topic, target } of chooseTopics(backup.topics, request)) {
    const lives = await backup.lives(topic);
    const { life, others } = chooseLife(lives, request.incarnation);
    const livesOfTarget = target === topic ? lives : await backup.lives(target);
    const whole = withClaimed(
      life,
      request.snapshot === undefined ? claimed.get(life.topicId)?.partitions : undefined,
    );
    found.push(sourceOf({ life: whole, others, livesOfTarget, target }, request.partitions));
  }
  return found.toSorted(smallCompactedFirst);
}

function sourceOf(
  o: { life: Life; others: readonly Life[]; livesOfTarget: readonly Life[]; target: string },
  wanted: readonly number[],
): SourceTopic {
  const there = o.life.partitions.map(({ partition }) => partition);
  const missing = wanted.find((partition) => !there.includes(partition));
  if (missing !== undefined) {
    throw new VarveError(
      'nothing-selected',
      `no partition ${missing} of topic ${o.life.topic} in this backup; there are ${there.join(', ')}`,
      { hint: 'name one of them, or leave --partition out for all' },
    );
  }
  const partitions = o.life.partitions
    .filter(({ partition }) => wanted.length === 0 || wanted.includes(partition))
    .map(({ partition, copies }) => ({ partition, copies, plan: planStretches(copies), scanned: undefined }));
  return { ...o, partitions };
}

/** Topics that were saved, by what the cluster has of it, and of which nothing at all is at hand. */
export async function lostTopics(
  backup: Backup,
  { allTopics, excludeTopics, snapshot }: RestoreRequest,
  claimed: Claimed,
): Promise<string[]> {
  if (!allTopics || snapshot !== undefined) return [];
  const lost: string[] = [];
  for (const [topicId, { topic }] of claimed) {
    if (excludeTopics.some((glob) => matchesGlob(glob, topic))) continue;
    if (!(await backup.lives(topic)).some((life) => life.topicId === topicId)) lost.push(topic);
  }
  return lost.toSorted();
}

export function lostRefused(topics: readonly string[]): VarveError {
  return new VarveError(
    'refused',
    `topics were backed up, and no source at hand has anything of them: ${topics.join(', ')}`,
    {
      hint: 'bring the local folder, instance or snapshot that has them, or leave them out with --exclude-topic; --accept-missing restores what is there and ends with 3',
    },
  );
}

/** What was saved somewhere that is not at hand is missing, and not merely absent. */
function withClaimed(life: Life, claimed: ReadonlyMap<number, bigint> | undefined): Life {
  if (claimed === undefined) return life;
  const partitions = new Map(life.partitions.map((row) => [row.partition, row]));
  for (const [partition, to] of claimed) {
    const copies = partitions.get(partition)?.copies ?? [];
    const ends = copies.flatMap(({ coverage }) => coverage.ranges.map((range) => range.to));
    const from = ends.reduce((most, end) => (end > most ? end : most), 0n);
    if (from >= to) continue;
    partitions.set(partition, { partition, copies: [...copies, elsewhere({ from, to })] });
  }
  return { ...life, partitions: [...partitions.values()].toSorted((a, b) => a.partition - b.partition) };
}

function elsewhere(range: Range): Copy {
  return {
    name: 'another place, which is not at hand',
    coverage: { ranges: [range], epochs: [], gaps: [], truncations: [] },
    absent: [range],
    read: () => {
      throw new Error('nobody reads what is not at hand');
    },
  };
}

/** Schemas and the state of connectors are what everything else leans on. */
function smallCompactedFirst(a: SourceTopic, b: SourceTopic): number {
  return Number(isSmallCompacted(b)) - Number(isSmallCompacted(a));
}

function isSmallCompacted({ life }: SourceTopic): boolean {
  const policy = life.settings?.configs.find(([name]) => name === 'cleanup.policy')?.[1] ?? '';
  return life.partitions.length === 1 && policy.includes('compact');
}

/** The sources of a restore that was begun: the same lives and the same offsets as then. */
export async function sourcesOf(backup: Backup, journal: Journal): Promise<SourceTopic[]> {
  const found: SourceTopic[] = [];
  for (const { source, sourceId, target, partitions, sources } of journal.topics) {
    const lives = await backup.lives(source);
    const { life, others } = chooseLife(lives, sourceId);
    const pinned = new Map((sources ?? partitions).map(({ partition, ranges }) => [partition, ranges]));
    const rows = life.partitions
      .filter(({ partition }) => pinned.has(partition))
      .map(({ partition, copies }) => {
        const ranges = pinned.get(partition) ?? [];
        const plan = planStretches(copies);
        const stretches = clipStretches(plan.stretches, ranges);
        const lost = ranges.flatMap((range) => without(range, stretches));
        if (lengthOf(lost) > 0n) throw lostSince(source, partition, lost);
        return { partition, copies, plan: { ...plan, stretches, missing: [] }, scanned: undefined };
      });
    found.push({ life, others, livesOfTarget: [], target, partitions: rows });
  }
  return found;
}

function lostSince(topic: string, partition: number, lost: readonly Range[]): VarveError {
  const named = lost.map(({ from, to }) => `${from} to ${to - 1n}`).join(', ');
  return new VarveError(
    'refused',
    `${topic}/${partition}: offsets ${named} belong to the restore that was begun, and no source has them any more`,
    { hint: 'bring the local folder or the snapshot back that had them; or begin again with --recreate' },
  );
}

/** Reads everything that is meant, so that counts are exact and damage is known before anything is changed. */
export async function scanSources(
  sources: readonly SourceTopic[],
  o: {
    request: RestoreRequest;
    progress: RestoreProgress;
    signal: AbortSignal;
    onLost: ((topic: string, partition: number, lost: Range, problem: VarveError) => void) | undefined;
  },
): Promise<SourceTopic[]> {
  const { fromMs, toMs } = o.request;
  const scanned: SourceTopic[] = [];
  for (const source of sources) {
    const partitions = [];
    for (const row of source.partitions) {
      const { onLost } = o;
      const lost =
        onLost &&
        ((range: Range, problem: VarveError) => onLost(source.life.topic, row.partition, range, problem));
      const counts = await scanPartition(
        { copies: row.copies, stretches: row.plan.stretches, time: { fromMs, toMs }, onLost: lost },
        { ranks: new Ranks([]), progress: o.progress, signal: o.signal },
      );
      partitions.push({ ...row, scanned: counts });
    }
    scanned.push({ ...source, partitions });
  }
  return scanned;
}

/** A topic with records of which nothing is selected was hardly meant like that. */
export function refuseEmpty(sources: readonly SourceTopic[]): void {
  for (const { life, partitions } of sources) {
    const scans = partitions.flatMap(({ scanned }) => scanned ?? []);
    const selected = scans.reduce((sum, { records }) => sum + records, 0);
    const left = scans.reduce((sum, { before, behind }) => sum + before + behind, 0);
    const isLeftOut = scans.some(({ notLookedAt }) => notLookedAt > 0) && life.firstMs !== undefined;
    if (selected > 0 || (left === 0 && !isLeftOut)) continue;
    throw new VarveError(
      'nothing-selected',
      `nothing of topic ${life.topic} is selected: it has ${isLeftOut ? 'records' : `${left} records`}${
        life.firstMs === undefined ? '' : ` from ${momentText(life.firstMs)} to ${momentText(life.lastMs)}`
      }`,
      { hint: 'widen the range of times; varve list latest tells the range of each topic' },
    );
  }
}

function momentText(ms: bigint | undefined): string {
  if (ms === undefined) return 'an unknown time';
  const isDate = ms >= -8_640_000_000_000_000n && ms <= 8_640_000_000_000_000n;
  return isDate ? new Date(Number(ms)).toISOString() : `${ms} ms`;
}
