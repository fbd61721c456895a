import { parseTime } from '../schedule/schedule.ts';

/** The time that a line tells, in a field of its JSON. */
export type LineTime =
  | { readonly kind: 'time'; readonly ms: bigint; readonly hasZone: boolean }
  | { readonly kind: 'none' };

const none: LineTime = { kind: 'none' };

/** Of a JSON object on one line; `field` is a name, or names with dots between them for objects in objects. */
export function timeOfLine(line: Buffer, field: string): LineTime {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line.toString('utf8'));
  } catch {
    return none;
  }
  const found = fieldOf(parsed, field) ?? fieldOf(parsed, ...field.split('.'));
  if (typeof found === 'number' && Number.isSafeInteger(found)) return timeOfText(String(found));
  return typeof found === 'string' ? timeOfText(found) : none;
}

function fieldOf(from: unknown, ...path: readonly string[]): unknown {
  let value = from;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

/** A time without a zone is UTC; what could be two different times is none. */
function timeOfText(text: string): LineTime {
  const trimmed = text.trim().replace(/(\.\d{3})\d+/, '$1'); // a record's time has milliseconds
  const exact = parseTime(trimmed);
  if (exact.kind === 'time') return { kind: 'time', ms: exact.ms, hasZone: true };
  const readings = isNumber(trimmed) ? likely(exact.readings) : exact.readings;
  const [reading] = readings;
  if (reading === undefined || readings.length > 1) return none;
  const parsed = parseTime(reading);
  const hasZone = isNumber(trimmed) || /(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$/i.test(trimmed.slice(10));
  return parsed.kind === 'time' ? { kind: 'time', ms: parsed.ms, hasZone } : none;
}

function isNumber(text: string): boolean {
  return /^-?\d+$/.test(text);
}

/** Kafka's own years: seconds or milliseconds since 1970, whichever is one of them. */
function likely(readings: readonly string[]): readonly string[] {
  return readings.filter((reading) => /^(?:199|20\d|210)\d-/.test(reading));
}
