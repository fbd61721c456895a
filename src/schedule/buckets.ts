import { monthAt, monthText } from './month.ts';

/** In the order in which plans and views name them. */
export const bucketRules = ['hourly', 'daily', 'weekly', 'monthly'] as const;
export type BucketRule = (typeof bucketRules)[number];

/** How many restore points each rule keeps. */
export type BucketCounts = Readonly<Record<BucketRule, number>>;

/** What a snapshot has to say for itself before a bucket can choose it. */
export interface Restorable {
  readonly id: string;
  /** The moment of its cut, by the clock of the daemon that took it. */
  readonly takenMs: number;
  /** Published, and not known to be damaged. */
  readonly good: boolean;
  /** It is dated in the future, and known to be wrong: no rule goes by its time before that has come. */
  readonly misdated?: boolean;
}

export interface Bucket<Snapshot extends Restorable> {
  /** `2026-11-03T14`, `2026-11-03`, `2026-W45` or `2026-11`. */
  readonly name: string;
  readonly chosen: Snapshot;
}

const dayMs = 86_400_000;

/** The newest good snapshot of each of the `count` most recent buckets that have one, newest first. */
export function chooseByBucket<Snapshot extends Restorable>(
  rule: BucketRule,
  { snapshots, count }: { snapshots: readonly Snapshot[]; count: number },
): readonly Bucket<Snapshot>[] {
  const chosen = new Map<string, Snapshot>();
  for (const snapshot of newestFirst(snapshots.filter(({ good, misdated }) => good && misdated !== true))) {
    const name = bucketNames[rule](snapshot.takenMs);
    if (chosen.has(name)) continue;
    if (chosen.size >= count) break;
    chosen.set(name, snapshot);
  }
  return [...chosen].map(([name, snapshot]) => ({ name, chosen: snapshot }));
}

/** Two snapshots of the same moment are told apart by their ids, so that any order of listing plans the same. */
export function newestFirst<Snapshot extends Restorable>(
  snapshots: readonly Snapshot[],
): readonly Snapshot[] {
  return snapshots.toSorted((a, b) => b.takenMs - a.takenMs || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0));
}

/** Calendar buckets are UTC: no hour is missing or doubled, and a moved daemon plans the same. */
const bucketNames = {
  hourly: (ms) => new Date(ms).toISOString().slice(0, 13),
  daily: (ms) => new Date(ms).toISOString().slice(0, 10),
  weekly: isoWeekText,
  monthly: (ms) => monthText(monthAt(ms)),
} satisfies Record<BucketRule, (ms: number) => string>;

/** An ISO week belongs to the year of its Thursday, so the first days of January may be in week 52 or 53. */
function isoWeekText(ms: number): string {
  const day = Math.floor(ms / dayMs);
  const mondayFirst = (((day + 3) % 7) + 7) % 7;
  const thursday = day - mondayFirst + 3;
  const year = new Date(thursday * dayMs).getUTCFullYear();
  const week = Math.floor((thursday - Math.floor(Date.UTC(year, 0, 1) / dayMs)) / 7) + 1;
  return `${String(year).padStart(4, '0')}-W${String(week).padStart(2, '0')}`;
}
