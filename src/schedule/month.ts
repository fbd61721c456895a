/** A calendar month in UTC, counted from the year 0, so that months compare as numbers and never as text. */
export type Month = number;

export function monthAt(timestampMs: number): Month {
  const date = new Date(timestampMs);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

export function startOfMonthMs(month: Month): number {
  return Date.UTC(Math.floor(month / 12), month % 12, 1);
}

/** `2026-11`. */
export function monthText(month: Month): string {
  return `${String(Math.floor(month / 12)).padStart(4, '0')}-${String((month % 12) + 1).padStart(2, '0')}`;
}

export function parseMonth(text: string): Month | undefined {
  const match = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * 12 + Number(match[2]) - 1;
}

/**
 * The month in which a batch is laid: that of the newest timestamp seen so far in its partition, never later than
 * now, and never earlier than a month laid before, whatever the clock does. A batch without a usable timestamp
 * follows the ones before it. It is placement only and says nothing about the records' times.
 */
export function monthOfBatch(o: { maxTimestamp: bigint; nowMs: number; soFar: Month | undefined }): Month {
  if (o.maxTimestamp < 0n) return o.soFar ?? monthAt(o.nowMs);
  const now = BigInt(Math.floor(o.nowMs));
  const month = monthAt(Number(o.maxTimestamp < now ? o.maxTimestamp : now));
  return o.soFar === undefined ? month : Math.max(o.soFar, month);
}
