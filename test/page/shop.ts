/** What the page of a small shop would show: the picture in docs/ is made from it. */
import type { PageFacts } from '../../src/page/page.ts';
import { cycleNote, given, now, snapshot, type GivenTopic } from './given.ts';

const dayMs = 86_400_000;
const mega = 1e6;

/** Seasons of a year that ends in this November, thinner in summer. */
const seasons = [0.7, 0.55, 0.6, 0.62, 0.7, 0.66, 0.5, 0.42, 0.52, 0.74, 0.95, 1, 1.6, 0.9, 0.6];

function year(perMonth: number, months: number, wobble: number): number[] {
  return seasons
    .slice(-months)
    .map((share, index) => Math.round(perMonth * mega * share * (1 + (((index + 3) * wobble) % 7) / 12)));
}

const topics: GivenTopic[] = [
  {
    topic: 'orders',
    months: year(410, 14, 3),
    partitions: 12,
    unsaved: 8112,
    unsavedBytes: 34 * mega,
    lag: 0,
  },
  {
    topic: 'page-views',
    months: year(690, 9, 5),
    partitions: 24,
    unsaved: 51_730,
    unsavedBytes: 71 * mega,
    lag: 214,
  },
  {
    topic: 'payments',
    months: year(160, 14, 2),
    partitions: 6,
    unsaved: 2904,
    unsavedBytes: 9 * mega,
    gaps: [{ from: 731_204n, to: 731_388n, at: '2026-06-14T04:11:09.000Z' }],
  },
  {
    topic: 'inventory.changes',
    months: year(120, 11, 4),
    partitions: 6,
    unsaved: 1201,
    unsavedBytes: 4 * mega,
  },
  { topic: 'shipments', months: year(80, 14, 6), partitions: 6, unsaved: 310, unsavedBytes: 1.2 * mega },
  { topic: 'customers', months: year(46, 14, 1), partitions: 3, unsaved: 88, unsavedBytes: 0.3 * mega },
  { topic: 'carts', months: year(210, 5, 2), partitions: 6, unsaved: 9120, unsavedBytes: 21 * mega },
  { topic: 'search-queries', months: year(150, 7, 3), partitions: 6, unsaved: 4012, unsavedBytes: 7 * mega },
  {
    topic: 'legacy.orders.v1',
    months: [...year(130, 14, 4).slice(0, 6), 0, 0, 0, 0, 0, 0, 0, 0],
    partitions: 4,
    isGone: true,
  },
  { topic: 'prices', months: year(12, 14, 5), partitions: 1, unsaved: 12, unsavedBytes: 0.1 * mega },
  { topic: 'reviews', months: year(19, 10, 2), partitions: 3 },
  { topic: 'refunds', months: year(9, 14, 6), partitions: 3, unsaved: 4, unsavedBytes: 0.02 * mega },
  { topic: 'fraud-scores', months: year(66, 6, 3), partitions: 6, unsaved: 702, unsavedBytes: 1.6 * mega },
  { topic: '_schemas', months: year(0.4, 14, 1), partitions: 1 },
];

export function shop(): PageFacts {
  const three = Date.UTC(2026, 10, 21, 3);
  const dailies = Array.from({ length: 7 }, (_, index) => {
    const takenMs = three - (6 - index) * dayMs;
    return snapshot(406 + index, takenMs, bucket('daily', 6 - index, 7, day(takenMs)));
  });
  const weeklies = [3, 2, 1].map((index) => {
    const takenMs = three - (6 + (index - 1) * 7) * dayMs;
    return snapshot(
      405 - index * 7,
      takenMs - dayMs,
      bucket('weekly', index, 4, `the week of ${day(takenMs - 6 * dayMs)}`),
    );
  });
  const monthlies = Array.from({ length: 8 }, (_, index) => {
    const takenMs = Date.UTC(2026, 2 + index, 0, 3);
    return snapshot(160 + index * 30, takenMs, bucket('monthly', 8 - index, 12, day(takenMs).slice(0, 7)));
  });
  const newest = dailies.at(-1);
  const snapshots = [...monthlies, ...weeklies, ...dailies].map((row) =>
    row.id === newest?.id
      ? {
          ...row,
          views: ['daily.0', 'weekly.0', 'monthly.0'],
          reasons: [...row.reasons, 'newest good snapshot', 'newest verified snapshot'],
        }
      : row,
  );
  snapshots.sort((a, b) => a.takenMs - b.takenMs);
  const facts = given(topics);
  const { repository } = facts;
  const strata = repository?.strata;
  return {
    ...facts,
    acceptedGaps: new Set(
      facts.followed.flatMap(({ topic, topicId, partition, gaps }) =>
        gaps.map(({ from, to }) => `${topic} ${topicId} ${partition} ${from} ${to}`),
      ),
    ),
    cycles: dailies
      .toReversed()
      .slice(0, 6)
      .map(({ id, takenMs, newBytes }, index) =>
        index === 2
          ? cycleNote(takenMs, {
              snapshot: id,
              newBytes,
              problem: 'topics vanished: legacy.orders.v1',
              hint: 'varve snapshot --accept-shrink, once it is meant',
            })
          : cycleNote(takenMs, { snapshot: id, newBytes }),
      ),
    repository:
      repository === undefined || strata === undefined
        ? undefined
        : { ...repository, lookedMs: now - 5.2 * 3_600_000, strata: { ...strata, snapshots } },
  };
}

function bucket(name: string, index: number, of: number, newestOf: string): Parameters<typeof snapshot>[2] {
  return {
    views: [`${name}.${index}`],
    reasons: [`${name} ${index + 1} of ${of}: newest of ${newestOf}`],
  };
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
