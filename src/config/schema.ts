import { resolve } from 'node:path';
import { z } from 'zod';
import { defaulted, optional } from './keys.ts';
import { matching, text, Wrong, type Parse } from './scalars.ts';
import { nameRule, textRule } from './rule-texts.ts';
import { clusterShape } from './schema-cluster.ts';
import { serviceShape, sourceShape } from './schema-daemon.ts';
import { repositoryShape, retentionShape } from './schema-repository.ts';

const name = matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const instance: Parse<string> = (value) =>
  value === 'keys' || value === 'varve.json' ? new Wrong() : name(value);

/** The whole configuration. Relative paths are resolved against `cwd`. */
export function configSchema(cwd: string) {
  const path: Parse<string> = (value) => {
    const word = text(value);
    return word instanceof Wrong ? word : resolve(cwd, word);
  };
  const cluster = clusterShape(path);
  return z.strictObject({
    name: defaulted(name, {
      rule: nameRule,
      summary: 'What this installation is called; two on one cluster need different names.',
      fallback: 'varve',
    }),
    instance: defaulted(instance, {
      rule: `${nameRule}; not "keys" or "varve.json"`,
      summary: "This daemon's folder in the repository.",
      fallback: 'main',
    }),
    kafka: z
      .strictObject({
        ...cluster,
        groupId: optional(text, {
          rule: textRule,
          summary: 'The group that positions are committed to.',
          defaultText: 'varve-(name)',
        }),
      })
      .prefault({}),
    targets: z
      .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/), z.strictObject(cluster))
      .prefault({}),
    ...sourceShape(path),
    ...repositoryShape(path),
    ...retentionShape(),
    ...serviceShape(),
  });
}

export type ParsedConfig = z.output<ReturnType<typeof configSchema>>;
