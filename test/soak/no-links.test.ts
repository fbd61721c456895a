import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { varve, type CommandEnd } from '../../scripts/demo/varve.ts';
import { startKafka, type Kafka } from '../../scripts/kafka/kafka.ts';
import { filesIn } from '../snapshot/killed.ts';
import { installed } from '../target/installed.ts';
import { Exfat } from './exfat.ts';

const run = promisify(execFile);

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(async () => {
  await kafka.stop();
});

test('a USB stick without links of any kind: it is said, cycles share their packs, snapshots go, and a copy elsewhere is whole', async () => {
  const topic = 'on-a-stick';
  const java = await kafka.java();
  await java.createTopic({ topic, partitions: 3 });
  await using at = await installed(kafka, { name: topic, target: await Exfat.mount() });
  const { folder, target } = at;
  const said = async (...words: string[]): Promise<CommandEnd> => {
    const end = await varve(words, { cwd: folder });
    expect(end, words.join(' ')).toMatchObject({ status: 0 });
    return end;
  };
  const assertWhole = async (...more: string[]): Promise<void> => {
    const { stdout } = await said('cat', '--topic', topic, '--snapshot', 'latest', '--json', ...more);
    const expected = await java.consumeLines({ topic, isolation: 'read_committed' });
    expect(stdout.split('\n').slice(0, -1)).toEqual(expected);
    await said('verify', '--deep', ...more);
  };
  for (const command of ['init', 'doctor']) {
    const { stdout, stderr } = await said(command);
    expect(stdout + stderr, command).toMatch(/hard links/);
  }
  for (let cycle = 0; cycle < 2; cycle += 1) {
    await java.produceLoad({ topic, records: 2000, size: 500 });
    await said('backup');
    await assertWhole();
  }
  await target.unmount();
  await target.begin();
  await assertWhole();

  const retain = ['daily=1', 'weekly=0', 'monthly=0', 'minimum=1', 'minAge=1s'];
  const only = retain.flatMap((rule) => ['--set', `retain.${rule}`]);
  expect((await said('expire', '--yes', ...only)).stdout).toContain('expired 1 snapshot');
  const instance = join(target.folder, 'repository/main');
  const [latest = '', ...others] = await readdir(join(instance, 'snapshots'));
  expect(others).toEqual([]);
  expect(await readdir(join(instance, 'staging'))).toEqual([]);
  expect((await filesIn(join(instance, 'packs'))).filter((name) => name.endsWith('.tar'))).toHaveLength(2);
  await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: join(instance, 'snapshots', latest) });
  await assertWhole();

  const copy = join(folder, 'copy');
  await said('export', 'latest', copy);
  await assertWhole('--set', `repository.dir=${copy}`);
});
