import { parse } from 'node-cron';

/** A moment on a wall clock, counted as if it were UTC. */
type WallMs = number;

/** A schedule of five or six fields, read. As node-cron has it, the day of the month and the weekday must both fit. */
export interface Cron {
  readonly everyHour: boolean;
  /** Any time of that wall day. */
  readonly fitsDay: (wallMs: WallMs) => boolean;
  /** The first time from `fromMs` on and before `toMs`. */
  readonly firstWithin: (range: { readonly fromMs: WallMs; readonly toMs: WallMs }) => WallMs | undefined;
}

const minuteMs = 60_000;
const dayMs = 86_400_000;

export function readCron(schedule: string): Cron {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek } = parse(schedule);
  const seconds = second.toSorted((a, b) => a - b);
  const fitsDay = (wallMs: WallMs): boolean => {
    const date = new Date(wallMs);
    return (
      month.includes(date.getUTCMonth() + 1) &&
      dayOfMonth.some((field) => fitsDayOfMonth(field, date)) &&
      dayOfWeek.some((field) => fitsWeekday(field, date))
    );
  };
  const fitsMinute = (wallMs: WallMs): boolean => {
    const date = new Date(wallMs);
    return minute.includes(date.getUTCMinutes()) && hour.includes(date.getUTCHours()) && fitsDay(wallMs);
  };
  return {
    everyHour: new Set(hour).size === 24,
    fitsDay,
    firstWithin: ({ fromMs, toMs }) => {
      for (let at = Math.floor(fromMs / minuteMs) * minuteMs; at < toMs; at += minuteMs) {
        if (!fitsMinute(at)) continue;
        const found = seconds.map((value) => at + value * 1000).find((ms) => ms >= fromMs && ms < toMs);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

/** `13`, `L`, `L-2`, `15W` (the weekday nearest to the 15th, in its month) or `LW`. */
function fitsDayOfMonth(field: number | string, date: Date): boolean {
  const day = date.getUTCDate();
  if (typeof field === 'number') return field === day;
  const last = lastDayOf(date);
  const fromLast = /^L(?:-(\d{1,2}))?$/.exec(field);
  if (fromLast !== null) return day === last - Number(fromLast[1] ?? 0);
  const near = /^(\d{1,2}|L)W$/.exec(field);
  return near !== null && day === weekdayNear(near[1] === 'L' ? last : Number(near[1]), date);
}

function weekdayNear(target: number, date: Date): number | undefined {
  const last = lastDayOf(date);
  if (target < 1 || target > last) return undefined;
  const weekday = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), target)).getUTCDay();
  if (weekday === 6) return target === 1 ? 3 : target - 1;
  if (weekday === 0) return target === last ? target - 2 : target + 1;
  return target;
}

/** `5`, `5#2` (the second Friday) or `5L` (the last). */
function fitsWeekday(field: number | string, date: Date): boolean {
  if (typeof field === 'number') return field % 7 === date.getUTCDay();
  const token = /^([0-7])(?:#([1-5])|L)$/i.exec(field);
  if (token === null || Number(token[1]) % 7 !== date.getUTCDay()) return false;
  const day = date.getUTCDate();
  return token[2] === undefined ? day + 7 > lastDayOf(date) : Math.ceil(day / 7) === Number(token[2]);
}

function lastDayOf(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) - dayMs).getUTCDate();
}
