/**
 * The sink against Kafka's own kafka-consumer-perf-test: the same topic on the same broker, whole process against whole
 * process, in turns. Ours checks every CRC, writes and fsyncs; the tool writes nothing.
 *
 *   npm run bench -- sink [pairs]
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startKafka, type Kafka } from '../scripts/kafka/kafka.ts';
import { measure, median, type Measured } from './measure.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const recordsAtOnce = 250_000;

const loads = [
  { topic: 'kilobyte', records: 1_000_000, size: 1024, atLeast: 1.0 },
  { topic: 'hundred', records: 5_000_000, size: 100, atLeast: 1.2 },
] as const;

export async function bench(words: readonly string[]): Promise<void> {
  const pairs = Number(words[0] ?? 5);
  const folder = await mkdtemp(join(process.env['BENCH_DIR'] ?? tmpdir(), 'varve-bench-'));
  try {
    await using kafka = await startKafka({ heapMb: 1024 });
    for (const load of loads) await benchLoad(kafka, { load, folder, pairs });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function benchLoad(
  kafka: Kafka,
  o: { load: (typeof loads)[number]; folder: string; pairs: number },
): Promise<void> {
  const { load, folder, pairs } = o;
  const java = await kafka.java();
  await java.createTopic({ topic: load.topic, partitions: 4 });
  for (let left = load.records; left > 0; left -= recordsAtOnce) {
    await java.produceLoad({
      topic: load.topic,
      records: recordsAtOnce,
      size: load.size,
      partitions: 4,
      lingerMs: 5,
    });
  }
  const ratios: number[] = [];
  const ours: Measured[] = [];
  const theirs: Measured[] = [];
  for (let pair = 0; pair <= pairs; pair += 1) {
    const our = await runVarve(kafka, { topic: load.topic, folder, pair });
    const their = await runTool(kafka, load);
    if (pair === 0) continue; // warm the page cache for both
    ours.push(our);
    theirs.push(their);
    ratios.push(their.seconds / our.seconds);
  }
  const megabytes = (load.records * load.size) / 1e6;
  const oursSeconds = median(ours.map(({ seconds }) => seconds));
  const theirSeconds = median(theirs.map(({ seconds }) => seconds));
  const row = {
    load: `${load.records} records of ${load.size} bytes in 4 partitions`,
    ratio: round(median(ratios)),
    ratios: ratios.map(round),
    atLeast: load.atLeast,
    varve: { seconds: round(oursSeconds), megabytesPerSecond: Math.round(megabytes / oursSeconds) },
    consumerPerfTest: {
      seconds: round(theirSeconds),
      megabytesPerSecond: Math.round(megabytes / theirSeconds),
    },
    residentMegabytes: Math.round(Math.max(...ours.map(({ peakMegabytes }) => peakMegabytes))),
    residentMegabytesAtMost: 256,
  };
  console.log(JSON.stringify(row, undefined, 2));
}

async function runVarve(kafka: Kafka, o: { topic: string; folder: string; pair: number }): Promise<Measured> {
  const { topic, folder, pair } = o;
  const local = join(folder, `${topic}-${pair}`);
  const file = join(folder, `${topic}-${pair}.yaml`);
  await writeFile(
    file,
    `name: bench-${topic}-${pair}\nkafka:\n  brokers: [${kafka.bootstrap}]\ntopics:\n  include: [${topic}]\nlocal:\n  dir: ${local}\n`,
  );
  const measured = await measure(process.execPath, [
    main,
    'backup',
    '--no-snapshot',
    '--json',
    '--config',
    file,
  ]);
  await rm(local, { recursive: true, force: true });
  return measured;
}

async function runTool(kafka: Kafka, load: (typeof loads)[number]): Promise<Measured> {
  const words = ['-Xmx512m', '-cp', kafka.libs, 'org.apache.kafka.tools.ConsumerPerformance'];
  const options = ['--bootstrap-server', kafka.bootstrap, '--topic', load.topic, '--timeout', '60000'];
  return await measure('java', [...words, ...options, '--num-records', String(load.records)]);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
