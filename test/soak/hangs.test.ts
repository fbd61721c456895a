import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { varve } from '../../scripts/demo/varve.ts';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { commandRows } from '../../src/cli/commands.ts';
import { Daemon, until } from '../sink/processes.ts';
import { installed, type Installed } from '../target/installed.ts';
import { Gocryptfs } from './gocryptfs.ts';
import { processesIn, type Held } from './held.ts';
import { lookingWords } from './hung-commands.ts';

/** What a command may take: half a minute until a call counts as hanging, and its start on a busy machine. */
const commandMsMax = 90_000;
const commandsAtOnce = 6;
const answerMsMax = 2000;
const everySeconds = { cycle: { schedule: '*/3 * * * * *' } };

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(async () => {
  await kafka.stop();
});

async function place(name: string, more: object = {}): Promise<Installed<Gocryptfs>> {
  await java.createTopic({ topic: name, partitions: 2 });
  await java.produceLoad({ topic: name, records: 2000, size: 500 });
  return await installed(kafka, { name, target: await Gocryptfs.mount(), more });
}

/** The sink has saved and committed everything that the topic holds. */
async function allCommitted(topic: string): Promise<void> {
  const ends = new Map((await java.listOffsets(topic)).map((row) => [row.partition, row.latest]));
  await until('everything is committed', async () => {
    const rows = (await java.listGroupOffsets(`varve-${topic}`)).filter((row) => row.topic === topic);
    return rows.length === ends.size && rows.every((row) => ends.get(row.partition) === row.offset);
  });
}

/** Reads everything that was published and holds it against what was produced. */
async function allPublished({ folder }: { folder: string }, topic: string): Promise<void> {
  const words = ['cat', '--topic', topic, '--snapshot', 'latest', '--json'];
  const { stdout } = await varve(words, { cwd: folder });
  const expected = await java.consumeLines({ topic, isolation: 'read_committed' });
  expect(stdout.split('\n').slice(0, -1)).toEqual(expected);
  const verified = await varve(['verify', '--deep', '--json'], { cwd: folder });
  const summary: unknown = JSON.parse(verified.stdout.trim().split('\n').at(-1) ?? '');
  expect(summary).toMatchObject({ ok: true, records: expected.length });
}

/** What the daemon serves, while whoever asks has little patience. */
async function served(daemon: Daemon, path: string): Promise<string> {
  const { port } = await daemon.logged('listening');
  const url = `http://127.0.0.1:${String(port)}${path}`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(answerMsMax) });
  expect(answer.status).toBe(200);
  return answer.text();
}

async function childrenOf(daemon: Daemon, { folder }: { folder: string }): Promise<Held[]> {
  return (await processesIn(folder)).filter(({ pid }) => pid !== daemon.pid);
}

async function noneLeftIn(folder: string): Promise<void> {
  await until('no process is left', async () => (await processesIn(folder)).length === 0);
}

async function failed(daemon: Daemon, from: number): Promise<string> {
  const line = await daemon.logged('cycle-failed', { from });
  expect(line).toMatchObject({ code: 'target-unusable' });
  return line.msg;
}

test.for(['write', 'fsync', 'read'] as const)(
  'a %s of a cycle that hangs where no kill helps: the sink commits, metrics and page answer, no second child; SIGTERM ends with 0',
  async (call) => {
    const topic = `hangs-in-${call}`;
    await using at = await place(topic, everySeconds);
    const { folder, target } = at;
    {
      await using daemon = await Daemon.following(at);
      await daemon.logged('cycle-ended');
      await java.produceLoad({ topic, records: 3000, size: 500 });
      const from = daemon.lines.length;
      await target.behind.stoppedAt(call);
      await java.produceLoad({ topic, records: 3000, size: 500 });
      await allCommitted(topic);
      const message = await failed(daemon, from);
      expect(message).toContain(`the target ${join(target.folder, 'repository')} hangs: ${call} `);
      await until('a kill did not end the child', async () =>
        (await childrenOf(daemon, at)).some(({ isUninterruptible }) => isUninterruptible),
      );

      // Scheduled times pass, and none of them begins beside the child that cannot end.
      await failed(daemon, daemon.lines.length);
      await failed(daemon, daemon.lines.length);
      expect(await childrenOf(daemon, at)).toHaveLength(1);
      await java.produceLoad({ topic, records: 1000, size: 500 });
      await allCommitted(topic);
      expect(await served(daemon, '/metrics')).toMatch(/^varve_target_state\{state="stuck"\} 1$/m);
      for (const path of ['/', '/api/v1/status', '/livez', '/readyz']) await served(daemon, path);

      const resumed = daemon.lines.length;
      target.resume();
      await daemon.logged('cycle-ended', { from: resumed });
      expect(await served(daemon, '/metrics')).toMatch(/^varve_target_state\{state="up"\} 1$/m);

      const again = daemon.lines.length;
      await java.produceLoad({ topic, records: 1000, size: 500 });
      await target.behind.stoppedAt(call);
      await failed(daemon, again);
      daemon.signal('SIGTERM');
      expect(await daemon.ended()).toMatchObject({ status: 0 });
      await allCommitted(topic);
      target.resume();
    }
    await noneLeftIn(folder);
    await java.produceLoad({ topic, records: 1000, size: 500 });
    expect(await varve(['backup'], { cwd: folder })).toMatchObject({ status: 0, stderr: '' });
    await allPublished(at, topic);
  },
);

test('every command that looks at the repository ends by itself with 13 where no kill ends its child, and names the target', async () => {
  expect(Object.keys(lookingWords).toSorted()).toEqual(commandRows.map(({ name }) => name).toSorted());
  const topic = 'hangs-for-commands';
  await using at = await place(topic);
  const { folder, target } = at;
  await writeFile(join(folder, 'second-key'), randomBytes(32));
  expect(await varve(['backup'], { cwd: folder })).toMatchObject({ status: 0 });
  const looking = Object.entries(lookingWords).flatMap(([name, words]) =>
    words === null ? [] : [`${name} ${words}`.trim()],
  );
  target.behind.stop();
  const end = async (words: string): Promise<object> => {
    const beganMs = performance.now();
    const real = words.replace('OUT', join(folder, 'out.tar')).replace('T ', `${topic} `).split(' ');
    const { status, stderr, stdout } = await varve(real, { cwd: folder });
    const isQuick = performance.now() - beganMs < commandMsMax;
    const said = stdout + stderr;
    return { words, status, isQuick, names: said.includes(target.folder) ? 'the target' : said };
  };
  const ends: object[] = [];
  const [first = '', ...others] = looking; // a backup holds the folder, as others do
  ends.push(await end(first));
  for (let done = 0; done < others.length; done += commandsAtOnce)
    ends.push(...(await Promise.all(others.slice(done, done + commandsAtOnce).map(end))));
  expect(ends).toEqual(looking.map((words) => ({ words, status: 13, isQuick: true, names: 'the target' })));
  target.resume();
  await noneLeftIn(folder);
  expect(await varve(['snapshot'], { cwd: folder })).toMatchObject({ status: 0 });
  await allPublished(at, topic);
});

/** What each of these commands ends with, side by side. */
async function endsOf({ folder }: { folder: string }, commands: readonly string[]): Promise<object> {
  const ends = await Promise.all(
    commands.map(async (words) => [words, (await varve(words.split(' '), { cwd: folder })).status]),
  );
  return Object.fromEntries(ends);
}

function all(commands: readonly string[], status: number): object {
  return Object.fromEntries(commands.map((words) => [words, status]));
}

test.for(['kill', 'unmount'] as const)(
  'a mount that vanishes in the middle of a write (%s): told, nothing is begun in its place, and once it is back the next cycle publishes',
  async (how) => {
    const topic = `vanishes-by-${how}`;
    await using at = await place(topic, everySeconds);
    const { folder, target } = at;
    {
      await using daemon = await Daemon.following(at);
      await daemon.logged('cycle-ended');
      await java.produceLoad({ topic, records: 3000, size: 500 });
      const from = daemon.lines.length;
      await target.behind.stoppedAt('write');
      if (how === 'unmount') await target.unmount();
      const killed = target.kill();
      target.resume();
      await killed;
      expect(await failed(daemon, from)).toContain(join(target.folder, 'repository'));
      await failed(daemon, daemon.lines.length);
      const commands = [
        'list',
        'info',
        'verify',
        'check',
        'doctor',
        'key list',
        'pin latest',
        'expire --dry-run',
      ];
      expect(await endsOf(at, commands)).toEqual(all(commands, 13));
      expect(await varve(['snapshot'], { cwd: folder })).toMatchObject({ status: 13 });
      expect((await varve(['init'], { cwd: folder })).status).toBe(how === 'kill' ? 13 : 18);
      await java.produceLoad({ topic, records: 1000, size: 500 });
      await allCommitted(topic);
      if (how === 'kill') await target.unmount();
      expect(await readdir(target.folder)).toEqual([]);

      const back = daemon.lines.length;
      await target.begin();
      await daemon.logged('cycle-ended', { from: back });
      daemon.signal('SIGTERM');
      expect(await daemon.ended()).toMatchObject({ status: 0 });
    }
    expect(await varve(['backup'], { cwd: folder })).toMatchObject({ status: 0 });
    await allPublished(at, topic);
  },
);

test('a mount that turns read-only: what reads goes on, what writes ends with 13, and once it is writable the next cycle publishes', async () => {
  const topic = 'read-only';
  await using at = await place(topic, everySeconds);
  const { folder, target } = at;
  {
    await using daemon = await Daemon.following(at);
    await daemon.logged('cycle-ended');
    await target.remount('ro');
    await java.produceLoad({ topic, records: 3000, size: 500 });
    expect(await failed(daemon, daemon.lines.length)).toContain('EROFS');
    await allCommitted(topic);
    const reading = ['list', 'verify --deep', `cat --topic ${topic} --snapshot latest`, 'key list'];
    expect(await endsOf(at, reading)).toEqual(all(reading, 0));
    const writing = ['snapshot', 'backup', 'pin latest', 'key rotate --yes', 'check', 'doctor'];
    expect(await endsOf(at, writing)).toEqual(all(writing, 13));

    await target.remount('rw');
    await daemon.logged('cycle-ended', { from: daemon.lines.length });
    daemon.signal('SIGTERM');
    expect(await daemon.ended()).toMatchObject({ status: 0 });
  }
  expect(await varve(['backup'], { cwd: folder })).toMatchObject({ status: 0 });
  await allPublished(at, topic);
});
