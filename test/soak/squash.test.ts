import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { varve, type CommandEnd } from '../../scripts/demo/varve.ts';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { Hanging } from '../target/hanging.ts';
import { installed, type Installed } from '../target/installed.ts';

const run = promisify(execFile);
const nobody = 65_534;
const somebody = 12_345;

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(async () => {
  await kafka.stop();
});

async function squashed(topic: string): Promise<Installed<Hanging>> {
  await java.createTopic({ topic, partitions: 2 });
  await java.produceLoad({ topic, records: 2000, size: 500 });
  return await installed(kafka, { name: topic, target: await Hanging.mount({ squashedTo: nobody }) });
}

async function owned(folder: string, owner: number): Promise<void> {
  await run('chown', ['-R', `${owner}:${owner}`, folder]);
}

/** How many files of the server belong to the user, and how many to others. */
async function owners({ behind }: Hanging): Promise<{ theirs: number; others: number }> {
  const { stdout } = await run('find', [join(behind, 'repository'), '-printf', '%U\\n']);
  const all = stdout.trim().split('\n').map(Number);
  const theirs = all.filter((uid) => uid === nobody).length;
  return { theirs, others: all.length - theirs };
}

test("a server that squashes root: cycles link, snapshots go, everything is nobody's and whole", async () => {
  const topic = 'squashed';
  await using at = await squashed(topic);
  const { folder, target } = at;
  const said = async (...words: string[]): Promise<CommandEnd> => {
    const end = await varve(words, { cwd: folder });
    expect(end, words.join(' ')).toMatchObject({ status: 0 });
    return end;
  };
  await said('doctor');
  for (let cycle = 0; cycle < 3; cycle += 1) {
    await said('backup');
    await java.produceLoad({ topic, records: 1000, size: 500 });
  }
  await said('verify', '--deep');
  const retain = ['daily=1', 'weekly=0', 'monthly=0', 'minimum=1', 'minAge=1s'];
  const only = retain.flatMap((rule) => ['--set', `retain.${rule}`]);
  expect((await said('expire', '--yes', ...only)).stdout).toContain('expired 2 snapshots');
  await said('backup');
  await said('key', 'rotate', '--yes');
  await said('verify', '--deep');
  const { stdout } = await said('cat', '--topic', topic, '--snapshot', 'latest', '--json');
  const expected = await java.consumeLines({ topic, isolation: 'read_committed' });
  expect(stdout.split('\n').slice(0, -1)).toEqual(expected);
  expect(await owners(target)).toMatchObject({ others: 0 });
  const linked = await run('find', [target.behind, '-name', '*.tar', '-links', '+1']);
  expect(linked.stdout).not.toBe('');
});

test('a repository that belongs to somebody else than root is squashed to: 13, both named, nothing lost; given back it goes on', async () => {
  const topic = 'of-somebody';
  await using at = await squashed(topic);
  const { folder, target } = at;
  const run13 = async (words: string, ...said: readonly string[]): Promise<void> => {
    const end = await varve(words.split(' '), { cwd: folder });
    expect(end, words).toMatchObject({ status: 13 });
    for (const text of said) expect(end.stdout + end.stderr, words).toContain(text);
  };
  expect(await varve(['backup'], { cwd: folder })).toMatchObject({ status: 0 });
  await owned(target.behind, somebody);
  for (const words of ['backup', 'list', 'verify', 'pin latest'])
    await run13(words, `uid ${somebody}`, 'uid ');
  await owned(target.behind, nobody);
  expect(await varve(['backup'], { cwd: folder })).toMatchObject({ status: 0 });
  expect(await varve(['verify', '--deep'], { cwd: folder })).toMatchObject({ status: 0 });
});
