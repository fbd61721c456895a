/** `12.3 MB`: decimal units, as disks and networks are sold. */
export function bytesText(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'kB', 'MB', 'GB', 'TB']) {
    if (value < 1000 || unit === 'TB')
      return `${unit === 'B' ? Math.round(value) : value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
  return `${Math.round(bytes)} B`;
}

/** `1,234,567`. */
export function countText(count: number | bigint): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 partition`, `2 partitions`. */
export function plural(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `0.4 s`, `3 min 20 s`. */
export function durationText(durationMs: number): string {
  if (durationMs < 10_000) return `${(Math.max(0, durationMs) / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** `2026-11-01T03:00:00Z`, and how long ago that is. */
export function momentText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

export function agoText(ms: number, nowMs: number): string {
  const ageMs = nowMs - ms;
  return ageMs < 0 ? `${durationText(-ageMs)} in the future` : `${longText(ageMs)} ago`;
}

const dayMs = 86_400_000;

export function longText(durationMs: number): string {
  if (durationMs < 2 * dayMs) return durationText(durationMs);
  return `${Math.floor(durationMs / dayMs)} days`;
}
