import type { Hold } from './holds.ts';
import { monthAt, monthText, type Month } from './month.ts';

/** How long data is kept: for ever, or so many whole months after the month it lies in. */
export type Keep = 'forever' | { readonly months: number };

export interface ArchivePolicy {
  readonly keep: Keep;
  readonly topics: Readonly<Record<string, { readonly keep: Keep }>>;
}

/** A pack holds one month, of any number of topics. */
export interface KeptPack {
  readonly path: string;
  readonly month: Month;
  readonly topics: readonly string[];
}

export interface ArchiveFacts {
  readonly nowMs: number;
  readonly targetNowMs: number;
  /** Data is never let go of in a cycle in which no snapshot may expire. */
  readonly holds: readonly Hold[];
}

export interface ExpiredPack extends KeptPack {
  readonly reason: string;
}

export interface ExpiredMonth {
  readonly topic: string;
  readonly month: Month;
}

export interface ArchivePlan {
  readonly keep: readonly KeptPack[];
  readonly expire: readonly ExpiredPack[];
  /** What the expired packs held: the policy's word for why coverage shrinks. */
  readonly expiredMonths: readonly ExpiredMonth[];
}

/** Which packs the next snapshot carries forward. A pack goes as a whole, when every topic in it is past its keep. */
export function planArchive(
  packs: readonly KeptPack[],
  policy: ArchivePolicy,
  facts: ArchiveFacts,
): ArchivePlan {
  const now = monthAt(Math.min(facts.nowMs, facts.targetNowMs));
  const expire =
    facts.holds.length > 0
      ? []
      : packs
          .filter(
            ({ month, topics }) =>
              topics.length > 0 &&
              topics.every((topic) => isPastKeep(month, { keep: keepOf(topic, policy), now })),
          )
          .map((pack) => ({ ...pack, reason: reasonOf(pack, policy) }));
  const gone = new Set(expire.map(({ path }) => path));
  return { keep: packs.filter(({ path }) => !gone.has(path)), expire, expiredMonths: monthsOf(expire) };
}

/** The last month in which the pack is kept; null: for ever. */
export function keptUntil({ month, topics }: Omit<KeptPack, 'path'>, policy: ArchivePolicy): Month | null {
  return topics.reduce<Month | null>(
    (latest, topic) => {
      const keep = keepOf(topic, policy);
      return latest === null || keep === 'forever' ? null : Math.max(latest, month + keep.months);
    },
    topics.length === 0 ? null : month,
  );
}

/** A month is past its keep only when its last millisecond is: with one month, October goes on the first of December. */
function isPastKeep(month: Month, { keep, now }: { keep: Keep; now: Month }): boolean {
  return keep !== 'forever' && now - month > keep.months;
}

const topicsNamedMax = 3;

function reasonOf({ month, topics }: KeptPack, policy: ArchivePolicy): string {
  const named = topics.slice(0, topicsNamedMax).map((topic) => {
    const keep = keepOf(topic, policy);
    return `${topic} (${keep === 'forever' ? keep : `${keep.months}mo`})`;
  });
  const more = topics.length - named.length;
  return `${monthText(month)} is past the keep of ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function keepOf(topic: string, policy: ArchivePolicy): Keep {
  return Object.hasOwn(policy.topics, topic) ? (policy.topics[topic]?.keep ?? policy.keep) : policy.keep;
}

function monthsOf(packs: readonly KeptPack[]): readonly ExpiredMonth[] {
  const found = new Map<string, ExpiredMonth>();
  for (const { month, topics } of packs) {
    for (const topic of topics) found.set(`${month} ${topic}`, { topic, month });
  }
  return [...found.values()].toSorted(
    (a, b) => a.month - b.month || (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0),
  );
}
