import { readdir, readFile, readlink } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { Daemon, until } from '../sink/processes.ts';
import { placeFor } from './place.ts';
import { expectSame, givenRecords, Running } from './process.ts';

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(() => kafka.stop());

test('a daemon is asked to save what is committed now: a restore waits for it, and has the newest records', async () => {
  const topic = 'cut';
  await givenRecords(java, { topic, partitions: 2, count: 200 });
  await using place = await placeFor(kafka, { name: topic, include: [topic] });
  await using daemon = await Daemon.following(place);
  expect(await place.json('backup', '--no-snapshot')).toMatchObject({ status: 0 });
  // It sleeps until the restore has asked it, so that only a restore that asks it can have the newest records.
  daemon.signal('SIGSTOP');
  const ends = await endsOfSocket(daemon.pid);
  const value = 'produced just before the restore';
  await java.produce({ topic, records: [0, 1].map((partition) => ({ partition, value })) });
  const before = await java.consumeLines({ topic });
  const words = ['restore', '--topic', topic, '--to-topic', 'cut.copy', '--yes'];
  await using running = Running.start(place, ...words);
  await until(
    'the daemon is asked',
    async () => !running.isRunning || (await endsOfSocket(daemon.pid)) > ends,
  );
  daemon.signal('SIGCONT');
  expect(await running.ended()).toMatchObject({ status: 0, stdout: expect.stringContaining('RESTORED') });
  await expectSame(
    java,
    'cut.copy',
    before.map((line) => line.replace('"topic":"cut"', '"topic":"cut.copy"')),
  );
});

test('after --recreate the daemon follows the new topic as a second incarnation, by itself', async () => {
  const topic = 'followed';
  const before = await givenRecords(java, { topic, partitions: 2, count: 200 });
  await using place = await placeFor(kafka, { name: topic, include: [topic] });
  await using daemon = await Daemon.following(place);
  const first = await java.describeTopic(topic);
  const end = await place.run('restore', '--topic', topic, '--recreate', '--yes');
  expect(end).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  const second = await java.describeTopic(topic);
  expect(second.topicId).not.toBe(first.topicId);
  await expectSame(java, topic, before);
  await daemon.logged('topic-gone', { where: ({ topicId }) => topicId === first.topicId });
  await java.produce({ topic, records: [{ partition: 1, value: 'of the second life' }] });
  const now = await java.consumeLines({ topic });
  const linesOf = async (topicId: string): Promise<string[]> => {
    const { stdout } = await place.run('cat', '--topic', topic, `--incarnation=${topicId}`, '--json');
    return stdout.split('\n').slice(0, -1);
  };
  await until('the daemon has the record of the second life', async () => {
    return (await linesOf(second.topicId)).length === now.length;
  });
  expect(await linesOf(second.topicId)).toEqual(now);
  expect(await linesOf(first.topicId)).toEqual(before);
});

/** How many ends of the socket that a process listens on there are: its own, and one for each that has connected. */
async function endsOfSocket(pid: number): Promise<number> {
  const rows = (await readFile('/proc/net/unix', 'utf8')).split('\n').map((line) => line.split(/\s+/));
  const links = (await readdir(`/proc/${pid}/fd`)).map(async (name) =>
    readlink(`/proc/${pid}/fd/${name}`).catch(() => ''),
  );
  const open = new Set(await Promise.all(links));
  const own = rows.find(([, , , , , , inode, path]) => path !== undefined && open.has(`socket:[${inode}]`));
  if (own === undefined) throw new Error(`process ${pid} listens on no socket`);
  return rows.filter((row) => row[7] === own[7]).length;
}
