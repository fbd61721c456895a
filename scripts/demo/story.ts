import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DemoCluster } from './cluster.ts';
import { expectSame, filesAreTheBrokers, restoredFrom, rowsOf } from './compare.ts';
import { startDaemon } from './daemon.ts';
import { fillShop, sellMore, shopTopics } from './shop.ts';
import type { Teller } from './telling.ts';
import { varve } from './varve.ts';

const day = 86_400_000;

interface Scene {
  readonly cluster: DemoCluster;
  readonly folder: string;
  readonly teller: Teller;
  readonly stop: AbortSignal;
  /** Keep the page up until told to stop. */
  readonly stay: boolean;
}

/** Fills a shop, backs it up twice, loses a topic, restores it from a time, then does without the local disk. */
export async function tellStory(scene: Scene): Promise<void> {
  const { cluster, folder, teller } = scene;
  const { java, prefix } = cluster;
  const records = await teller.waitFor('producing', fillShop(java, prefix, Date.now()));
  teller.say(`${records} records: headers with nulls, tombstones, three months, transactions (one aborted)`);

  teller.chapter('a key, a repository, the first cycle');
  await configure(scene);
  await run(scene, 'key', 'generate', 'key');
  await run(scene, 'init');
  await run(scene, 'backup');

  teller.chapter('a daemon follows, and the second cycle costs what is new');
  await using daemon = await startDaemon(folder);
  teller.say(`$ varve run: its page for people: ${daemon.address}`);
  teller.say(await pageAnswers(daemon.address));
  teller.say(`${await sellMore(java, prefix, Date.now())} more orders come in`);
  await run(scene, 'backup');
  await run(scene, 'info');
  for (const topic of shopTopics) await compareCat(scene, topic);
  if (cluster.logDir !== undefined) {
    await filesAreTheBrokers(cluster.logDir, join(folder, 'local', 'topics', 'orders'));
    teller.say("cmp: the segments of orders are the broker's own log, byte for byte");
  }

  teller.chapter('the topic orders is lost, and comes back from a month ago on');
  const before = await rowsOf(cluster, 'orders');
  await restoreOrders(scene, before);

  teller.chapter('what is on the target is sealed, whole, and enough');
  await run(scene, 'verify', '--deep');
  const newest = join(folder, 'repository', 'main', 'daily.0');
  await promisify(execFile)('sha256sum', ['-c', '--strict', '--quiet', 'SHA256SUMS'], { cwd: newest });
  teller.say('$ sha256sum -c SHA256SUMS: every file is what was sealed, and nobody could read it');
  if (scene.stay) {
    teller.say(`look at ${daemon.address} and at ${folder}; Ctrl-C ends this and cleans up`);
    if (!scene.stop.aborted) await once(scene.stop, 'abort');
  }
  const status = await daemon.stop();
  if (status !== 0) throw new Error(`varve run ended with ${status} when it was told to stop`);
  await rm(join(folder, 'local'), { recursive: true });
  teller.say('the daemon is stopped, and the local disk is lost');
  expectSame('orders', before, await cat(scene, 'orders', '--snapshot', 'latest'));
  teller.say(
    `$ varve cat --topic ${prefix}orders --snapshot latest: all ${before.length}, equal to what the Java consumer read`,
  );
  teller.chapter(`all equal, in ${teller.seconds} s`);
}

/** The page is fetched as a browser fetches it; what it says first is shown. */
async function pageAnswers(address: string): Promise<string> {
  const beganMs = performance.now();
  const answer = await fetch(address);
  const title = /<title>([^<]+)<\/title>/.exec(await answer.text())?.[1];
  if (answer.status !== 200 || title === undefined)
    throw new Error(`the page at ${address} answered ${answer.status}, without a title`);
  return `it answers in ${Math.round(performance.now() - beganMs)} ms: "${title}"`;
}

async function configure({ cluster, folder }: Scene): Promise<void> {
  const config = [
    `name: ${cluster.prefix}demo`,
    'kafka:',
    `  brokers: [${cluster.bootstrap}]`,
    `topics: { include: ['${cluster.prefix}*'] }`,
    'local: { dir: local, minFree: 64MiB }',
    'repository: { dir: repository, keyFile: key }',
    'observe: { port: 0 }',
  ];
  await writeFile(join(folder, 'varve.yaml'), `${config.join('\n')}\n`);
}

/** Gone with its offsets, as by a mistake; restored from a month ago on, and held against what was there. */
async function restoreOrders(scene: Scene, before: readonly string[]): Promise<void> {
  const { cluster, teller } = scene;
  const topic = `${cluster.prefix}orders`;
  const group = `${cluster.prefix}shipping`;
  const committed = await cluster.java.listGroupOffsets(group);
  const fromMs = Date.now() - 30 * day;
  const from = new Date(fromMs).toISOString();
  await cluster.java.deleteTopic(topic);
  teller.say(`the topic ${topic} is deleted, and the offsets of its groups with it`);
  await run(scene, 'restore', '--topic', topic, '--from-time', from, '--yes');
  const expected = restoredFrom(before, fromMs);
  expectSame('orders', expected.lines, await rowsOf(cluster, 'orders'));
  teller.say(`the Java consumer reads the ${expected.lines.length} records of the last month, and no other`);
  const after = await cluster.java.listGroupOffsets(group);
  for (const { partition, offset } of committed) {
    const wanted = expected.below(partition, offset);
    const got = after.find((row) => row.topic === topic && row.partition === partition)?.offset;
    if (got !== wanted) throw new Error(`${group} on ${topic}/${partition}: expected ${wanted}, got ${got}`);
  }
  teller.say(`the group ${group} stands at the very same records as before`);
}

async function compareCat(scene: Scene, name: string): Promise<void> {
  const expected = await rowsOf(scene.cluster, name);
  expectSame(name, expected, await cat(scene, name));
  scene.teller.say(
    `$ varve cat --topic ${scene.cluster.prefix}${name} --json: ${expected.length} records, equal to the Java consumer's`,
  );
}

async function cat(scene: Scene, name: string, ...more: readonly string[]): Promise<string[]> {
  const words = ['cat', '--topic', `${scene.cluster.prefix}${name}`, ...more, '--json'];
  const { status, stdout, stderr } = await varve(words, { cwd: scene.folder, signal: scene.stop });
  if (status !== 0) throw new Error(`varve cat ended with ${status}: ${stderr}`);
  return stdout.split('\n').slice(0, -1);
}

async function run({ folder, teller, stop }: Scene, ...words: readonly string[]): Promise<void> {
  teller.say(`$ varve ${words.join(' ')}`);
  const work = varve(words, { cwd: folder, show: true, signal: stop });
  const end = await teller.waitFor(`varve ${words[0] ?? ''}`, work);
  if (end.status !== 0) throw new Error(`varve ${words.join(' ')} ended with ${end.status}`);
  console.log(end.stdout.trimEnd());
}
