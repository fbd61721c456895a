import type { VarveError } from '../errors.ts';
import type { TopicPlan } from './plan.ts';
import type { TopicReport } from './report.ts';
import type { StreamEnd } from './stream.ts';
import { retentionNames, type LeftOff } from './topic-settings.ts';

/** How far a topic came. */
export interface TopicEnd {
  readonly plan: TopicPlan;
  readonly partitions: Map<number, StreamEnd>;
  topicId: string;
  leftOff: readonly LeftOff[];
  problem: VarveError | undefined;
}

export function topicReport(
  { plan, partitions, topicId, problem, leftOff }: TopicEnd,
  lost: TopicReport['lost'],
): TopicReport {
  const rows = [...partitions].toSorted(([a], [b]) => a - b);
  const counts = rows.map(([, { counts: one }]) => one);
  const sum = (of: (one: (typeof counts)[number]) => number): number =>
    counts.reduce((total, one) => total + of(one), 0);
  const times = (of: (one: (typeof counts)[number]) => bigint | undefined): bigint[] =>
    counts.flatMap((one) => of(one) ?? []);
  return {
    topic: plan.source.topic,
    target: plan.target,
    topicId,
    records: sum(({ records }) => records),
    bytes: sum(({ bytes }) => bytes),
    reencoded: sum(({ reencoded }) => reencoded),
    notRestored: {
      before: sum(({ before }) => before),
      behind: sum(({ behind }) => behind),
      notLookedAt: sum(({ notLookedAt }) => notLookedAt),
    },
    firstMs: times(({ firstMs }) => firstMs).reduce<bigint | null>(
      (a, b) => (a === null || b < a ? b : a),
      null,
    ),
    lastMs: times(({ lastMs }) => lastMs).reduce<bigint | null>(
      (a, b) => (a === null || b > a ? b : a),
      null,
    ),
    partitions: rows.map(([partition, { counts: one, start, end, content }]) => ({
      partition,
      records: one.records,
      start,
      end,
      content,
      compared: content !== null,
    })),
    leftOff: [...plan.leftOff.filter(({ name }) => !retentionNames.has(name)), ...leftOff],
    lost: lost,
    problem: problem?.message ?? null,
    code: problem?.code ?? null,
    hint: problem?.hint ?? null,
  };
}
