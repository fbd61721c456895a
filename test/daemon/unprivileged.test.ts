import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type Kafka } from '../../scripts/kafka/kafka.ts';
import { Daemon } from '../sink/processes.ts';
import { isReadOnly, Unprivileged } from './unprivileged.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

test('run, a cycle and a restore need no root, no capability, and no place to write but their own folders', async () => {
  const java = await kafka.java();
  const topic = 'humble';
  await java.createTopic({ topic, partitions: 2 });
  await java.produceLoad({ topic, records: 1000, size: 100 });
  await using place = await Unprivileged.make({
    key: randomBytes(32),
    'varve.yaml': JSON.stringify({
      kafka: { brokers: kafka.bootstrap.split(',') },
      topics: { include: [topic] },
      local: { dir: './local', minFree: '16MiB' },
      repository: { dir: './repository', keyFile: './key' },
      cycle: { onStart: true },
      observe: { port: 0 },
    }),
  });
  expect(await place.varve('init')).toMatchObject({ status: 0 });

  await using daemon = Daemon.of(place.startVarve('run'));
  await daemon.logged('cycle-ended');
  expect(await rightsOf(daemon.pid)).toEqual({
    ...(process.getuid?.() === 0 ? { Uid: '10001 10001 10001 10001', CapBnd: none, NoNewPrivs: '1' } : {}),
    CapPrm: none,
    CapEff: none,
  });
  if (isReadOnly) {
    const outside = await place.run('touch', join(tmpdir(), 'varve-outside'));
    expect(outside).toMatchObject({ status: 1, stderr: expect.stringContaining('Read-only file system') });
  }

  const copied = await place.varve('restore', '--topic', topic, '--to-topic', 'humble.copy', '--yes');
  expect(copied).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  expect(await java.consumeLines({ topic: 'humble.copy' })).toHaveLength(1000);
  daemon.signal('SIGTERM');
  expect(await daemon.ended()).toMatchObject({ status: 0 });
});

const none = '0000000000000000';

async function rightsOf(pid: number): Promise<Record<string, string>> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const isRoot = process.getuid?.() === 0;
  const wanted = ['CapPrm', 'CapEff', ...(isRoot ? ['Uid', 'CapBnd', 'NoNewPrivs'] : [])];
  const rows = status.split('\n').map((line) => line.split(/:?\s+/));
  return Object.fromEntries(
    rows
      .filter(([name = '']) => wanted.includes(name))
      .map(([name = '', ...values]) => [name, values.join(' ')]),
  );
}
