/**
 * `npm run demo [-- --brokers HOST:PORT,…] [--stay]`: the whole program on a real Kafka in a minute, told step by step.
 * What it starts and makes is gone when it ends, however it ends.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { foreignCluster, ownCluster } from './cluster.ts';
import { whatIsMissing } from './needs.ts';
import { tellStory } from './story.ts';
import { Teller } from './telling.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  const stop = new AbortController();
  try {
    const { values } = parseArgs({ options: { brokers: { type: 'string' }, stay: { type: 'boolean' } } });
    const missing = await whatIsMissing();
    if (missing !== undefined) throw new Error(missing);
    await play(values, stop);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) {
      console.log('demo: stopped; everything that it made is gone');
      return 130;
    }
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

async function play(
  { brokers, stay = false }: { brokers?: string; stay?: boolean },
  stop: AbortController,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-demo-'));
  stopOnSignals(stop, folder);
  const teller = new Teller(stop.signal);
  try {
    teller.chapter(
      brokers === undefined
        ? 'a real Kafka (its jars come from Maven the first time)'
        : `a Kafka that is there: topics named demo-of-varve-* are made, and taken away in the end`,
    );
    const connecting = brokers === undefined ? ownCluster() : foreignCluster(brokers);
    await using cluster = await teller.waitFor('getting Kafka ready', connecting);
    teller.say(`${cluster.what} answers at ${cluster.bootstrap}`);
    await tellStory({ cluster, folder, teller, stop: stop.signal, stay });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The first lets the step that runs end, then cleans up; a second one, a second later, waits for nothing. */
function stopOnSignals(stop: AbortController, folder: string): void {
  let firstMs = 0;
  const told = (): void => {
    if (!stop.signal.aborted) {
      firstMs = performance.now();
      console.log('\ndemo: stopping, and cleaning up');
      stop.abort();
    } else if (performance.now() - firstMs > 1000) {
      // The brokers end with this process, and take their folder along.
      rmSync(folder, { recursive: true, force: true });
      process.exit(130);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, told);
}
