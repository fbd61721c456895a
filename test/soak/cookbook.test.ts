import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JavaError, startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from '../restore/place.ts';
import { readTree } from '../tidy/tree.ts';
import { commandLinesOf, wordsOf } from '../docs/shown.ts';

const topics = ['orders', 'customers', 'tmp.x'];
let kafka: Kafka;
let java: JavaClient;
let place: Place;
/** What stands in the pages for something that is another in each cluster. */
let meant: Map<string, string>;

beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
  place = await placeFor(kafka, {
    name: 'varve',
    include: ['orders', 'customers', 'tmp.*'],
    more: { targets: { dr: { brokers: [kafka.bootstrap] } } },
  });
  await writeFile(join(place.folder, 'dr.yaml'), 'clientId: dr\n');
  for (const topic of topics) await java.createTopic({ topic, partitions: 4 });
  const startMs = Date.parse('2026-11-01T06:00:00Z');
  for (const topic of topics) {
    const records = Array.from({ length: 40 }, (_, index) => ({
      partition: index % 4,
      key: `customer-${index}`,
      value: `${topic} ${index}`,
      timestamp: startMs + index * 600_000,
    }));
    await java.produce({ topic, records });
  }
  for (const group of ['billing', 'shipping'])
    await java.commitOffsets({ group, offsets: [{ topic: 'orders', partition: 0, offset: 5n }] });
  const { topicId } = await java.describeTopic('orders');
  meant = new Map([
    ['q1Sh-9_ISia_zwGINzRvyQ', kafka.clusterId],
    ['-Jx0Q2y6T3OZ8Uq1mRrKwA', topicId],
    ['dr-1:9092,dr-2:9092', kafka.bootstrap],
  ]);
  await backUp();
});
afterAll(async () => {
  await place?.[Symbol.asyncDispose]();
  await kafka?.stop();
});

/** Older snapshots are of other days: in their place stands the one that was taken last. */
async function backUp(): Promise<void> {
  const end = await place.run('backup');
  expect(end.status, end.stdout + end.stderr).toBe(0);
  const id = /^published (\S+):/m.exec(end.stdout)?.[1] ?? '';
  for (const older of ['daily.1', 'daily.2', 'daily.3']) meant.set(older, id);
}

async function lose(...names: string[]): Promise<void> {
  for (const name of names) {
    try {
      await java.deleteTopic(name);
    } catch (error) {
      if (!(error instanceof JavaError && error.javaClass.includes('UnknownTopic'))) throw error;
    }
  }
}

/** What has happened before the command of a page is given, other than the one above it. */
const given: Readonly<Record<string, readonly [line: RegExp, () => Promise<unknown>][]>> = {
  'README.md': [[/restore/, async () => lose('orders')]],
  'back-to-a-time.md': [
    [/--snapshot/, backUp],
    [/--from-time/, async () => lose('orders')],
  ],
  'beside-the-topic.md': [[/--map|--throttle/, async () => lose('orders.check', 'customers.check')]],
  'damaged-backup.md': [[/restore/, async () => lose('orders')]],
  'deleted-topic.md': [
    [/--dry-run/, async () => lose('orders')],
    [/--recreate/, backUp],
  ],
  'export-file.md': [[/import/, async () => lose('orders')]],
  'groups.md': [[/restore/, async () => lose('orders', 'orders.check')]],
  'more-partitions.md': [[/--to-topic orders.wide --repartition/, async () => lose('orders.wide')]],
  'interrupted.md': [[/restore /, backUp]],
  'target-hangs.md': [[/--dry-run/, async () => lose('orders')]],
  'whole-cluster.md': [
    [/restore/, async () => lose(...topics)],
    [/backup/, async () => place.run('restore', '--topic', 'tmp.*', '--yes')],
  ],
};

// That of a sink's files has a test of its own, with such files. README.md comes last: it leaves a topic lost.
const pages = [...readTree()]
  .filter(([path]) => /^docs\/restore\/(?!sink-files).*\.md$/.test(path))
  .toSorted(([one], [other]) => Number(one.endsWith('README.md')) - Number(other.endsWith('README.md')));

test.each(pages)('every command of %s does what the page says', async (path, text) => {
  const lines = commandLinesOf(text);
  expect(lines.length).toBeGreaterThan(0);
  if (!path.includes('deleted')) await backUp();
  for (const line of lines) {
    for (const [pattern, prepare] of given[path.split('/').at(-1) ?? ''] ?? [])
      if (pattern.test(line)) await prepare();
    const words = wordsOf(line)
      .slice(1)
      .map((word) => meant.get(word) ?? word);
    const isRestore = ['restore', 'import'].includes(words[0] ?? '') && !words.includes('--dry-run');
    const end = await place.run(...words, ...(isRestore ? ['--yes'] : []));
    expect(end.status, `${line}\n${end.stdout}${end.stderr}`).toBe(0);
    if (isRestore) expect(end.stdout).toMatch(/\nRESTORED \S+\n$/);
    else expect(end.stdout, line).not.toBe('');
  }
});
