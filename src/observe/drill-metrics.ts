import type { DaemonFacts } from './facts.ts';
import { gauge, seconds, type Metric } from './samples.ts';

export function drillMetrics({ drills }: DaemonFacts): Metric[] {
  if (drills === undefined) return [];
  const { last, nextMs, runningSinceMs } = drills;
  return [
    gauge('varve_drill_running', 'Whether a scheduled drill runs now.', runningSinceMs === undefined ? 0 : 1),
    gauge('varve_drill_next_time_seconds', 'When the next drill is due.', seconds(nextMs)),
    gauge('varve_drill_last_attempt_time_seconds', 'When the last drill began.', seconds(last?.atMs)),
    gauge('varve_drill_last_attempt_success', 'Whether the last drill passed.', last && Number(last.passed)),
    gauge(
      'varve_drill_last_success_time_seconds',
      'When the last drill that passed began.',
      seconds(last?.passedMs ?? undefined),
    ),
    gauge('varve_drill_duration_seconds', 'How long the last drill took.', seconds(last?.tookMs)),
  ];
}
