import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

export interface Measured {
  readonly seconds: number;
  /** The largest resident size that was seen, of the process itself. */
  readonly peakMegabytes: number;
  /** The same of the processes that it started. */
  readonly childPeakMegabytes: number;
  /** Of the process itself, in user and system mode, up to a twentieth of a second before its end. */
  readonly cpuSeconds: number;
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
  let childPeakKilobytes = 0;
  let cpuSeconds = 0;
  const sample = setInterval(() => {
    peakKilobytes = Math.max(peakKilobytes, peakKilobytesOf(child.pid));
    childPeakKilobytes = Math.max(childPeakKilobytes, ...childrenOf(child.pid).map(peakKilobytesOf));
    cpuSeconds = Math.max(cpuSeconds, cpuSecondsOf(child.pid));
  }, 50);
  const [status] = await once(child, 'close');
  clearInterval(sample);
  const seconds = (performance.now() - began) / 1000;
  if (status !== 0)
    throw new Error(`${command} ${words.join(' ')} ended with ${status}: ${stderr}${stdout.slice(-500)}`);
  const peakMegabytes = peakKilobytes / 1024;
  return { seconds, peakMegabytes, childPeakMegabytes: childPeakKilobytes / 1024, cpuSeconds, stdout };
}

function peakKilobytesOf(process: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${process}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it has ended
  }
}

function childrenOf(process: number | undefined): number[] {
  try {
    return readFileSync(`/proc/${process}/task/${process}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

/** In user and system mode, since its start; 0 once it has ended. */
export function cpuSecondsOf(process: number | undefined): number {
  try {
    const [, ...fields] = readFileSync(`/proc/${process}/stat`, 'utf8').split(') ');
    const words = fields.join(') ').split(' ');
    return (Number(words[11]) + Number(words[12])) / 100; // the kernel counts in hundredths, on every Linux there is
  } catch {
    return 0;
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
