import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const demo = fileURLToPath(new URL('../../scripts/demo/main.ts', import.meta.url));

/** Runs the demo to its end; interrupted once what it says matches. */
export async function demoEnd(
  o: { env?: Record<string, string>; words?: string[]; until?: RegExp } = {},
): Promise<{ status: number; said: string }> {
  const child = spawn(process.execPath, [demo, ...(o.words ?? [])], {
    env: { ...process.env, ...o.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let isTold = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (isTold || o.until?.test(said) !== true) return;
      isTold = true;
      child.kill('SIGINT');
    });
  }
  const [status] = await once(child, 'close');
  return { status: Number(status), said };
}
