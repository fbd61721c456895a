import { z } from 'zod';
import { defaulted, optional } from './keys.ts';
import { archiveKeep, count, duration, flag, type Parse } from './scalars.ts';
import { durationRule, flagRule, pathRule } from './rule-texts.ts';

const archiveRule = 'forever, or whole months or years, such as 13mo';
const keep = { rule: archiveRule, summary: 'How long data is kept: forever, or whole months.' };

/** Where snapshots go. */
export function repositoryShape(path: Parse<string>) {
  return {
    repository: z
      .strictObject({
        dir: optional(path, {
          rule: pathRule,
          summary: 'The repository: the folder that holds the snapshots.',
        }),
        keyFile: optional(path, { rule: pathRule, summary: 'A file of 32 bytes, raw or as base64 or hex.' }),
        passphraseFile: optional(path, {
          rule: pathRule,
          summary: 'A file that holds a passphrase, instead of a key.',
        }),
        plainNames: defaulted(flag, {
          rule: flagRule,
          summary: 'Write topic names in the clear.',
          fallback: 'false',
        }),
        level: defaulted(count({ min: 1, max: 19 }), {
          rule: 'a whole number from 1 to 19',
          summary: 'How hard zstd tries.',
          fallback: '3',
        }),
      })
      .prefault({}),
  };
}

/** How long restore points and data are kept. */
export function retentionShape() {
  return {
    retain: z
      .strictObject({
        hourly: restorePoints('Hours whose newest snapshot is kept.', '0'),
        daily: restorePoints('Days whose newest snapshot is kept.', '7'),
        weekly: restorePoints('ISO weeks whose newest snapshot is kept.', '4'),
        monthly: restorePoints('Months whose newest snapshot is kept.', '12'),
        minimum: restorePoints('Never fewer snapshots than these.', '2', 1),
        minAge: defaulted(duration, {
          rule: durationRule,
          summary: 'Nothing younger expires.',
          fallback: '24h',
        }),
      })
      .prefault({}),
    archive: z
      .strictObject({
        keep: defaulted(archiveKeep, { ...keep, fallback: 'forever' }),
        topics: z
          .record(
            z.string().regex(/^[A-Za-z0-9._-]{1,249}$/),
            z.preprocess(
              (value) => (typeof value === 'string' ? { keep: value } : value),
              z.strictObject({
                keep: defaulted(archiveKeep, {
                  ...keep,
                  summary: 'The same for one topic.',
                  fallback: 'forever',
                }),
              }),
            ),
          )
          .prefault({}),
      })
      .prefault({}),
    verify: z
      .strictObject({
        maxAge: defaulted(duration, {
          rule: durationRule,
          summary: 'A snapshot counts as verified for so long after its bytes were read.',
          fallback: '35d',
        }),
      })
      .prefault({}),
  };
}

function restorePoints(what: string, fallback: string, min = 0) {
  return defaulted(count({ min, max: 100_000 }), {
    rule: `a whole number from ${min} to 100000`,
    summary: what,
    fallback,
  });
}
