import type { CycleEvent, CycleReport, CyclesEvent, VerifyProgress } from '../snapshot/snapshot.ts';
import type { Described } from './describe.ts';
import { bytesText, durationText, plural } from './text.ts';

export type OfCycle = CycleEvent | CyclesEvent | VerifyProgress;

const names = {
  'cycle-began': true,
  'cycle-ended': true,
  'cycle-failed': true,
  'cycle-phase': true,
  'cycle-progress': true,
  'cycle-warned': true,
  'pack-damaged': true,
  repacked: true,
  'segment-damaged': true,
  'verify-progress': true,
} satisfies Record<OfCycle['type'], true>;

export function isOfCycle(event: { readonly type: string }): event is OfCycle {
  return Object.hasOwn(names, event.type);
}

export function describeCycle(event: OfCycle): Described {
  switch (event.type) {
    case 'cycle-began': {
      const late = event.missedMs === undefined ? '' : `, due at ${new Date(event.missedMs).toISOString()}`;
      return { level: 'info', message: `a cycle begins (${event.trigger}${late})` };
    }
    case 'cycle-ended':
      return describeReport(event.report);
    case 'cycle-failed': {
      const hint = event.hint === undefined ? '' : ` (${event.hint})`;
      return { level: 'error', message: `the cycle failed: ${event.message}${hint}` };
    }
    case 'repacked': {
      const { snapshot, packsBefore, packsAfter, warnings } = event.report;
      const what = `${plural(packsAfter, 'pack')} instead of ${packsBefore}`;
      const notes = warnings.map((warning) => `; ${warning}`).join('');
      const message =
        snapshot === null ? 'nothing to repack' : `repacked: snapshot ${snapshot}, ${what}${notes}`;
      return { level: 'info', message };
    }
    case 'cycle-phase':
      return { level: 'debug', message: `cycle: ${event.phase}` };
    case 'cycle-progress':
      return {
        level: 'debug',
        message: `sealed ${bytesText(event.doneBytes)} of ${bytesText(event.totalBytes)}`,
      };
    case 'verify-progress':
      return {
        level: 'debug',
        message: `read ${bytesText(event.readBytes)} of ${bytesText(event.totalBytes)}`,
      };
    case 'cycle-warned':
      return { level: 'warn', message: event.message };
    case 'pack-damaged':
      return {
        level: 'error',
        message: `pack ${event.pack} is damaged: ${event.problem}; nothing expires until it is mended`,
      };
    case 'segment-damaged': {
      const what = `${event.topic}/${event.partition}: ${event.path}`;
      return { level: 'error', message: `${what} is damaged, and in no snapshot: ${event.problem}` };
    }
  }
}

function describeReport(report: Omit<CycleReport, 'durable'>): Described {
  const { id, finding, newBytes, linkedBytes, tookMs, expired, held } = report;
  const gone = expired.length === 0 ? '' : `, ${plural(expired.length, 'snapshot')} expired`;
  const why = held.length === 0 ? '' : `; nothing expires: ${held.map(({ text }) => text).join('; ')}`;
  const message = `snapshot ${id}: ${bytesText(newBytes)} new, ${bytesText(linkedBytes)} linked, ${durationText(tookMs)}${gone}${why}`;
  if (finding === null) return { level: 'info', message };
  return { level: finding === 'damage' ? 'error' : 'warn', message };
}
