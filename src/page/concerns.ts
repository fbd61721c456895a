import { agoText, durationText, longText, momentText, plural } from '../observe/observe.ts';
import type { PageFacts } from './facts.ts';
import type { TopicRow } from './topics.ts';

/** Something that somebody should look at. */
export interface Concern {
  /** `bad`: records are in danger, or are lost. `warn`: they may come to be. */
  readonly level: 'bad' | 'warn';
  readonly what: string;
  readonly hint: string;
}

/** The gravest first. */
export function concernsOf(facts: PageFacts, topics: readonly TopicRow[]): Concern[] {
  const found = [...ofReading(facts, topics), ...ofCycles(facts), ...ofSnapshots(facts)];
  return found.toSorted((a, b) => Number(b.level === 'bad') - Number(a.level === 'bad'));
}

function ofReading({ daemon, missing }: PageFacts, topics: readonly TopicRow[]): Concern[] {
  const { trouble, localFullInMs, unfinishedRestores = 0 } = daemon;
  const stopped = topics.reduce((sum, topic) => sum + topic.stopped, 0);
  const gaps = topics.reduce((sum, topic) => sum + topic.gaps.filter((gap) => !gap.isAccepted).length, 0);
  const named = [...new Set(missing.map(({ topic }) => topic))];
  return [
    ...trouble.kafka.map((what) => bad(what, 'look at the brokers, and at the network between')),
    ...trouble.disk.map((what) => bad(what, 'make room on the local disk; reading goes on by itself')),
    ...(stopped === 0
      ? []
      : [bad(`${plural(stopped, 'partition')} stopped`, 'the log names each with the reason')]),
    ...(named.length === 0
      ? []
      : [bad(`${plural(named.length, 'topic')} cannot be had`, 'the reasons stand under “not backed up”')]),
    ...(gaps === 0
      ? []
      : [
          warn(
            `${plural(gaps, 'new gap')}: records were deleted in the cluster before they could be saved`,
            'varve gaps list',
          ),
        ]),
    ...(localFullInMs === undefined || localFullInMs > fullSoonMs
      ? []
      : [
          warn(
            `the local disk is full in ${durationText(localFullInMs)} at the rate of late`,
            'make room before: fetching pauses then',
          ),
        ]),
    ...(unfinishedRestores === 0
      ? []
      : [warn(`${plural(unfinishedRestores, 'restore')} unfinished`, 'varve restores list')]),
  ];
}

const fullSoonMs = 48 * 3_600_000;

function ofCycles({ daemon, nowMs, cycles }: PageFacts): Concern[] {
  const known = daemon.cycles;
  if (known === undefined) return [];
  const { overdueSinceMs, stuckSinceMs, target, lastAttempt } = known;
  const last = cycles.find(({ outcome }) => outcome !== 'running');
  return [
    ...(overdueSinceMs === undefined
      ? []
      : [bad(`a snapshot was due ${agoText(overdueSinceMs, nowMs)}`, 'varve backup publishes one now')]),
    ...(target === 'stuck' && stuckSinceMs !== undefined
      ? [bad(`the target hangs since ${momentText(stuckSinceMs)}`, 'look at its mount and at its server')]
      : []),
    ...(lastAttempt?.isPublished === false && known.runningSinceMs === undefined
      ? [
          bad(
            `the last cycle, ${agoText(lastAttempt.atMs, nowMs)}, failed${last?.problem === undefined ? '' : `: ${last.problem}`}`,
            last?.hint ?? 'look at the log; varve backup tries again now',
          ),
        ]
      : []),
    ...(last?.outcome === 'published' && last.problem !== undefined
      ? [warn(`the last cycle published, and found: ${last.problem}`, last.hint ?? 'varve check')]
      : []),
  ];
}

function ofSnapshots({ repository, nowMs, daemon }: PageFacts): Concern[] {
  if (repository === undefined)
    return [warn('no repository is configured: everything is on this disk only', 'set repository.dir')];
  const { strata, problem, lookedMs } = repository;
  const away =
    problem === undefined
      ? []
      : [
          bad(
            `the repository cannot be read: ${problem}`,
            lookedMs === undefined
              ? 'varve doctor'
              : `what is shown of it is ${longText(nowMs - lookedMs)} old`,
          ),
        ];
  if (strata === undefined) return away;
  const { snapshots, problems, keyProblems, unread } = strata;
  const isFirstDue = daemon.cycles?.lastAttempt === undefined;
  return [
    ...away,
    ...problems.map(({ id, problem: what }) => bad(`damage: ${id}: ${what}`, 'varve verify')),
    ...keyProblems.map(({ file, problem: what, hint }) => bad(`damage: keys/${file}: ${what}`, hint)),
    ...unread.map((what) => warn(`a layer cannot be drawn: ${what}`, 'varve verify')),
    ...(snapshots.length === 0
      ? [
          isFirstDue
            ? warn('there is no snapshot yet', 'wait for the first cycle, or run varve backup')
            : bad('there is no snapshot', 'run varve backup'),
        ]
      : []),
    ...(snapshots.length > 0 && !snapshots.some((row) => row.verified)
      ? [bad('no snapshot is verified', 'run varve verify --deep')]
      : []),
  ];
}

function bad(what: string, hint: string): Concern {
  return { level: 'bad', what, hint };
}

function warn(what: string, hint: string): Concern {
  return { level: 'warn', what, hint };
}
