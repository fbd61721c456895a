import { VarveError } from '../errors.ts';
import { parseTime } from '../schedule/schedule.ts';
import type { SnapshotChoice } from '../target/target.ts';
import { localOffsetMinutes } from './time.ts';

/** `20261101T030000Z-1a2b`, `daily.0`, `latest`, or a time: the newest snapshot that is not later. */
export function snapshotChoice(text: string, option: string): SnapshotChoice {
  const isName = text === 'latest' || /^\d{8}T\d{6}Z-[0-9a-f]{4}$/.test(text) || /^[a-z]+\.\d+$/.test(text);
  if (isName) return { text, timeMs: undefined };
  const parsed = parseTime(text, localOffsetMinutes);
  if (parsed.kind === 'time') return { text, timeMs: Number(parsed.ms) };
  const could = parsed.readings.length === 0 ? '' : `; as a time it could be ${parsed.readings.join(' or ')}`;
  throw new VarveError(
    'usage',
    `${option}: expected a snapshot's id, a view such as daily.0, latest, or a time, got ${JSON.stringify(text)}${could}`,
    {
      hint: 'varve list shows the snapshots and their views',
    },
  );
}
