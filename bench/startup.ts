import { fileURLToPath } from 'node:url';
import { measure, median } from './measure.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** How long a person waits for the command line to answer at all, from a warm cache. */
export async function bench(words: readonly string[]): Promise<void> {
  const runs = Number(words[0] ?? 9);
  const cases = [
    { what: 'npx varve --help', command: 'npx', words: ['varve', '--help'], atMostMs: 550 },
    { what: 'node src/main.ts --help', command: process.execPath, words: [main, '--help'], atMostMs: 200 },
  ];
  for (const { what, command, words: given, atMostMs } of cases) {
    const seconds: number[] = [];
    for (let run = 0; run <= runs; run += 1) {
      const measured = await measure(command, given, { cwd: checkout });
      if (run > 0) seconds.push(measured.seconds);
    }
    console.log(JSON.stringify({ what, medianMs: Math.round(median(seconds) * 1000), atMostMs, runs }));
  }
}
