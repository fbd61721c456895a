import type { OptionSpec } from './command.ts';

/** Options that every command takes. */
export const globalOptions: Readonly<Record<string, OptionSpec>> = {
  config: {
    type: 'string',
    value: 'FILE',
    summary: 'Configuration file (else VARVE_CONFIG, ./varve.yaml, /etc/varve/varve.yaml)',
  },
  set: {
    type: 'repeated',
    value: 'KEY=VALUE',
    summary: 'Set one key of the configuration, above file and environment; repeatable',
  },
  'log-level': { type: 'string', value: 'LEVEL', summary: 'The same as --set observe.logLevel=LEVEL' },
  json: { type: 'flag', summary: 'Print JSON, errors too' },
  help: { type: 'flag', alias: 'h', summary: 'Show this help' },
  version: { type: 'flag', alias: 'V', summary: 'Show the version' },
};
