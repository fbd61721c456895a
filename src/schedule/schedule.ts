/**
 * Pure calendar arithmetic, in UTC: which month a batch belongs to.
 *
 * It promises the same answer for the same arguments. It never looks at a clock: the time is always an argument.
 */
export { monthAt, monthOfBatch, monthText, parseMonth, startOfMonthMs, type Month } from './month.ts';
