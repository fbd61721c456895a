import { variableOf } from './environment.ts';
import { keysOf, type KeyInfo } from './keys.ts';
import { configSchema } from './schema.ts';

export interface ConfigKey {
  /** `archive.topics.(name).keep` */
  readonly path: string;
  readonly variable: string;
  readonly info: KeyInfo;
}

/** Every key there is, in the schema's order. */
export function reference(): ConfigKey[] {
  return keysOf(configSchema('.')).map(({ pattern, ...info }) => ({
    path: pattern.map(named).join('.'),
    variable: variableOf(pattern).replace('*', '(NAME)'),
    info,
  }));
}

function named(name: string): string {
  return name === '*' ? '(name)' : name;
}
