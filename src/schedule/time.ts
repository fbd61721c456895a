/**
 * A point in time as an operator types it: RFC 3339 with a zone. Seconds and fractions may be left out.
 *
 *   2026-11-01T00:00Z   2026-11-01T00:00:00.25+01:00
 */
export type ParsedTime =
  | { readonly kind: 'time'; readonly ms: bigint }
  /** `readings` are what it could have meant, each in the form that is taken. */
  | { readonly kind: 'refused'; readonly problem: string; readonly readings: readonly string[] };

/** Minutes east of UTC in the operator's own zone, at a moment. */
type OffsetAt = (ms: number) => number;

const datePattern = '(?<year>\\d{4})-(?<month>\\d{2})-(?<day>\\d{2})';
const clockPattern = '(?<hour>\\d{2}):(?<minute>\\d{2})(?::(?<second>\\d{2})(?:\\.(?<fraction>\\d{1,30}))?)?';
const zonePattern = '(?<zone>[Zz]|[+-]\\d{2}:\\d{2})';
const whole = new RegExp(`^${datePattern}[Tt]${clockPattern}${zonePattern}$`);
const loose = new RegExp(
  `^${datePattern}(?:[Tt _]+${clockPattern}\\s*(?<zone>[Zz]|UTC|GMT|[+-]\\d{2}:?\\d{2})?)?$`,
);
const expected = 'expected RFC 3339 with a zone, such as 2026-11-01T00:00Z';

/** A fraction finer than a millisecond is rounded up, which keeps "from, inclusive" and "to, exclusive" exact. */
export function parseTime(text: string, offsetAt: OffsetAt = () => 0): ParsedTime {
  const fields = whole.exec(text)?.groups;
  if (fields === undefined)
    return { kind: 'refused', problem: expected, readings: readingsOf(text, offsetAt) };
  const problem = problemOf(fields);
  if (problem !== undefined) return { kind: 'refused', problem, readings: [] };
  return { kind: 'time', ms: msOf(fields) - offsetMsOf(fields['zone'] ?? 'Z') };
}

/** RFC 3339 in UTC with milliseconds; beyond the years 0 to 9999 it has no form there, and the number is told. */
export function timeText(ms: bigint): string {
  if (ms < earliestMs || ms > latestMs) return `${ms} ms since 1970`;
  return new Date(Number(ms)).toISOString();
}

const earliestMs = BigInt(utcMs({ year: 0, month: 1, day: 1 }));
const latestMs = BigInt(utcMs({ year: 10_000, month: 1, day: 1 })) - 1n;

type Fields = Readonly<Record<string, string | undefined>>;

/** `Date.UTC` takes the years 0 to 99 for 1900 to 1999. */
function utcMs({ year, month, day }: { year: number; month: number; day: number }): number {
  return new Date(0).setUTCFullYear(year, month - 1, day);
}

function msOf(fields: Fields): bigint {
  const date = utcMs({
    year: Number(fields['year']),
    month: Number(fields['month']),
    day: Number(fields['day']),
  });
  const seconds =
    Number(fields['hour']) * 3600 + Number(fields['minute']) * 60 + Number(fields['second'] ?? 0);
  const fraction = fields['fraction'] ?? '';
  const finer = /[1-9]/.test(fraction.slice(3)) ? 1 : 0;
  return BigInt(date + seconds * 1000 + Number(fraction.slice(0, 3).padEnd(3, '0')) + finer);
}

function offsetMsOf(zone: string): bigint {
  if (zone === 'Z' || zone === 'z') return 0n;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return BigInt((zone.startsWith('-') ? -minutes : minutes) * 60_000);
}

/** What no calendar or clock shows. Leap seconds do not exist in a record's time. */
function problemOf(fields: Fields): string | undefined {
  const year = Number(fields['year']);
  const month = Number(fields['month']);
  const zone = fields['zone'] ?? 'Z';
  if (month < 1 || month > 12) return `expected a month from 01 to 12, got ${fields['month']}`;
  const days = new Date(utcMs({ year, month: month + 1, day: 1 }) - 1).getUTCDate();
  const bounds = [
    ['day', 1, days],
    ['hour', 0, 23],
    ['minute', 0, 59],
    ['second', 0, 59],
  ] as const;
  for (const [name, min, max] of bounds) {
    const value = Number(fields[name] ?? min);
    if (value < min || value > max) {
      return `expected ${name} ${twoDigits(min)} to ${twoDigits(max)}${name === 'day' ? ` in ${fields['year']}-${fields['month']}` : ''}, got ${fields[name]}`;
    }
  }
  if (zone.length === 6 && (Number(zone.slice(1, 3)) > 23 || Number(zone.slice(4)) > 59)) {
    return `expected a zone from -23:59 to +23:59, got ${zone}`;
  }
  return undefined;
}

function readingsOf(text: string, offsetAt: OffsetAt): readonly string[] {
  const trimmed = text.trim();
  const fields = loose.exec(trimmed)?.groups;
  if (fields !== undefined) return readingsOfFields(fields, offsetAt);
  const month = /^(\d{4})-(\d{2})$/.exec(trimmed);
  if (month !== null) return readingsOfFields({ year: month[1], month: month[2], day: '01' }, offsetAt);
  const slashed = /^(\d{1,2})[/.](\d{1,2})[/.](\d{4})$/.exec(trimmed);
  if (slashed !== null) return readingsOfSlashed(slashed);
  if (/^-?\d{9,13}$/.test(trimmed)) return readingsOfNumber(BigInt(trimmed));
  return [];
}

/** A date, with a clock or without: in UTC, or in the operator's own zone. */
function readingsOfFields(fields: Fields, offsetAt: OffsetAt): readonly string[] {
  if (problemOf({ ...fields, zone: 'Z' }) !== undefined) return [];
  const { year, month, day, hour = '00', minute = '00', second, fraction, zone } = fields;
  const seconds = second === undefined ? '' : `:${second}${fraction === undefined ? '' : `.${fraction}`}`;
  const local = `${year}-${month}-${day}T${hour}:${minute}${seconds}`;
  if (zone !== undefined) {
    return [local + (/^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(-2)}` : 'Z')];
  }
  const ownMinutes = offsetAt(Number(msOf({ ...fields, hour, minute })));
  return ownMinutes === 0 ? [`${local}Z`] : [`${local}Z`, `${local}${offsetText(ownMinutes)}`];
}

/** Day first, or month first. */
function readingsOfSlashed([, first = '', second = '', year]: readonly string[]): readonly string[] {
  const orders = [
    { month: second.padStart(2, '0'), day: first.padStart(2, '0') },
    { month: first.padStart(2, '0'), day: second.padStart(2, '0') },
  ];
  const found = orders
    .filter((order) => problemOf({ year, ...order }) === undefined)
    .map(({ month, day }) => `${year}-${month}-${day}T00:00Z`);
  return [...new Set(found)];
}

/** Seconds, or milliseconds, since 1970. */
function readingsOfNumber(value: bigint): readonly string[] {
  return [...new Set([timeText(value * 1000n), timeText(value)])].filter((reading) => reading.endsWith('Z'));
}

function offsetText(minutes: number): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${twoDigits(Math.floor(size / 60))}:${twoDigits(size % 60)}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
