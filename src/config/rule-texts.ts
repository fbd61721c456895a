/** Rules that several keys share; each completes "expected …". */
export const durationRule = 'a duration with a unit, such as 24h, 35d or 13mo';
export const scheduleRule =
  'a cron schedule of five fields, or six with the seconds first, such as 0 3 * * *';
export const nameRule = 'letters, digits, ".", "_" and "-", beginning with a letter or digit, at most 64';
export const topicsRule = 'a list of topic names, or globs of * and ?';
export const flagRule = 'true or false';
export const pathRule = 'a path';
export const textRule = 'one line of text, not empty (numbers in quotes)';
