import type { CommandEnd } from '../../scripts/demo/varve.ts';
import { runCli } from '../../src/cli/cli.ts';
import { systemHost } from '../../src/host/host.ts';
import { surroundings } from './surroundings.ts';

/**
 * Runs a command line in this process, in a folder of the real disk: what it says and does is what a process of its own
 * says and does, for a tenth of what starting one costs. Signals, pipes and crashes need the process.
 */
export async function varveHere(words: readonly string[], options: { cwd: string }): Promise<CommandEnd> {
  const stdout: Buffer[] = [];
  let stderr = '';
  const given = surroundings(
    {},
    {
      env: process.env,
      host: systemHost,
      cwd: options.cwd,
      stdout: async (chunk) => void stdout.push(Buffer.from(chunk)),
      stderr: (text) => {
        stderr += text;
      },
    },
  );
  const status = await runCli(words, given);
  return { status, stdout: Buffer.concat(stdout).toString('utf8'), stderr };
}
