import type { CommandEnd } from '../../scripts/demo/varve.ts';
import { runCli, type Surroundings } from '../../src/cli/cli.ts';
import { systemHost } from '../../src/host/host.ts';
import { problemsPrinted } from '../docs/schemas.ts';
import { surroundings } from './surroundings.ts';

/**
 * Runs a command line in this process, in a folder of the real disk: what it says and does is what a process of its own
 * says and does, for a tenth of what starting one costs. Signals, pipes and crashes need the process. Whatever it prints
 * for programs is held against docs/schema.
 */
export async function varveHere(
  words: readonly string[],
  options: { cwd: string; changes?: Partial<Surroundings> },
): Promise<CommandEnd> {
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
      ...options.changes,
    },
  );
  const status = await runCli(words, given);
  const end = { status, stdout: Buffer.concat(stdout).toString('utf8'), stderr };
  const isRecords = words[0] === 'cat';
  const problems = words.includes('--json') && !isRecords ? problemsPrinted(end.stdout, words.join(' ')) : [];
  if (problems.length > 0) throw new Error(`not what docs/schema says:\n${problems.join('\n')}`);
  return end;
}
