/**
 * Restoring against Kafka's own kafka-producer-perf-test (linger 10, batch 128 KiB): the same records into the same
 * broker, whole process against whole process, in turns. Ours plans, makes the topic, reads everything back and compares.
 *
 *   npm run bench -- restore [pairs]
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startKafka, type JavaClient, type Kafka } from '../scripts/kafka/kafka.ts';
import { cpuSecondsOf, measure, median, type Measured } from './measure.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const recordsAtOnce = 250_000;

const loads = [
  { topic: 'kilobyte', records: 1_000_000, size: 1024, partitions: 4, local: 1.1, sealed: 0.9 },
  { topic: 'hundred', records: 5_000_000, size: 100, partitions: 4, local: 2.0, sealed: 1.7 },
  // Batches of ten records: what many partitions look like where nobody lingers.
  { topic: 'wide', records: 1_000_000, size: 100, partitions: 256, batch: 1200, local: 1, sealed: 1 },
  // A batch for each record: a producer that sends now and then.
  { topic: 'alone', records: 200_000, size: 100, partitions: 4, batch: 1, local: 1, sealed: 1 },
  {
    topic: 'replicated',
    records: 1_000_000,
    size: 100,
    partitions: 256,
    batch: 1200,
    brokers: 3,
    local: 1,
    sealed: 1,
  },
] as const satisfies readonly Load[];

interface Load {
  readonly topic: string;
  readonly records: number;
  readonly size: number;
  readonly partitions: number;
  /** Bytes of a batch, sent as soon as it is full, by us and by the tool; without it 128 KiB and a linger of 10 ms. */
  readonly batch?: number;
  /** With three, each record is on two of them. */
  readonly brokers?: 3;
  readonly local: number;
  readonly sealed: number;
}

export async function bench(words: readonly string[]): Promise<void> {
  const pairs = Number(words[0] ?? 3);
  const only = words[1];
  const folder = await mkdtemp(join(process.env['BENCH_DIR'] ?? tmpdir(), 'varve-bench-'));
  try {
    for (const load of loads) {
      if (only !== undefined && only !== load.topic) continue;
      const { brokers = 1 } = load as Load;
      // What is deleted goes at once, and not in the middle of a later run.
      const properties = { 'log.segment.delete.delay.ms': '0' };
      await using kafka = await startKafka({ heapMb: brokers === 1 ? 1024 : 512, brokers, properties });
      await benchLoad(kafka, { load, folder, pairs });
    }
    if (only !== undefined && only !== 'parts') return;
    await using kafka = await startKafka({ heapMb: 1024 });
    await benchParts(kafka, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function benchLoad(kafka: Kafka, o: { load: Load; folder: string; pairs: number }): Promise<void> {
  const { load, folder, pairs } = o;
  const java = await kafka.java();
  await makeTopic(java, load, load.topic);
  for (let left = load.records; left > 0; left -= recordsAtOnce) {
    await java.produceLoad({
      topic: load.topic,
      records: recordsAtOnce,
      size: load.size,
      partitions: load.partitions,
      lingerMs: load.batch === undefined ? 10 : 0,
      batchSize: load.batch ?? 131072,
    });
  }
  const file = await configure(kafka, { load, folder });
  await measure(process.execPath, [main, 'init', '--config', file]);
  await measure(process.execPath, [main, 'backup', '--config', file]);
  const ratios: Record<'local' | 'sealed', number[]> = { local: [], sealed: [] };
  const peaks: number[] = [];
  const rates: Record<'local' | 'sealed' | 'tool', number[]> = { local: [], sealed: [], tool: [] };
  const megabytes = (load.records * load.size) / 1e6;
  for (let pair = 0; pair <= pairs; pair += 1) {
    const their = await runTool(kafka, { load, pair });
    rates.tool.push(megabytes / their.seconds);
    for (const source of ['local', 'sealed'] as const) {
      const our = await runVarve(kafka, { load, file, source, pair });
      if (pair === 0) continue;
      ratios[source].push(their.seconds / our.seconds);
      rates[source].push(megabytes / our.seconds);
      peaks.push(our.peakMegabytes);
    }
  }
  const row = {
    load: `${load.records} records of ${load.size} bytes in ${load.partitions} partitions${load.brokers === 3 ? ', on two of three brokers' : ''}`,
    local: { ratio: round(median(ratios.local)), ratios: ratios.local.map(round), atLeast: load.local },
    sealed: { ratio: round(median(ratios.sealed)), ratios: ratios.sealed.map(round), atLeast: load.sealed },
    megabytesPerSecond: {
      local: Math.round(median(rates.local)),
      sealed: Math.round(median(rates.sealed)),
      producerPerfTest: Math.round(median(rates.tool)),
    },
    residentMegabytes: Math.round(Math.max(...peaks)),
    residentMegabytesAtMost: 256,
  };
  console.log(JSON.stringify(row, undefined, 2));
}

/** What must be encoded anew, and an hour of a long time, the last one and one in the middle: none has a peer. */
async function benchParts(kafka: Kafka, folder: string): Promise<void> {
  const java = await kafka.java();
  const load: Load = { topic: 'parts', records: 2_000_000, size: 100, partitions: 4, local: 0, sealed: 0 };
  const configs = { 'message.timestamp.type': 'LogAppendTime' };
  await java.createTopic({ topic: load.topic, partitions: 4, configs });
  const begins: number[] = [];
  for (let left = load.records; left > 0; left -= recordsAtOnce) {
    begins.push(Date.now());
    const options = { partitions: 4, lingerMs: 10, batchSize: 131072 };
    await java.produceLoad({ topic: load.topic, records: recordsAtOnce, size: load.size, ...options });
  }
  const file = await configure(kafka, { load, folder });
  await measure(process.execPath, [main, 'init', '--config', file]);
  await measure(process.execPath, [main, 'backup', '--config', file]);
  const anew = await runVarve(kafka, { load, file, source: 'local', pair: 0 });
  const all = await runVarve(kafka, { load, file, source: 'sealed', pair: 1 });
  const timeOf = (index: number): string => new Date(begins.at(index) ?? 0).toISOString();
  const ofLast = ['--from-time', timeOf(-1)];
  const last = await runVarve(kafka, { load, file, source: 'sealed', pair: 2, more: ofLast });
  const half = begins.length >> 1;
  const ofMiddle = ['--from-time', timeOf(half), '--to-time', timeOf(half + 1)];
  const middle = await runVarve(kafka, { load, file, source: 'sealed', pair: 3, more: ofMiddle });
  const partOf = (part: Measured): object => ({
    records: recordsOf(part),
    ofRecords: load.records,
    share: round(recordsOf(part) / load.records),
    shareOfBytesOpened: round(openedOf(part) / openedOf(all)),
    shareOfTime: round(part.seconds / all.seconds),
  });
  const row = {
    load: `${load.records} records of ${load.size} bytes with append time: every one is encoded anew`,
    encodedAnew: { recordsPerSecond: Math.round(load.records / anew.seconds), atLeast: 300_000 },
    theLastPartOfIt: partOf(last),
    aPartInTheMiddle: partOf(middle),
    residentMegabytes: Math.round(Math.max(anew.peakMegabytes, all.peakMegabytes, last.peakMegabytes)),
  };
  console.log(JSON.stringify(row, undefined, 2));
}

async function makeTopic(java: JavaClient, { partitions, brokers }: Load, topic: string): Promise<void> {
  await java.createTopic({ topic, partitions, ...(brokers === 3 && { replicationFactor: 2 }) });
}

function openedOf({ stdout }: Measured): number {
  return Number(/"openedBytes":(\d+)/.exec(stdout)?.[1] ?? 0);
}

function recordsOf({ stdout }: Measured): number {
  return Number(/"type":"summary".*?"records":(\d+)/.exec(stdout)?.[1] ?? 0);
}

async function configure(kafka: Kafka, o: { load: Load; folder: string }): Promise<string> {
  const { load, folder } = o;
  const key = join(folder, 'key');
  await writeFile(key, randomBytes(32));
  const file = join(folder, `${load.topic}.yaml`);
  const config = {
    name: `bench-${load.topic}`,
    kafka: { brokers: kafka.bootstrap.split(',') },
    topics: { include: [load.topic] },
    local: { dir: join(folder, load.topic), minFree: '1MiB' },
    repository: { dir: join(folder, `${load.topic}-repository`), keyFile: key },
  };
  await writeFile(file, JSON.stringify(config)); // JSON is YAML
  return file;
}

async function runVarve(
  kafka: Kafka,
  o: { load: Load; file: string; source: 'local' | 'sealed'; pair: number; more?: readonly string[] },
): Promise<Measured> {
  const { load, file, source, pair, more = [] } = o;
  const to = `${load.topic}-${source}-${pair}`;
  const from = source === 'local' ? ['--local-only'] : ['--snapshot', 'latest'];
  const words = [
    'restore',
    '--topic',
    load.topic,
    '--to-topic',
    to,
    ...from,
    ...more,
    '--yes',
    '--json',
    '--config',
    file,
  ];
  await settled(kafka);
  const measured = await measure(process.execPath, [main, ...words]);
  await (await kafka.java()).deleteTopic(to);
  return measured;
}

async function runTool(kafka: Kafka, o: { load: Load; pair: number }): Promise<Measured> {
  const { load, pair } = o;
  const topic = `${load.topic}-tool-${pair}`;
  const java = await kafka.java();
  await makeTopic(java, load, topic);
  const words = ['-Xmx512m', '-cp', kafka.libs, 'org.apache.kafka.tools.ProducerPerformance'];
  await settled(kafka);
  const options = [
    '--topic',
    topic,
    '--num-records',
    String(load.records),
    '--record-size',
    String(load.size),
  ];
  const measured = await measure('java', [
    ...words,
    ...options,
    '--throughput',
    '-1',
    '--producer-props',
    `bootstrap.servers=${kafka.bootstrap}`,
    `linger.ms=${load.batch === undefined ? 10 : 0}`,
    `batch.size=${load.batch ?? 131072}`,
  ]);
  await java.deleteTopic(topic);
  return measured;
}

const quietMs = 500;
const quietCpuSeconds = 0.05;

/** The brokers have done what they were asked before: to make and to delete hundreds of partitions takes them seconds. */
async function settled({ brokers }: Kafka): Promise<void> {
  const spent = (): number => brokers.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0);
  for (let before = spent(), quiet = 0; quiet < 2;) {
    await new Promise((resolve) => setTimeout(resolve, quietMs));
    const now = spent();
    quiet = now - before < quietCpuSeconds * brokers.length ? quiet + 1 : 0;
    before = now;
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
