import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import { claimsOf } from '../../src/cli/claimed.ts';
import { dayMs, keyOf, Store } from '../snapshot/given.ts';
import { varveHere } from './here.ts';

function last({ stdout }: CommandEnd): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}

test('an instance whose daemon is gone is named by check until it is retired, and again once it publishes', async () => {
  await using store = await Store.make();
  const run = async (line: string): Promise<CommandEnd> => varveHere(line.split(' '), { cwd: store.folder });
  const publishAs = async (instance: string, nowMs: number): Promise<void> => {
    store.nowMs = nowMs;
    store.settings = { ...store.settings, instance };
    await store.append(keyOf('orders'), 10);
    await store.cycle();
  };
  await publishAs('replica-2', Date.now() - 10 * dayMs);
  await publishAs('main', Date.now());
  const config = {
    kafka: { brokers: ['127.0.0.1:1'] },
    local: { dir: store.local, minFree: '1MiB' },
    repository: { dir: store.target, keyFile: store.keyFile },
  };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
  const late = 'instance replica-2: its newest snapshot';

  expect((await run('check')).stdout).toContain(late);
  expect(await run('instance retire replica-2')).toMatchObject({ status: 2 });
  expect(last(await run('instance retire replica-2 --dry-run --json'))).toMatchObject({ changed: false });
  expect((await run('check')).stdout).toContain(late);
  expect(last(await run('instance retire replica-2 --yes --json'))).toMatchObject({ changed: true });
  expect((await run('check')).stdout).not.toContain(late);
  expect(last(await run('instance list --json'))).toMatchObject({
    instances: [
      { name: 'main', isRetired: false },
      { name: 'replica-2', isRetired: true, snapshots: 1 },
    ],
  });
  expect(await run('instance retire replica-2 --yes')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('is retired already'),
  });
  expect(await run('instance retire main --yes')).toMatchObject({ status: 2 });
  expect(await run('instance retire replica-3 --yes')).toMatchObject({ status: 15 });

  expect(await run('instance retire replica-2 --undo --yes')).toMatchObject({ status: 0 });
  expect((await run('check')).stdout).toContain(late);
  expect(await run('instance retire replica-2 --yes')).toMatchObject({ status: 0 });
  await publishAs('replica-2', Date.now() - 5 * dayMs);
  expect((await run('check')).stdout).toContain(late); // a daemon that publishes is not gone
});

function position(partition: number, installation: string): Parameters<typeof claimsOf>[0][number] {
  const metadata = JSON.stringify({ topicId: 'id', installation });
  return { topic: 'orders', partition, offset: 70n, metadata };
}

test('what only a retired installation had saved does not count as missing', () => {
  const positions = [position(0, 'ours'), position(1, 'gone'), { ...position(2, 'x'), metadata: 'not ours' }];
  const partitionsOf = (retired: string[]): number[] => [
    ...(claimsOf(positions, new Set(retired)).get('id')?.partitions.keys() ?? []),
  ];
  expect(partitionsOf([])).toEqual([0, 1]);
  expect(partitionsOf(['gone'])).toEqual([0]);
});
