import { originText, valuesOf, type LoadedConfig } from '../config/config.ts';
import type { Command } from './command.ts';

export const configPrint: Command = {
  name: 'config print',
  summary: 'Show every value and where it comes from',
  description:
    'With --json sizes are bytes and durations milliseconds. Secrets are never shown. ' +
    'What is required and not set is not an error here: see config validate.',
  examples: [
    ['varve config print', 'every value, with file and line, variable or flag'],
    ['varve config print --json', 'the same for programs'],
    ['varve config print --set local.segmentBytes=64MiB', 'what would be, with one key changed'],
  ],
  async run({ json, loadedConfig, out, table, err }) {
    const loaded = await loadedConfig([]);
    if (json) {
      await out(JSON.stringify(documentOf(loaded)));
      return 0;
    }
    err(loaded.file === undefined ? 'no configuration file' : `configuration file ${loaded.file}`);
    await table(
      rowsOf(loaded).map(({ path, value, origin }) => [path, textOf(path, value), originText(origin)]),
    );
    return 0;
  },
};

export const configValidate: Command = {
  name: 'config validate',
  summary: 'Check the configuration and name every problem',
  description: 'Everything is checked that needs no broker and no disk, and what is required must be set.',
  examples: [
    ['varve config validate', 'of ./varve.yaml'],
    ['varve config validate --config config/varve.yaml', 'of a file'],
  ],
  needs: ['kafka.brokers', 'local.dir', 'repository'],
  async run({ json, loadedConfig, out }) {
    const { file } = await loadedConfig();
    if (json) await out(JSON.stringify({ schema: 'varve.config-validate/1', ok: true, file: file ?? null }));
    else await out(`ok: ${file ?? 'no configuration file, only the environment and flags'}`);
    return 0;
  },
};

function rowsOf({ config, origins }: LoadedConfig) {
  return valuesOf(config).map(([path, value]) => ({
    path,
    value,
    origin: origins.get(path) ?? { kind: 'default' as const },
  }));
}

function documentOf(loaded: LoadedConfig) {
  return {
    schema: 'varve.config/1',
    file: loaded.file ?? null,
    values: rowsOf(loaded),
  };
}

function textOf(path: string, value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : value.join(',');
  if (typeof value === 'number') return quantityText(path, value);
  if (typeof value === 'object' && value !== null && 'months' in value) return `${String(value.months)}mo`;
  return typeof value === 'string' ? value : JSON.stringify(value).replace(/^"(.*)"$/, '$1');
}

const sizes = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const;

const durations = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** In the largest unit that says it exactly, which the file would take as well. */
function quantityText(path: string, value: number): string {
  const isSize = /(?:Bytes|minFree)$/.test(path);
  const units = isSize ? sizes : /\.(?:keep|minAge|maxAge)$/.test(path) ? durations : [];
  const unit = value === 0 ? undefined : units.find(([, size]) => value % size === 0);
  return unit === undefined ? String(value) : `${value / unit[1]}${unit[0]}`;
}
