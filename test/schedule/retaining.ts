import type { RetainedSnapshot, RetainPolicy, RotationFacts } from '../../src/schedule/schedule.ts';

/**
 * Snapshots as a table writes them: `2026-11-03T14`, `2026-11-03 2026-11-04`, or `2026-11-03..07` for one of each day.
 * A mark behind one says what it is: `!` not good, `*` pinned, `v` verified. Its text without marks is its id.
 */
export function snapshotsOf(text: string): readonly RetainedSnapshot[] {
  return text.split(/\s+/).filter(Boolean).flatMap(daysOf).map(snapshotOf);
}

function daysOf(word: string): readonly string[] {
  const range = /^(\d{4}-\d{2}-)(\d{2})\.\.(\d{2})$/.exec(word);
  if (range === null) return [word];
  const [, month = '', first, last] = range;
  const length = Number(last) - Number(first) + 1;
  return Array.from({ length }, (_, index) => month + String(Number(first) + index).padStart(2, '0'));
}

function snapshotOf(word: string): RetainedSnapshot {
  const id = word.replace(/[!*v]+$/, '');
  const [day = '', clock = '03'] = id.split('T');
  const ms = Date.parse(`${day}T${clock.length === 2 ? `${clock}:00` : clock}Z`);
  if (Number.isNaN(ms)) throw new Error(`no date in ${word}`);
  return {
    id,
    takenMs: ms,
    publishedMs: ms,
    good: !word.includes('!'),
    pinned: word.includes('*'),
    verified: word.endsWith('v'),
  };
}

/** `7d 4w 12m min2 age24`: daily, weekly, monthly, minimum, minimum age in hours; `24h` is hourly. */
export function policyOf(text: string): RetainPolicy {
  const policy = { hourly: 0, daily: 0, weekly: 0, monthly: 0, minimum: 0, minAgeMs: 0 };
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const match = /^(?:(\d+)([hdwm])|(min|age)(\d+))$/.exec(word);
    if (match === null) throw new Error(`no rule in ${word}`);
    const [, count, letter, name, number] = match;
    if (letter === 'h') policy.hourly = Number(count);
    if (letter === 'd') policy.daily = Number(count);
    if (letter === 'w') policy.weekly = Number(count);
    if (letter === 'm') policy.monthly = Number(count);
    if (name === 'min') policy.minimum = Number(number);
    if (name === 'age') policy.minAgeMs = Number(number) * 3_600_000;
  }
  return policy;
}

/** The facts of a cycle in which all is well. */
export function factsAt(nowMs: number): RotationFacts {
  return { published: true, nowMs, targetNowMs: nowMs, vanishedTopics: [], shrunk: false, damaged: false };
}

/** The moment at which the newest of these was published. */
export function newestMs(snapshots: readonly RetainedSnapshot[]): number {
  return Math.max(0, ...snapshots.map(({ takenMs }) => takenMs));
}
