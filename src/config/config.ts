/**
 * File, environment and flags in; one frozen Config out.
 *
 * It promises: every problem is named at once, each with its path, its rule, its value and where that came from; a
 * key that is not known is refused with the nearest one that is; nothing is defaulted silently that was misspelt.
 * It never reads a secret's file, never shows a secret, and never touches the disk but through `readText`.
 */
import { VarveError } from '../errors.ts';
import type { ConfigKey } from './reference.ts';
import type { Config, ConfigPorts, LoadConfigOptions, LoadedConfig } from './types.ts';

export { nearest } from './nearest.ts';
export { originText } from './problem.ts';
export { bytesIn } from './scalars.ts';
export { matchesGlob, matchesTopic } from './topics.ts';
export { Secret } from './types.ts';
export { valuesOf } from './values.ts';
export type {
  ArchiveKeep,
  Config,
  ConfigPorts,
  KafkaConfig,
  LoadConfigOptions,
  LoadedConfig,
  LocalConfig,
  LogLevel,
  Need,
  ObserveConfig,
  Origin,
  Override,
  RepositoryConfig,
  RetainConfig,
  SaslConfig,
  SaslMechanism,
  TopicsConfig,
} from './types.ts';

/** Throws a VarveError `config` that lists all problems. The parsers are loaded on the first call, not with the room. */
export async function loadConfig(options: LoadConfigOptions, ports: ConfigPorts): Promise<LoadedConfig> {
  const { load } = await import('./load.ts');
  return load(options, ports);
}

/** For the reference table. */
export async function configKeys(): Promise<ConfigKey[]> {
  const { reference } = await import('./reference.ts');
  return reference();
}

/** For commands that listed `local.dir` among their needs. */
export function localFolderOf(config: Config): string {
  return present(config.local.dir, 'local.dir');
}

/** For commands that listed `repository` among their needs. */
export function repositoryFolderOf(config: Config): string {
  return present(config.repository.dir, 'repository.dir');
}

function present(value: string | undefined, path: string): string {
  if (value !== undefined) return value;
  throw new VarveError('config', `${path}: required here, but not set`, {
    hint: `Set ${path} in the configuration file or through the environment.`,
  });
}
