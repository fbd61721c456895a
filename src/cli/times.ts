import { durationText } from '../observe/observe.ts';

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
