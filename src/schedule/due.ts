import { readCron, type Cron } from './cron.ts';
import { zoneOffsets, zoneSlotMs, type OffsetMsAt } from './zone.ts';

export interface Timetable {
  /** Five fields, or six with the seconds first. */
  readonly schedule: string;
  readonly timezone: string;
}

export interface DueFacts {
  readonly nowMs: number;
  /** When this installation first had this schedule: nothing was due before. */
  readonly sinceMs: number;
  /** When the newest cycle that published began. */
  readonly lastSuccessMs?: number;
  /** When the newest cycle of any outcome began. */
  readonly lastAttemptMs?: number;
}

export interface Due {
  /** The next scheduled time after now; absent where the schedule names no day that ever comes. */
  readonly nextMs: number | undefined;
  /** The first scheduled time since the last attempt that passed without one: begin one cycle now, however many passed. */
  readonly missedMs: number | undefined;
  /** The scheduled time that should have led to a published snapshot at least two hours ago. */
  readonly overdueMs: number | undefined;
  /** A cycle is noted in the future: until it is reached, what is missed or overdue cannot be told. */
  readonly clockBack: boolean;
}

export const overdueGraceMs = 2 * 3_600_000;
const setBackSlackMs = 3_600_000;

const dayMs = 86_400_000;
/** East of this there is no zone; west there is less. */
const offsetMaxMs = 15 * 3_600_000;
/** How far back a wall clock has ever been set for summer, and more. */
const turnBackMaxMs = 3 * 3_600_000;
/** A leap day on a given weekday comes within 40 years. */
const daysAheadMax = 366 * 41;

export function dueState(timetable: Timetable, facts: DueFacts): Due {
  const next = nextDueOf(timetable);
  const { nowMs, sinceMs, lastSuccessMs, lastAttemptMs } = facts;
  const expected = next(lastSuccessMs ?? sinceMs);
  const unattempted = next(Math.max(lastAttemptMs ?? sinceMs, lastSuccessMs ?? sinceMs));
  return {
    nextMs: next(nowMs),
    missedMs: unattempted !== undefined && unattempted <= nowMs ? unattempted : undefined,
    overdueMs: expected !== undefined && expected + overdueGraceMs <= nowMs ? expected : undefined,
    clockBack: Math.max(sinceMs, lastSuccessMs ?? nowMs, lastAttemptMs ?? nowMs) > nowMs,
  };
}

/**
 * Up to when scheduled times are dealt with. A clock set back by a little reaches its old time soon, and waiting is
 * better than running a time twice; set back a long way, it begins anew.
 */
export function settledAt(settledMs: number, nowMs: number): number {
  return settledMs > nowMs + setBackSlackMs ? nowMs : settledMs;
}

/** The first scheduled time after a moment. */
export function nextDue(timetable: Timetable, afterMs: number): number | undefined {
  return nextDueOf(timetable)(afterMs);
}

/**
 * A wall-clock time that summer time skips is due when the clock jumps. One that comes twice is due the first time,
 * unless the schedule runs in every hour.
 */
function nextDueOf({ schedule, timezone }: Timetable): (afterMs: number) => number | undefined {
  const cron = readCron(schedule);
  const offsetAt = zoneOffsets(timezone);
  return (afterMs) => {
    let slot = slotOf(afterMs);
    for (;;) {
      const found = firstInSlot(slot, { cron, offsetAt, afterMs });
      if (found !== undefined) return found;
      const ahead = slotBeforeNextDay(slot + zoneSlotMs, { cron, offsetAt });
      if (ahead === undefined) return undefined;
      slot = ahead;
    }
  };
}

/** Within a slot the offset stands still, so wall time is plain arithmetic. */
function firstInSlot(
  slot: number,
  { cron, offsetAt, afterMs }: { cron: Cron; offsetAt: OffsetMsAt; afterMs: number },
): number | undefined {
  const offset = offsetAt(slot);
  const before = offsetAt(slot - 1);
  if (before < offset && slot > afterMs) {
    const skipped = cron.firstWithin({ fromMs: slot + before, toMs: slot + offset });
    if (skipped !== undefined) return slot;
  }
  if (!cron.everyHour && isRepeated(slot, { offset, offsetAt })) return undefined;
  const fromMs = Math.max(slot, Math.floor(afterMs) + 1) + offset;
  const wall = cron.firstWithin({ fromMs, toMs: slot + offset + zoneSlotMs });
  return wall === undefined ? undefined : wall - offset;
}

/** Whether the wall clock has shown this time before. */
function isRepeated(slot: number, { offset, offsetAt }: { offset: number; offsetAt: OffsetMsAt }): boolean {
  const earlier = offsetAt(slot - turnBackMaxMs);
  return earlier > offset && offsetAt(slot + offset - earlier) === earlier;
}

/** Skips days that do not fit without asking the zone for each of their hours. */
function slotBeforeNextDay(
  slot: number,
  { cron, offsetAt }: { cron: Cron; offsetAt: OffsetMsAt },
): number | undefined {
  const today = Math.floor((slot + offsetAt(slot)) / dayMs) * dayMs;
  for (let day = today, days = 0; days < daysAheadMax; day += dayMs, days += 1) {
    if (cron.fitsDay(day)) return Math.max(slot, slotOf(day - offsetMaxMs));
  }
  return undefined;
}

function slotOf(ms: number): number {
  return Math.floor(ms / zoneSlotMs) * zoneSlotMs;
}
