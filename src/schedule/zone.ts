/** Milliseconds east of UTC at a moment; the same moment always gives the same answer. */
export type OffsetMsAt = (ms: number) => number;

/** A zone changes its offset only at a multiple of this, in every zone since 1972. */
export const zoneSlotMs = 15 * 60_000;

export function zoneOffsets(timezone: string): OffsetMsAt {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    calendar: 'gregory',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (ms) => {
    const whole = Math.floor(ms / 1000) * 1000;
    const fields: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(whole)) fields[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
    return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
  };
}
