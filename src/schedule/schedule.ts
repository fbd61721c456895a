/**
 * Pure calendar arithmetic: which month a batch belongs to, and which moment an operator means.
 *
 * It promises the same answer for the same arguments. It never looks at a clock: the time is always an argument.
 */
export { monthAt, monthOfBatch, monthText, parseMonth, startOfMonthMs, type Month } from './month.ts';
export { parseTime, timeText, type ParsedTime } from './time.ts';
