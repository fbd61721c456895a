/**
 * Events in; words, log lines and progress out.
 *
 * It promises: every event has a stable name, offsets are exact, and no record's key or value is ever shown.
 * It decides nothing and changes nothing.
 */
export type { DrillEvent } from './describe-drill.ts';
export { describeEvent, type DaemonEvent, type Described } from './describe.ts';
export type {
  CycleFacts,
  DaemonFacts,
  DrillFacts,
  LastCycle,
  RepositoryFacts,
  RepositoryFound,
} from './facts.ts';
export { metricsOf, metricsText } from './metrics.ts';
export { openLog, type Log } from './log.ts';
export { StatusLine } from './status-line.ts';
export { agoText, bytesText, countText, durationText, longText, momentText, plural } from './text.ts';
