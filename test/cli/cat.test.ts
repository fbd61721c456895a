import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { encodeBatch, record } from '../log/encoder.ts';
import { batchOf, here, november, orders, save } from './on-disk.ts';

const values = (stdout: string): string[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => Buffer.from(JSON.parse(line).value, 'base64').toString());

test('a record is one object a line, exact to the byte', async () => {
  await using at = await here();
  const records = [
    record({ key: Buffer.from('k'), value: Buffer.from([0, 255]), timestampDelta: 1n }),
    record({ offsetDelta: 1 }),
    record({
      offsetDelta: 2,
      timestampDelta: -(2n ** 62n),
      key: Buffer.alloc(0),
      value: Buffer.alloc(0),
      headers: [
        { name: Buffer.from('h'), value: null },
        { name: Buffer.from('h'), value: Buffer.from('x') },
        { name: Buffer.from('"\n\u0001é'), value: Buffer.alloc(0) },
      ],
    }),
    record({ offsetDelta: 3, headers: [{ name: Buffer.from([0x61, 0xff]), value: null }] }),
  ];
  const baseOffset = 2n ** 62n;
  await save(at.folder, orders, [
    encodeBatch({ baseOffset, baseTimestamp: 2n ** 61n, maxTimestamp: 2n ** 61n + 1n, records }),
    encodeBatch({ baseOffset: baseOffset + 4n, attributes: 8, maxTimestamp: -1n, records: [record()] }),
  ]);

  const { status, stdout, stderr } = await at.run(['cat', '--topic', 'orders', '--json']);

  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout.split('\n')).toEqual([
    '{"topic":"orders","partition":0,"offset":4611686018427387904,"timestamp":2305843009213693953,"timestampType":"CreateTime","key":"aw==","value":"AP8=","headers":[]}',
    '{"topic":"orders","partition":0,"offset":4611686018427387905,"timestamp":2305843009213693952,"timestampType":"CreateTime","key":null,"value":null,"headers":[]}',
    '{"topic":"orders","partition":0,"offset":4611686018427387906,"timestamp":-2305843009213693952,"timestampType":"CreateTime","key":"","value":"","headers":[["h",null],["h","eA=="],["\\"\\n\\u0001é",""]]}',
    '{"topic":"orders","partition":0,"offset":4611686018427387907,"timestamp":2305843009213693952,"timestampType":"CreateTime","key":null,"value":null,"headers":[["a\uFFFD",null]],"headerNamesRaw":["Yf8="]}',
    '{"topic":"orders","partition":0,"offset":4611686018427387908,"timestamp":-1,"timestampType":"LogAppendTime","key":null,"value":null,"headers":[]}',
    '',
  ]);
});

test('without --json a record is a line that a terminal can be shown', async () => {
  await using at = await here();
  const records = [
    record({
      key: null,
      value: Buffer.from('a\u001b[31m"'),
      headers: [{ name: Buffer.from('h'), value: Buffer.from([255]) }],
    }),
    record({ offsetDelta: 1, value: Buffer.from('é'.repeat(1000)) }),
  ];
  await save(at.folder, orders, [
    encodeBatch({ baseTimestamp: november(0), maxTimestamp: november(0), records }),
  ]);

  const { stdout } = await at.run(['cat', '--topic', 'orders']);
  const [first, second] = stdout.split('\n');

  expect(first).toBe(
    String.raw`orders/0 0  2026-11-01T00:00:00.000Z  key null  value "a\u001b[31m\""  headers "h"=base64:/w==`,
  );
  expect(second).toMatch(/value "é+"… \(2000 bytes\)$/);
});

test('a header name cannot reach the terminal through JSON either, which stays the same document', async () => {
  await using at = await here();
  const name = 'h\u009b31m\u202e';
  const headers = [{ name: Buffer.from(name), value: null }];
  const records = [record({ headers })];
  await save(at.folder, orders, [
    encodeBatch({ baseTimestamp: november(0), maxTimestamp: november(0), records }),
  ]);

  const { stdout } = await at.run(['cat', '--topic', 'orders', '--json']);

  expect(stdout).toContain(String.raw`[["h\u009b31m\u202e",null]]`);
  expect(JSON.parse(stdout)).toMatchObject({ headers: [[name, null]] });
});

test('partitions come one behind the other, and can be chosen', async () => {
  await using at = await here();
  for (const partition of [10, 2, 0]) {
    await save(at.folder, { ...orders, partition }, [batchOf(0n, [`p${partition}`])]);
  }

  const all = await at.run(['cat', '--topic', 'orders', '--json']);
  const chosen = await at.run([
    'cat',
    '--topic',
    'orders',
    '--partition',
    '10,0',
    '--partition=10',
    '--json',
  ]);
  const absent = await at.run(['cat', '--topic', 'orders', '--partition', '1']);
  const wrong = await at.run(['cat', '--topic', 'orders', '--partition', 'x']);

  expect(values(all.stdout)).toEqual(['p0', 'p2', 'p10']);
  expect(values(chosen.stdout)).toEqual(['p0', 'p10']);
  expect(absent.status).toBe(15);
  expect(absent.stderr).toContain('no partition 1 of topic orders in this backup; there are 0, 2, 10');
  expect(wrong.status).toBe(2);
});

test('times are inclusive, exclusive, and each record its own', async () => {
  await using at = await here();
  const late = batchOf(4n, ['early', 'late'], { baseTimestamp: november(1), maxTimestamp: november(2) });
  await save(at.folder, orders, [batchOf(0n, ['0', '1', '2', '3']), late]);
  const cat = async (...range: string[]) =>
    values((await at.run(['cat', '--topic', 'orders', '--json', ...range])).stdout);

  expect(await cat('--from-time', '2026-11-01T00:00:00.002Z')).toEqual(['2', '3', 'late']);
  expect(await cat('--to-time', '2026-11-01T01:00:00.002+01:00')).toEqual(['0', '1', 'early']);
  expect(
    await cat('--from-time', '2026-11-01T00:00:00.001Z', '--to-time', '2026-11-01T00:00:00.002Z'),
  ).toEqual(['1', 'early']);
});

test('where the broker set the time, that is the time', async () => {
  await using at = await here();
  const appended = batchOf(0n, ['a', 'b'], { attributes: 8, baseTimestamp: 0n, maxTimestamp: november(5) });
  await save(at.folder, orders, [appended]);
  const from = ['cat', '--topic', 'orders', '--json', '--from-time'];

  expect(values((await at.run([...from, '2026-11-01T00:00:00.005Z'])).stdout)).toEqual(['a', 'b']);
  expect((await at.run([...from, '2026-11-01T00:00:00.006Z'])).status).toBe(15);
});

test('a key selects by its bytes', async () => {
  await using at = await here();
  const records = [
    record({ key: Buffer.from('ä'), value: Buffer.from('1') }),
    record({ offsetDelta: 1, key: Buffer.from('äx'), value: Buffer.from('2') }),
    record({ offsetDelta: 2, key: null, value: Buffer.from('3') }),
    record({ offsetDelta: 3, key: Buffer.alloc(0), value: Buffer.from('4') }),
  ];
  await save(at.folder, orders, [encodeBatch({ records })]);
  const cat = async (key: string) =>
    values((await at.run(['cat', '--topic', 'orders', '--json', '--key', key])).stdout);

  expect(await cat('ä')).toEqual(['1']);
  expect(await cat('')).toEqual(['4']);
});

test('a selection that takes nothing from records ends with 15 and the range that is there', async () => {
  await using at = await here();
  await save(at.folder, orders, [batchOf(0n, ['a', 'b', 'c'])]);
  await save(at.folder, { ...orders, partition: 1 }, []);

  for (const selection of [
    ['--from-time', '2027-01-01T00:00Z'],
    ['--to-time', '2026-11-01T00:00Z'],
    ['--key', 'secret'],
    ['--partition', '1'],
  ]) {
    const { status, stdout, stderr } = await at.run(['cat', '--topic', 'orders', ...selection]);

    expect({ status, stdout }).toEqual({ status: 15, stdout: '' });
    expect(stderr).toContain(
      'it has 3 records from 2026-11-01T00:00:00.000Z to 2026-11-01T00:00:00.002Z in 2 partitions',
    );
    expect(stderr).not.toContain('secret');
  }
});

test('a topic without records prints nothing and is no failure', async () => {
  await using at = await here();
  await save(at.folder, orders, []);

  expect(
    await at.run(['cat', '--topic', 'orders', '--json', '--from-time', '2026-11-01T00:00Z']),
  ).toMatchObject({
    status: 0,
    stdout: '',
    stderr: '',
  });
});

test('a topic that is not in the backup is refused with the nearest that is', async () => {
  await using at = await here();
  const empty = await at.run(['cat', '--topic', 'orders', '--json']);
  await save(at.folder, orders, [batchOf(0n, ['a'])]);
  await save(at.folder, { ...orders, topic: 'payments' }, []);
  const misspelt = await at.run(['cat', '--topic', 'order']);

  expect(empty.status).toBe(15);
  expect(JSON.parse(empty.stdout).error.code).toBe('nothing-selected');
  expect(misspelt.status).toBe(15);
  expect(misspelt.stderr).toContain(
    'no topic "order" in this backup; did you mean orders? there are orders, payments',
  );
});

test('of a topic that was created again the newest life is read, unless another is named', async () => {
  await using at = await here();
  const older = { ...orders, topicId: '-AAAAAAAAAAAAAAAAAAAAQ' };
  await save(at.folder, orders, [batchOf(0n, ['new'])]);
  await save(at.folder, older, [batchOf(0n, ['old'])]);
  const lives = [
    [orders, '2026-11-02T00:00:00.000Z'],
    [older, '2026-11-01T00:00:00.000Z'],
  ] as const;
  for (const [{ topic, topicId }, firstSeen] of lives) {
    const note = join(at.folder, 'topics', topic, topicId, 'incarnation.json');
    await writeFile(note, `${JSON.stringify({ topic, topicId, firstSeen })}\n`);
  }
  const cat = (...more: string[]) => at.run(['cat', '--topic', 'orders', '--json', ...more]);

  expect(values((await cat()).stdout)).toEqual(['new']);
  expect(values((await cat('--incarnation', older.topicId)).stdout)).toEqual(['old']);
  const unknown = await at.run(['cat', '--topic', 'orders', '--incarnation', 'x']);
  expect(unknown.status).toBe(15);
  expect(unknown.stderr).toContain(
    `${older.topicId} (first seen 2026-11-01T00:00:00.000Z), ${orders.topicId}`,
  );
});

test('a time without a zone, and an end before its start, are refused before anything is read', async () => {
  await using at = await here();
  const zoneless = await at.run(['cat', '--topic', 'none', '--from-time', '2026-11-01T10:00']);
  const backwards = ['--from-time', '2026-11-02T00:00Z', '--to-time', '2026-11-01T00:00Z'];
  const reversed = await at.run(['cat', '--topic', 'none', ...backwards]);

  expect(zoneless.status).toBe(2);
  expect(zoneless.stderr).toContain('--from-time: expected RFC 3339 with a zone');
  expect(zoneless.stderr).toContain('it could be 2026-11-01T10:00Z');
  expect(reversed.status).toBe(2);
  expect(reversed.stderr).toContain('--to-time: expected a time that is not before --from-time');
});

test('a local folder that is none ends with 13 and a hint', async () => {
  await using at = await here();
  await writeFile(join(at.folder, 'file'), '');
  const env = { VARVE_LOCAL_DIR: join(at.folder, 'file') };
  const cat = await at.run(['cat', '--topic', 'orders'], { env });

  expect(cat.status).toBe(13);
  expect(cat.stderr).toContain('hint: local.dir must be a folder that this user may read');
  expect((await at.run(['gaps', 'list'], { env })).status).toBe(13);
});

test('damage ends with 4 and the name of the file, behind what could be read', async () => {
  await using at = await here();
  await save(at.folder, orders, [batchOf(0n, ['a']), batchOf(1n, ['b']), batchOf(2n, ['c'])], {
    segmentBytes: 1,
  });
  const month = join(at.folder, 'topics', orders.topic, orders.topicId, '0', '2026-11');
  const [, file = ''] = (await readdir(month)).toSorted();
  const bytes = await readFile(join(month, file));
  bytes.writeUInt8(bytes.readUInt8(65) ^ 1, 65);
  await writeFile(join(month, file), bytes);

  const { status, stdout } = await at.run(['cat', '--topic', 'orders', '--json']);
  const [first = '', error = ''] = stdout.split('\n');

  expect(status).toBe(4);
  expect(values(first)).toEqual(['a']);
  expect(JSON.parse(error).error).toMatchObject({ code: 'damage', message: expect.stringContaining(file) });
});

test('a batch whose producer wrote nonsense is damage that names its place', async () => {
  await using at = await here();
  await save(at.folder, orders, [encodeBatch({ section: Buffer.from([2, 0]), recordCount: 1 })]);

  const { status, stderr } = await at.run(['cat', '--topic', 'orders']);

  expect(status).toBe(4);
  expect(stderr).toContain(
    `orders/0 (topic id ${orders.topicId}) in ${at.folder}/topics/orders/${orders.topicId}/0/1970-01/00000000000000000000.log: records of the batch at offset 0`,
  );
});

test('large output goes out in large pieces, each awaited before the next is made', async () => {
  await using at = await here();
  const texts = Array.from({ length: 1000 }, () => 'x'.repeat(500));
  await save(at.folder, orders, [batchOf(0n, texts), batchOf(1000n, texts)]);
  let pending = 0;
  let pendingMax = 0;
  let writes = 0;
  const stdout = async (): Promise<void> => {
    writes += 1;
    pending += 1;
    pendingMax = Math.max(pendingMax, pending);
    await new Promise((resolve) => setImmediate(resolve));
    pending -= 1;
  };

  await at.run(['cat', '--topic', 'orders', '--json'], { stdout });

  expect(pendingMax).toBe(1);
  expect(writes).toBeGreaterThan(10);
  expect(writes).toBeLessThan(60);
});

test('a reader that has seen enough ends it quietly', async () => {
  await using at = await here();
  const texts = Array.from({ length: 1000 }, () => 'x'.repeat(1000));
  await save(at.folder, orders, [batchOf(0n, texts), batchOf(1000n, texts)]);
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const env = { ...process.env, VARVE_LOCAL_DIR: at.folder };
  const cat = spawn(process.execPath, [main, 'cat', '--topic', 'orders', '--json'], { env });
  let stderr = '';
  cat.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  cat.stdout.once('data', () => cat.stdout.destroy());
  const [status] = await once(cat, 'close');

  expect(status).toBe(0);
  expect(stderr).not.toMatch(/EPIPE|fault/);
});

test('a snapshot needs a repository, and is not to be had of the local files alone', async () => {
  await using at = await here();
  const without = await at.run(['cat', '--topic', 'orders', '--snapshot', 'latest']);
  const both = await at.run(['cat', '--topic', 'orders', '--snapshot', 'latest', '--local-only']);

  expect(without.status).toBe(2);
  expect(without.stderr).toContain('repository.dir: required');
  expect(both.status).toBe(2);
  expect(both.stderr).toContain('expected --snapshot or --local-only, got both');
});
