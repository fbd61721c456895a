import manifest from '../../package.json' with { type: 'json' };
import type { Command } from './command.ts';

export const command: Command = {
  name: 'version',
  summary: 'Show the versions of this program and what it runs on',
  examples: [
    ['varve version', 'one line for each'],
    ['varve version --json', 'the same for programs'],
  ],
  async run({ json, out, table }) {
    const versions = {
      varve: programVersion(),
      node: process.versions.node,
      kafkajs: manifest.dependencies.kafkajs,
    };
    if (json) await out(JSON.stringify({ schema: 'varve.version/1', ...versions }));
    else await table(Object.entries(versions));
    return 0;
  },
};

export function programVersion(): string {
  return manifest.version;
}
