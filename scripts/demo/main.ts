/**
 * What works so far, on a real Kafka: starts one, fills a small shop, backs it up with the command line, publishes a
 * sealed snapshot, deletes a topic and the local disk, restores it, and compares every record with what Kafka's own
 * Java client reads, and the files with the broker's own.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startKafka, type Kafka } from '../kafka/kafka.ts';
import { fillShop } from './shop.ts';
import { varve, type CommandEnd } from './varve.ts';

const began = performance.now();
const folder = await mkdtemp(join(tmpdir(), 'varve-demo-'));
try {
  say('starting a real Kafka (its jars come from Maven the first time)');
  await using kafka = await startKafka();
  const java = await kafka.java();
  say(`Kafka ${kafka.version} answers at ${kafka.bootstrap}`);
  const shop = await fillShop(java, Date.now());
  say(
    `produced ${shop.records} records: headers with nulls, tombstones, three months, transactions (one aborted)`,
  );
  await writeFile(
    join(folder, 'varve.yaml'),
    `kafka:\n  brokers: [${kafka.bootstrap}]\nlocal:\n  dir: ${join(folder, 'local')}\n  minFree: 64MiB\n` +
      `repository:\n  dir: ${join(folder, 'repository')}\n  keyFile: ${join(folder, 'key')}\n`,
  );
  await run(['key', 'generate', join(folder, 'key')]);
  await run(['init']);
  await run(['backup']);
  for (const topic of shop.topics) await compareRecords(topic, await recordsOf(kafka, topic));
  await compareFiles(kafka);
  const orders = await recordsOf(kafka, 'orders');
  say('the topic orders is deleted, and the local disk is lost');
  await java.deleteTopic('orders');
  await rm(join(folder, 'local'), { recursive: true });
  await run(['verify', '--deep']);
  await sumsOfNewest();
  await compareRecords('orders', orders, '--snapshot', 'latest');
  await run(['restore', '--topic', 'orders', '--yes']);
  if (digest(await recordsOf(kafka, 'orders')) !== digest(orders))
    throw new Error('orders: the Java consumer reads something else than before');
  say('orders is back: the Java consumer reads the very same records, offsets included');
  say(`all equal, in ${Math.round((performance.now() - began) / 1000)} s`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function run(words: readonly string[]): Promise<CommandEnd> {
  say(`$ varve ${words.join(' ')}`);
  const end = await varve(words, { cwd: folder, show: true });
  if (end.status !== 0) throw new Error(`varve ${words.join(' ')} ended with ${end.status}`);
  console.log(end.stdout.trimEnd());
  return end;
}

/** As Kafka's own Java client reads them. */
async function recordsOf(kafka: Kafka, topic: string): Promise<string> {
  const java = await kafka.java();
  const lines = await java.consumeLines({ topic, isolation: 'read_committed' });
  return lines.map((line) => `${line}\n`).join('');
}

/** What a storage administrator can do without any key. */
async function sumsOfNewest(): Promise<void> {
  const newest = join(folder, 'repository', 'main', 'daily.0');
  await promisify(execFile)('sha256sum', ['-c', '--strict', '--quiet', 'SHA256SUMS'], { cwd: newest });
  say('$ sha256sum -c SHA256SUMS: every file is what was sealed, and nobody could read it');
}

async function compareRecords(topic: string, expected: string, ...words: string[]): Promise<void> {
  const line = ['cat', '--topic', topic, ...words, '--json'];
  const { status, stdout, stderr } = await varve(line, { cwd: folder });
  if (status !== 0) throw new Error(`varve cat ended with ${status}: ${stderr}`);
  if (digest(expected) !== digest(stdout))
    throw new Error(`${topic}: varve cat and the Java consumer differ`);
  say(`$ varve ${line.join(' ')}: ${expected.split('\n').length - 1} records, equal to the Java consumer's`);
}

/** A topic without transactions and compaction: the segments, one behind the other, are the broker's own log. */
async function compareFiles(kafka: Kafka): Promise<void> {
  const broker = kafka.brokers[0];
  if (broker === undefined) return;
  for (const partition of [0, 1, 2, 3]) {
    const theirs = await concatenated(join(broker.logDir, `orders-${partition}`));
    const ours = await concatenated(join(folder, 'local', 'topics', 'orders'), `/${partition}/`);
    if (!theirs.equals(ours)) throw new Error(`orders/${partition}: the files differ from the broker's`);
  }
  say("cmp: the segments of orders are the broker's own log, byte for byte");
}

async function concatenated(root: string, within = ''): Promise<Buffer> {
  const files = (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.name.endsWith('.log'))
    .map((entry) => ({ name: entry.name, path: join(entry.parentPath, entry.name) }))
    .filter(({ path }) => path.includes(within))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return Buffer.concat(await Promise.all(files.map(({ path }) => readFile(path))));
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function say(text: string): void {
  console.log(`demo: ${text}`);
}
