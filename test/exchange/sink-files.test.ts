import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSinkFiles, SinkBackup, type SinkRequest } from '../../src/exchange/exchange.ts';
import { systemHost, type Disk } from '../../src/host/host.ts';
import { decodeRecords } from '../../src/log/log.ts';

const { disk } = systemHost;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-sink-files-'));
});
afterAll(() => rm(folder, { recursive: true }));

const quiet = { signal: new AbortController().signal, onLines: (): void => undefined };
const all: SinkRequest = {
  files: [],
  folder: '',
  timeField: undefined,
  fromMs: undefined,
  toMs: undefined,
};

/** Value and time of each record, partition by partition, as a restore would get them. */
async function recordsOf(request: SinkRequest, partitions = 1): Promise<(readonly [string, bigint])[][]> {
  const counts = await readSinkFiles(disk, request, quiet);
  const backup = new SinkBackup(disk, { topic: 't', partitions, request, counts });
  const [life] = await backup.lives('t');
  const found = [];
  for (const { copies } of life?.partitions ?? []) {
    const records: (readonly [string, bigint])[] = [];
    const [copy] = copies;
    const end = copy?.coverage.ranges[0]?.to ?? 0n;
    for await (const { bytes, header } of copy?.read({
      first: 0n,
      below: end,
      fromMs: undefined,
      toMs: undefined,
    }) ?? [])
      for (const { value, key, headers, offset, timestamp } of decodeRecords(bytes, header)) {
        expect([key, headers, offset]).toEqual([null, [], BigInt(records.length)]);
        records.push([String(value), timestamp]);
      }
    expect(records.length).toBe(Number(end));
    found.push(records);
  }
  return found;
}

function textOf(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((value) => [value, Buffer.from('\n')]));
}

function lineAt(ms: bigint): string {
  return JSON.stringify({ utcTime: new Date(Number(ms)).toISOString() });
}

describe('the files of a sink', () => {
  test('every line is a record, byte for byte, whatever the chunks and members that it is in', async () => {
    const line = fc
      .uint8Array({ maxLength: 60 })
      .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10)));
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 30 }), fc.nat(30), async (lines, cut) => {
        await writeFile(join(folder, 'fuzz.1'), textOf(lines));
        await writeFile(
          join(folder, 'fuzz.2'),
          Buffer.concat([gzipSync(textOf(lines.slice(0, cut))), gzipSync(textOf(lines.slice(cut)))]),
        );
        const [records = []] = await recordsOf({ ...all, folder, files: ['fuzz.*'] });
        expect(records.map(([value]) => value)).toEqual([...lines, ...lines].map(String));
      }),
      { numRuns: 40 },
    );
  });

  test('come in the order of the globs and of the numbers in their names, each once', async () => {
    for (const name of ['order.sink.10', 'order.sink.9', 'order.sink'])
      await writeFile(join(folder, name), `${name}\n`);
    const [records] = await recordsOf({ ...all, folder, files: ['order.sink.?', 'order*', 'order.sink'] });
    expect(records?.map(([value]) => value)).toEqual(['order.sink.9', 'order.sink', 'order.sink.10']);
  });

  test('a glob that nothing is called is refused with 15, naming it', async () => {
    await expect(recordsOf({ ...all, folder, files: ['nothing*'] })).rejects.toMatchObject({
      code: 'nothing-selected',
      message: expect.stringContaining('"nothing*"'),
    });
  });

  test('come in one order, whatever order the folder has them in', async () => {
    const list = async (path: string): ReturnType<typeof disk.list> =>
      (await disk.list(path))?.toSorted((a, b) => (a.name < b.name ? 1 : -1));
    for (const name of ['same.1', 'same.01', 'same.001']) await writeFile(join(folder, name), name);
    const request = { ...all, folder, files: ['same.*'] };
    const { digests } = await readSinkFiles(disk, request, quiet);
    expect(await readSinkFiles({ ...disk, list }, request, quiet)).toMatchObject({ digests });
  });

  test('are followed where they are links; what is no file behind one is refused, by name', async () => {
    await mkdir(join(folder, 'behind'));
    await writeFile(join(folder, 'behind', 'real'), 'a\n');
    const links = { 1: 'behind/real', 2: 'link.1', folder: 'behind', lost: 'nowhere', circle: 'link.circle' };
    for (const [name, target] of Object.entries(links)) await symlink(target, join(folder, `link.${name}`));
    const [records] = await recordsOf({ ...all, folder, files: ['link.?'] });
    expect(records?.map(([value]) => value)).toEqual(['a', 'a']);
    const refused = { folder: 'a folder', lost: 'nothing', circle: 'links in a circle' };
    for (const [name, got] of Object.entries(refused))
      await expect(recordsOf({ ...all, folder, files: [`link.${name}`] })).rejects.toMatchObject({
        code: 'usage',
        message: expect.stringMatching(new RegExp(`link.${name}: expected a file, got ${got}`)),
      });
  });

  test('that may not be read are named, with what to do', async () => {
    await writeFile(join(folder, 'secret'), 'a\n');
    const denied: Disk = {
      ...disk,
      open: async () => {
        throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
      },
    };
    const request = { ...all, folder, files: ['secret'] };
    await expect(readSinkFiles(denied, request, quiet)).rejects.toMatchObject({
      code: 'failed',
      message: `--files: ${join(folder, 'secret')}: it cannot be read: EACCES`,
      hint: expect.stringContaining('read it'),
    });
  });

  test('a last line without an end is kept, and its file named', async () => {
    const path = join(folder, 'torn');
    await writeFile(path, 'whole\nto');
    const request = { ...all, folder, files: ['torn'] };
    expect(await readSinkFiles(disk, request, quiet)).toMatchObject({ selected: 2, unfinished: [path] });
    expect((await recordsOf(request))[0]?.map(([value]) => value)).toEqual(['whole', 'to']);
  });

  test('a gzip file that was cut off is damage, naming it', async () => {
    await writeFile(join(folder, 'cut.gz'), gzipSync(Buffer.alloc(100_000, 'line\n')).subarray(0, -20));
    await expect(recordsOf({ ...all, folder, files: ['cut.gz'] })).rejects.toMatchObject({
      code: 'damage',
      message: expect.stringContaining('cut.gz'),
    });
  });

  test.each([
    ['another line', 'a\nc\n'],
    ['a line more', 'a\nb\nc\n'],
    ['a gzip file that is cut off', gzipSync('a\nb\n').subarray(0, -4)],
  ])('a file that changes between the two readings is named, and stops the restore: %s', async (_, then) => {
    const path = join(folder, 'live.1');
    await writeFile(path, 'a\nb\n');
    await writeFile(join(folder, 'live.2'), 'c\n');
    const request = { ...all, folder, files: ['live.*'] };
    const counts = await readSinkFiles(disk, request, quiet);
    await writeFile(path, then);
    const [life] = await new SinkBackup(disk, { topic: 't', partitions: 1, request, counts }).lives('t');
    const reading = life?.partitions[0]?.copies[0]?.read({
      first: 0n,
      below: 3n,
      fromMs: undefined,
      toMs: undefined,
    });
    await expect(Array.fromAsync(reading ?? [])).rejects.toMatchObject({
      code: 'interrupted',
      message: `${path}: it changed between being counted and being read`,
    });
  });

  test('lines go to the partitions in turn', async () => {
    await writeFile(join(folder, 'turns'), 'a\nb\nc\nd\ne\n');
    const found = await recordsOf({ ...all, folder, files: ['turns'] }, 3);
    expect(found.map((records) => records.map(([value]) => value))).toEqual([['a', 'd'], ['b', 'e'], ['c']]);
  });
});

describe('the time of a line', () => {
  const november = BigInt(Date.UTC(2026, 10, 1));

  test.each([
    ['{"utcTime":"2026-11-01T00:00:00Z"}', november],
    ['{"utcTime":"2026-11-01T01:00:00.123987+01:00"}', november + 123n],
    ['{"utcTime":"2026-11-01T00:00:00"}', november],
    ['{"utcTime":"2026-11-01 00:00:00.5"}', november + 500n],
    [`{"utcTime":${november}}`, november],
    [`{"utcTime":"${november / 1000n}"}`, november],
    ['{"utcTime":"01/02/2026"}', -1n],
    ['{"utcTime":"soon"}', -1n],
    ['{"utcTime":null}', -1n],
    ['{"time":1}', -1n],
    ['not JSON', -1n],
    ['', -1n],
    ['null', -1n],
  ])('%s', async (line, expected) => {
    await writeFile(join(folder, 'time'), `${line}\n`);
    const [records] = await recordsOf({ ...all, folder, files: ['time'], timeField: 'utcTime' });
    expect(records).toEqual([[line, expected]]);
  });

  test('is found in objects in objects, and under a name that has dots', async () => {
    await writeFile(join(folder, 'deep'), '{"a":{"b":"2026-11-01T00:00Z"}}\n{"a.b":"2026-11-01T00:00Z"}\n');
    const [records] = await recordsOf({ ...all, folder, files: ['deep'], timeField: 'a.b' });
    expect(records?.map(([, ms]) => ms)).toEqual([november, november]);
  });

  test('chooses: from inclusive, to exclusive, and what has none is kept and counted', async () => {
    const lines = [
      lineAt(november - 1n),
      lineAt(november),
      'torn json',
      lineAt(november + 9n),
      lineAt(november + 10n),
    ];
    await writeFile(join(folder, 'range'), `${lines.join('\n')}\n`);
    const range = { timeField: 'utcTime', fromMs: november, toMs: november + 10n };
    const request = { ...all, folder, files: ['range'], ...range };
    expect(await readSinkFiles(disk, request, quiet)).toMatchObject({
      selected: 3,
      before: 1,
      behind: 1,
      withoutTime: 1,
      firstMs: november,
      lastMs: november + 9n,
    });
    const [records] = await recordsOf(request);
    expect(records?.map(([value]) => value)).toEqual([lineAt(november), 'torn json', lineAt(november + 9n)]);
  });
});
