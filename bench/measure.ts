import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

export interface Measured {
  readonly seconds: number;
  /** The largest resident size that was seen, of the process itself. */
  readonly peakMegabytes: number;
  readonly stdout: string;
}

/** Runs a command as a whole process, from its start to its end, and looks at its memory on the way. */
export async function measure(
  command: string,
  words: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Measured> {
  const began = performance.now();
  const child = spawn(command, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  let peakKilobytes = 0;
  const sample = setInterval(() => {
    const kilobytes = peakKilobytesOf(child.pid);
    if (kilobytes > peakKilobytes) peakKilobytes = kilobytes;
  }, 50);
  const [status] = await once(child, 'close');
  clearInterval(sample);
  const seconds = (performance.now() - began) / 1000;
  if (status !== 0)
    throw new Error(`${command} ${words.join(' ')} ended with ${status}: ${stderr}${stdout.slice(-500)}`);
  return { seconds, peakMegabytes: peakKilobytes / 1024, stdout };
}

function peakKilobytesOf(process: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${process}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it has ended
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
