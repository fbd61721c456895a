import { loadConfig, type LoadConfigOptions, type LoadedConfig } from '../../src/config/config.ts';
import { VarveError } from '../../src/errors.ts';

export interface Given extends LoadConfigOptions {
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Loads from files and an environment that exist only here; the current directory is /here. */
export async function loadGiven({ files = {}, env = {}, ...options }: Given): Promise<LoadedConfig> {
  return loadConfig(options, { env, cwd: '/here', readText: async (path) => files[path] });
}

/** The lines of the error: one for each problem. */
export async function problemsOf(given: Given): Promise<string[]> {
  try {
    await loadGiven(given);
  } catch (error) {
    if (!(error instanceof VarveError) || error.exitStatus !== 2) throw error;
    const [first = '', ...more] = error.message.split('\n');
    return more.length > 0 ? more : [first.replace('the configuration is wrong: ', '')];
  }
  return [];
}
