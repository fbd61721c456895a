import { expect, test } from 'vitest';
import { parseArgs } from '../../src/cli/args.ts';
import { requestOf, restoreOptions, throttleOf } from '../../src/cli/restore-options.ts';

async function argsOf(typed: readonly string[]): ReturnType<typeof parseArgs> {
  return parseArgs(typed, {
    name: 'restore',
    summary: 'Bring topics back',
    examples: [],
    options: restoreOptions,
    run: () => Promise.resolve(0),
  });
}

test.each([
  [[], /expected --topic, --all-topics or --map/],
  [['--topic', 'a', '--recreate', '--append'], /at most one of --recreate, --empty, --append/],
  [['--topic', 'a', '--all-groups', '--no-groups'], /at most one of --all-groups, --no-groups/],
  [['--topic', 'a', '--group', 'g', '--no-groups'], /--group, --all-groups or --no-groups/],
  [['--topic', 'a', '--groups-to', 'latest', '--no-groups'], /expected --groups-to or --no-groups/],
  [['--topic', 'a', '--repartition', '2', '--groups-to', 'saved'], /mean nothing in another number/],
  [['--topic', 'a', '--repartition', '2', '--all-groups'], /mean nothing in another number/],
  [['--topic', 'a', '--target', 't', '--target-brokers', 'h:1'], /at most one of --target, --target-brokers/],
  [['--to-topic', 'b', '--map', 'a:b'], /--to-topic or --map/],
  [['--map', 'a:b:c'], /--map: expected source:target/],
  [['--topic', 'a', '--partition', '-1x'], /--partition/],
  [['--topic', 'a', '--topic-config', '=1'], /--topic-config: expected name=value/],
  [['--topic', 'a', '--replication-factor', '0'], /--replication-factor/],
])('%j is refused as a wrong use', async (typed, message) => {
  const asked = argsOf(typed).then(requestOf);

  await expect(asked).rejects.toMatchObject({ code: 'usage', message: expect.stringMatching(message) });
});

test.each([
  ['50MB/s', 50e6],
  ['50mb', 50e6],
  ['1.5 MiB/s', 1.5 * 1024 ** 2],
  ['2GiB', 2 * 1024 ** 3],
  ['300KB/s', 300e3],
  ['4096', 4096],
  ['4096B/s', 4096],
])('--throttle %s is %d bytes a second', async (text, bytes) => {
  expect(throttleOf(await argsOf(['--topic', 'a', '--throttle', text]))).toBe(bytes);
});

test.each(['0', '0MB/s', 'fast', '5TB', '5M', 'MB', '1e6'])('--throttle %s is refused', async (text) => {
  const args = await argsOf(['--topic', 'a', '--throttle', text]);

  expect(() => throttleOf(args)).toThrow(/--throttle: expected a rate such as 50MB\/s/);
});
