/** Runs one program to its end. Its output is collected whole, so it suits tools that print little. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export type CommandResult = { readonly status: number; readonly stdout: string; readonly stderr: string };

export async function runCommand(
  program: string,
  args: readonly string[],
  options: { readonly input?: string; readonly cwd?: string } = {},
): Promise<CommandResult> {
  const child = spawn(program, args, { stdio: 'pipe', cwd: options.cwd });
  const closed = once(child, 'close');
  // A tool that ends without reading its input is no failure of ours; its status says what happened.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { status: child.exitCode ?? 128, stdout, stderr };
}

/** As `runCommand`, for a step that must succeed: a missing program and a failure are one clear line each. */
export async function mustRun(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly neededFor: string },
): Promise<CommandResult> {
  let result: CommandResult;
  try {
    result = await runCommand(program, args, options);
  } catch (cause) {
    throw new Error(`${program} is not on the PATH: it is needed to ${options.neededFor}`, { cause });
  }
  if (result.status !== 0) {
    const said = `${result.stdout}\n${result.stderr}`.trim();
    throw new Error(`cannot ${options.neededFor}: ${program} ended with ${result.status}:\n${said}`);
  }
  return result;
}
