import { resolve } from 'node:path';
import { loadConfig, type Config, type KafkaConfig } from '../config/config.ts';
import { VarveError } from '../errors.ts';
import type { CommandContext } from './command.ts';

/** The cluster to restore into: by name, by address, or the one that is backed up. */
export async function targetKafka(context: CommandContext, config: Config): Promise<KafkaConfig> {
  const { args } = context;
  const name = args.string('target');
  const brokers = args.list('target-brokers');
  const file = args.string('target-config');
  if (name !== undefined) {
    const known = Object.hasOwn(config.targets, name) ? config.targets[name] : undefined;
    if (known !== undefined) return known;
    const names = Object.keys(config.targets).join(', ') || 'none';
    throw new VarveError(
      'config',
      `--target: no target ${JSON.stringify(name)} in the configuration; there are ${names}`,
      {
        hint: 'add it under targets, with the same keys as kafka; or use --target-brokers',
      },
    );
  }
  if (brokers.length > 0) return await byAddress(context, { brokers, file });
  if (file !== undefined)
    throw new VarveError('usage', '--target-config: expected --target-brokers beside it', {
      hint: 'the file tells how to reach the brokers that --target-brokers names',
    });
  const { config: own } = await context.loadedConfig(['kafka.brokers']);
  return own.kafka;
}

/** The environment is that of the cluster that is backed up: it has no say here. */
async function byAddress(
  { host, cwd }: CommandContext,
  { brokers, file }: { brokers: readonly string[]; file: string | undefined },
): Promise<KafkaConfig> {
  const text = file === undefined ? undefined : await readFile(host, resolve(cwd, file));
  const overrides = [{ path: 'kafka.brokers', value: brokers.join(','), flag: '--target-brokers' }];
  const loaded = await loadConfig(
    { file: file ?? 'target', isCluster: true, overrides, needs: ['kafka.brokers'] },
    { env: {}, cwd, readText: async () => text ?? '{}' },
  );
  return loaded.config.kafka;
}

async function readFile(host: CommandContext['host'], path: string): Promise<string> {
  const bytes = await host.disk.readFile(path);
  if (bytes !== undefined) return bytes.toString('utf8');
  throw new VarveError('config', `--target-config: ${path}: no such file`, { hint: 'check the path' });
}
