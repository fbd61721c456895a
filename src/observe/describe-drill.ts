import type { Described } from './describe.ts';
import { bytesText, durationText, plural } from './text.ts';

/** Of scheduled drills, told by whoever runs them. */
export type DrillEvent =
  | { readonly type: 'drill-began'; readonly dueMs: number }
  | { readonly type: 'drill-warned'; readonly message: string }
  | {
      readonly type: 'drill-ended';
      readonly snapshot: string;
      readonly passed: boolean;
      readonly code: string | null;
      readonly message: string | null;
      readonly hint: string | null;
      readonly topics: number;
      readonly records: number;
      readonly bytes: number;
      readonly tookMs: number;
    }
  | {
      readonly type: 'drill-failed';
      readonly code: string;
      readonly message: string;
      readonly hint: string | undefined;
    };

const names = {
  'drill-began': true,
  'drill-warned': true,
  'drill-ended': true,
  'drill-failed': true,
} satisfies Record<DrillEvent['type'], true>;

export function isOfDrill(event: { readonly type: string }): event is DrillEvent {
  return Object.hasOwn(names, event.type);
}

export function describeDrill(event: DrillEvent): Described {
  switch (event.type) {
    case 'drill-began':
      return { level: 'info', message: `a drill begins, due at ${new Date(event.dueMs).toISOString()}` };
    case 'drill-warned':
      return { level: 'warn', message: event.message };
    case 'drill-ended': {
      const { snapshot, passed, topics, records, bytes, tookMs, message } = event;
      if (!passed) return { level: 'error', message: `the drill of ${snapshot} FAILED: ${message ?? ''}` };
      const what = `${plural(topics, 'topic')}, ${plural(records, 'record')}, ${bytesText(bytes)}`;
      return { level: 'info', message: `the drill of ${snapshot} passed: ${what}, ${durationText(tookMs)}` };
    }
    case 'drill-failed':
      return {
        level: event.code === 'interrupted' ? 'warn' : 'error',
        message: `no drill: ${event.message}`,
      };
  }
}
