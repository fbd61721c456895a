import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup } from './backup.ts';
import { Daemon } from './processes.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

async function fill(topic: string, count: number): Promise<string[]> {
  const java = await kafka.java();
  const records = Array.from({ length: count }, (_, index) => ({
    value: `value ${index}`,
    partition: index % 2,
  }));
  await java.produce({ topic, records, batchSize: 500 }); // several records each: a gap ends within a batch
  return java.consumeLines({ topic });
}

/** The lines without those of partition 0 from one offset up to, and without, another. */
function without(lines: readonly string[], from: number, to: number): string[] {
  const offsets = Array.from({ length: to - from }, (_, index) => `"partition":0,"offset":${from + index},`);
  return lines.filter((line) => !offsets.some((offset) => line.includes(offset)));
}

test('records deleted before they were saved are a gap: listed, ended with 3 once, and nothing else is lost', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'overtaken', partitions: 2 });
  await using backup = await Backup.of(kafka, { include: ['overtaken'] });
  await fill('overtaken', 100); // 50 in each partition
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 100 });
  const lines = await fill('overtaken', 100);
  await java.deleteRecords({ topic: 'overtaken', partition: 0, before: 73n });
  const gap = { topic: 'overtaken', partition: 0, from: '50', to: '73' };
  expect(await backup.catchUp()).toMatchObject({ status: 3, gaps: [gap], missing: [] });
  expect(await backup.lines('overtaken')).toEqual(without(lines, 50, 73));
  const listed = await backup.run('gaps', 'list', '--json');
  expect(listed.stdout).toContain('"from":"50","to":"73"');

  await fill('overtaken', 20);
  expect(await backup.catchUp()).toMatchObject({ status: 0, gaps: [], records: 20 });
});

test('records deleted before the topic was ever seen are no gap', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'late', partitions: 2 });
  await fill('late', 100);
  await java.deleteRecords({ topic: 'late', partition: 0, before: 20n });
  await using backup = await Backup.of(kafka, { include: ['late'] });
  expect(await backup.catchUp()).toMatchObject({ status: 0, gaps: [] });
  expect(await backup.expectExact('late')).toBe(80);
});

test('a daemon that is overtaken tells of the gap and goes on behind it', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'frozen', partitions: 2 });
  await using backup = await Backup.of(kafka, { include: ['frozen'] });
  await fill('frozen', 100);
  await using daemon = await Daemon.following(backup);
  await backup.catchUp();
  daemon.signal('SIGSTOP');
  // What it had asked for is answered with this, which is enough for an answer, and it asks for no more.
  await java.produce({ topic: 'frozen', records: [{ value: 'x'.repeat(500_000), partition: 1 }] });
  const lines = await fill('frozen', 100);
  await java.deleteRecords({ topic: 'frozen', partition: 0, before: 80n });
  daemon.signal('SIGCONT');
  // Of what was deleted it may have got some: that answer.
  const { from, level } = await daemon.logged('gap', {
    where: ({ topic, to }) => topic === 'frozen' && to === '80',
  });
  expect(level).toBe('error');
  expect(Number(from)).toBeGreaterThanOrEqual(50);
  await backup.catchUp();
  expect(await backup.lines('frozen')).toEqual(without(lines, Number(from), 80));
});
