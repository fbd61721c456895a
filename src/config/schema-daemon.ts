import { validate as isSchedule } from 'node-cron';
import { z } from 'zod';
import { defaulted, list, optional } from './keys.ts';
import {
  count,
  duration,
  flag,
  oneOf,
  size,
  text,
  timezone,
  topicGlob,
  webAddress,
  Wrong,
  type Parse,
} from './scalars.ts';
import { durationRule, scheduleRule, topicsRule, flagRule, pathRule } from './rule-texts.ts';

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const bytesMax = 2 ** 50;

const schedule: Parse<string> = (value) =>
  typeof value === 'string' && /^\S+( +\S+){4,5}$/.test(value) && isSchedule(value) ? value : new Wrong();

/** What is read, where it is laid down, and when. */
export function sourceShape(path: Parse<string>) {
  return {
    topics: z
      .strictObject({
        include: defaulted(list(topicGlob), {
          rule: topicsRule,
          summary:
            'Topics to back up: names, or globs of * and ?. Those that begin with __ only when named exactly.',
          fallback: ['*'],
        }),
        exclude: defaulted(list(topicGlob), {
          rule: topicsRule,
          summary: 'Topics to leave out.',
          fallback: [],
        }),
      })
      .prefault({}),
    local: z
      .strictObject({
        dir: optional(path, { rule: pathRule, summary: 'The local folder: segments, journals, positions.' }),
        segmentBytes: defaulted(size({ bytesMin: 2 ** 10, bytesMax: 2 ** 31 - 1 }), {
          rule: 'a size from 1KiB to 2147483647 (2GiB - 1), such as 256MiB',
          summary: 'A segment file is rolled at this size; at most 2 GiB - 1.',
          fallback: '256MiB',
        }),
        keep: defaulted(duration, {
          rule: durationRule,
          summary: 'How long segments stay here once a snapshot holds them.',
          fallback: '35d',
        }),
        minFree: defaulted(size({ bytesMin: 0, bytesMax }), {
          rule: 'a size, such as 1GiB',
          summary:
            'Below this much free space segments that a snapshot holds go at once, and then fetching stops.',
          fallback: '1GiB',
        }),
      })
      .prefault({}),
    sink: z
      .strictObject({
        inFlightBytes: defaulted(size({ bytesMin: 2 ** 20, bytesMax: 2 ** 32 }), {
          rule: 'a size from 1MiB to 4GiB, such as 64MiB',
          summary: 'How many bytes may be fetched and not yet written.',
          fallback: '64MiB',
        }),
      })
      .prefault({}),
    cycle: z
      .strictObject({
        schedule: defaulted(schedule, {
          rule: scheduleRule,
          summary: 'When a snapshot is made.',
          fallback: '0 3 * * *',
        }),
        timezone: defaulted(timezone, {
          rule: 'a time zone such as UTC or Europe/Zurich',
          summary: "The schedule's time zone.",
          fallback: 'UTC',
        }),
        onStart: defaulted(flag, {
          rule: flagRule,
          summary: 'Make one at the start too.',
          fallback: 'false',
        }),
      })
      .prefault({}),
  };
}

/** What watches it. */
export function serviceShape() {
  return {
    drill: z
      .strictObject({
        schedule: optional(schedule, {
          rule: scheduleRule,
          summary: 'When a restore is rehearsed; absent: never.',
        }),
        topics: defaulted(list(topicGlob), {
          rule: topicsRule,
          summary: 'The topics to rehearse with.',
          fallback: ['*'],
        }),
        maxBytes: defaulted(size({ bytesMin: 1, bytesMax }), {
          rule: 'a size, such as 1GiB',
          summary: 'How much a rehearsal restores at most.',
          fallback: '1GiB',
        }),
      })
      .prefault({}),
    observe: z
      .strictObject({
        host: defaulted(text, {
          rule: 'a host name or address',
          summary: 'Where metrics, health and the page are served.',
          fallback: '127.0.0.1',
        }),
        port: defaulted(count({ min: 0, max: 65_535 }), {
          rule: 'a port from 0 to 65535',
          summary: 'The port for them; 0 takes a free one.',
          fallback: '8080',
        }),
        page: defaulted(flag, { rule: flagRule, summary: 'Serve the page for people.', fallback: 'true' }),
        logLevel: defaulted(oneOf(logLevels), {
          rule: `one of ${logLevels.join(', ')}`,
          summary: `The least severe line that is logged: ${logLevels.join(', ')}.`,
          fallback: 'info',
        }),
        ping: optional(webAddress, {
          rule: 'an http or https URL',
          summary:
            'A URL to call when a cycle begins, succeeds (as it is) and fails; never shown, since it may carry a token.',
          secret: true,
        }),
      })
      .prefault({}),
  };
}
