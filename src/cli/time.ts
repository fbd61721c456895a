import { VarveError } from '../errors.ts';
import { parseTime } from '../schedule/schedule.ts';

/** The half-open range of times that was asked for. */
export interface TimeRange {
  /** Inclusive. */
  readonly from: bigint | undefined;
  /** Exclusive. */
  readonly to: bigint | undefined;
}

export function timeRangeOf(o: { from: string | undefined; to: string | undefined }): TimeRange {
  const range = { from: timeOf('--from-time', o.from), to: timeOf('--to-time', o.to) };
  if (range.from !== undefined && range.to !== undefined && range.to < range.from) {
    throw new VarveError(
      'usage',
      `--to-time: expected a time that is not before --from-time ${o.from}, got ${o.to}`,
      { hint: 'the range takes --from-time itself and ends right before --to-time' },
    );
  }
  return range;
}

function timeOf(option: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const parsed = parseTime(text, localOffsetMinutes);
  if (parsed.kind === 'time') return parsed.ms;
  const { problem, readings } = parsed;
  const could = readings.length === 0 ? '' : `; it could be ${readings.join(' or ')}`;
  throw new VarveError('usage', `${option}: ${problem}, got ${JSON.stringify(text)}${could}`, {
    hint:
      readings.length === 0
        ? 'write year, month, day, T, hours and minutes, and Z or the offset of the zone'
        : 'write the one you mean',
  });
}

export function localOffsetMinutes(ms: number): number {
  return -new Date(ms).getTimezoneOffset();
}
