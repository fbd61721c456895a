import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FrameCodec } from '../../src/crypto/crypto.ts';
import { readExport } from '../../src/exchange/exchange.ts';
import { systemHost, type Disk, type DiskFile, type OpenMode } from '../../src/host/host.ts';
import { planStretches } from '../../src/restore/restore.ts';
import { batchOf, here, orders, save } from '../cli/on-disk.ts';
import { control } from '../log/encoder.ts';
import {
  documentName,
  headerOf,
  membersIn,
  openExport,
  outFolder,
  quiet,
  summed,
  summedAgain,
  sumsName,
  tarOf,
  type Member,
} from './exports.ts';

let out: Awaited<ReturnType<typeof outFolder>>;
let good: Member[];
let packed: Buffer;
beforeAll(async () => {
  out = await outFolder();
  await using at = await here();
  await save(at.folder, orders, [batchOf(0n, ['a', 'b']), batchOf(2n, ['c'])]);
  await at.run(['export', '--topic', 'orders', '--out', join(out.path, 'good.tar')]);
  await at.run(['export', '--topic', 'orders', '--out', join(out.path, 'good.tar.zst')]);
  good = await membersIn(join(out.path, 'good.tar'));
  packed = (await systemHost.disk.readFile(join(out.path, 'good.tar.zst'))) ?? Buffer.alloc(0);
});
afterAll(async () => out[Symbol.asyncDispose]());

async function problemOf(bytes: Buffer): Promise<string> {
  const path = join(out.path, 'hostile.tar');
  await writeFile(path, bytes);
  try {
    await (await readExport(systemHost, path, quiet))[Symbol.asyncDispose]();
  } catch (error) {
    expect(error).toMatchObject({ code: 'damage', hint: expect.stringMatching(/./) });
    return String(error);
  }
  return 'taken';
}

const folder = 'varve-export/topics/orders/AAAAAAAAAAAAAAAAAAAAAQ';
const segment = `${folder}/0/00000000000000000000.log`;
const some = (name: string, contents: Buffer = Buffer.from('x')): Member => ({ name, contents });
const withMore = (...more: Member[]): Member[] => summedAgain([...good, ...more]);
const inPlaceOf = (name: string, change: (one: Member) => Member): Member[] =>
  good.map((one) => (one.name === name ? change(one) : one));
interface Shown {
  readonly topics: readonly { readonly partitions: readonly object[] }[];
}

const withDocument = (change: (document: Shown) => unknown): Member[] =>
  summedAgain(
    inPlaceOf(documentName, (one) => ({
      ...one,
      contents: Buffer.from(JSON.stringify(change(JSON.parse(one.contents.toString())))),
    })),
  );
const withSegment = (contents: Buffer): Member[] =>
  summedAgain(inPlaceOf(segment, (one) => ({ ...one, contents })));
const base256 = (size: bigint): Buffer =>
  Buffer.from(((0x80n << 88n) | size).toString(16).padStart(24, '0'), 'hex');
const pax = (text: string): Member => ({ name: 'pax', type: 'x', contents: Buffer.from(text) });

test('what the others are made of is taken', async () => {
  expect(await problemOf(tarOf(good))).toBe('taken');
  expect(await problemOf(tarOf(summedAgain(good)))).toBe('taken');
  expect(await problemOf(tarOf(good, Buffer.alloc(10_240)))).toBe('taken');
  expect(await problemOf(packed)).toBe('taken');
});

test.each<[string, () => Member[], string]>([
  ['an absolute path', () => withMore(some('/etc/passwd')), 'does not belong'],
  ['a way up', () => withMore(some('varve-export/topics/../../x')), 'does not belong'],
  ['a way up as a topic', () => withMore(some(segment.replace('orders', '..'))), 'does not belong'],
  ['a folder elsewhere', () => withMore({ ...some('/tmp/', Buffer.alloc(0)), type: '5' }), 'does not belong'],
  ['a folder with contents', () => withMore({ ...some('varve-export/'), type: '5' }), 'claims 1 bytes'],
  [
    'a symbolic link',
    () => [{ ...some(segment, Buffer.alloc(0)), type: '2', link: '/etc/passwd' }, ...good],
    'a symbolic link',
  ],
  [
    'a hard link',
    () => [{ ...some(segment, Buffer.alloc(0)), type: '1', link: '/etc/passwd' }, ...good],
    'a hard link',
  ],
  ['a device', () => [{ ...some(segment, Buffer.alloc(0)), type: '3' }, ...good], 'a device'],
  ['a pipe', () => [{ ...some(segment, Buffer.alloc(0)), type: '6' }, ...good], 'a pipe'],
  ['a sparse file', () => [{ ...some(segment), type: 'S' }, ...good], 'a sparse file'],
  ['global pax records', () => [{ ...pax('8 a=bcd\n'), type: 'g' }, ...good], 'of type'],
  ['a name twice', () => [...good, ...good], 'twice'],
  ['a foreign member', () => withMore(some('varve-export/README')), 'does not belong'],
  [
    'a long name that leads out',
    () => withMore({ ...some('L', Buffer.from('/etc/passwd\0')), type: 'L' }, some('short')),
    'does not belong',
  ],
  [
    'a pax name that leads out',
    () => withMore(pax('20 path=/etc/passwd\n'), some(segment)),
    'does not belong',
  ],
  ['a pax link', () => [pax('15 linkpath=/e\n'), ...good], 'linkpath'],
  ['a pax record that is not whole', () => [pax('99 path=x\n'), ...good], 'not whole'],
  ['a pax record of no length', () => [pax('0 path=x\n'), ...good], 'not whole'],
  ['a pax name told twice', () => [pax('10 path=x\n'), pax('10 path=x\n'), ...good], 'told twice'],
  [
    'a pax bomb',
    () => [{ ...pax('x'), size: base256(2n ** 33n) }, ...good],
    'a name claims 8589934592 bytes',
  ],
  [
    'a pax size near 2^63',
    () => [pax(`28 size=${2n ** 63n - 1n}\n`), ...good],
    'claims 9223372036854775807 bytes',
  ],
  [
    'a size near 2^63',
    () => inPlaceOf(segment, (one) => ({ ...one, size: base256(2n ** 63n - 1n) })),
    'claims 9223372036854775807 bytes',
  ],
  [
    'a size below 0',
    () => inPlaceOf(segment, (one) => ({ ...one, size: Buffer.alloc(12, 0xff) })),
    'is no number',
  ],
  [
    'a size that is no number',
    () => inPlaceOf(segment, (one) => ({ ...one, size: '0x1000000000' })),
    'is no number',
  ],
  [
    'a size beyond the file',
    () => inPlaceOf(segment, (one) => ({ ...one, size: '00001000000\0' })),
    'the file ends before',
  ],
  [
    'a size that is too small',
    () => inPlaceOf(segment, (one) => ({ ...one, size: '00000000000\0' })),
    'no tar',
  ],
  ['no document', () => good.filter(({ name }) => name !== documentName), 'written last'],
  ['no sums', () => good.filter(({ name }) => name !== sumsName), 'written last'],
  ['a segment that is away', () => good.filter(({ name }) => name !== segment), 'belongs to none'],
  [
    'a segment that nobody misses',
    () => summedAgain(good.filter(({ name }) => name !== segment)),
    'holds 0 records',
  ],
  [
    'a segment without a sum',
    () => [some(`${folder}/0/00000000000000000009.log`), ...good],
    'does not name all',
  ],
  [
    'a wrong sum',
    () =>
      inPlaceOf(sumsName, (one) => ({
        ...one,
        contents: Buffer.from(one.contents.toString().replaceAll(/^[0-9a-f]{8}/gm, '00000000')),
      })),
    'SHA-256',
  ],
  [
    'a document that was changed',
    () =>
      inPlaceOf(documentName, (one) => ({
        ...one,
        contents: Buffer.concat([one.contents, Buffer.from(' ')]),
      })),
    'export.json: its SHA-256',
  ],
  [
    'sums without a line end',
    () => inPlaceOf(sumsName, (one) => ({ ...one, contents: one.contents.subarray(0, -1) })),
    'inside of a line',
  ],
  [
    'a segment of another partition',
    () => withMore(some(`${folder}/7/00000000000000000000.log`, batchOf(0n, ['a']))),
    'does not name it',
  ],
  ['an empty segment', () => withSegment(Buffer.alloc(0)), 'is empty'],
  [
    'a segment whose checksum is wrong',
    () => withSegment(Buffer.concat([batchOf(0n, ['a', 'b']), flipped(batchOf(2n, ['c']))])),
    'checksum',
  ],
  ['a torn segment', () => withSegment(batchOf(0n, ['a', 'b', 'c']).subarray(0, -1)), 'ends inside a batch'],
  ['a batch that claims 2 GiB', () => withSegment(claiming(2 ** 31 - 1)), 'ends inside a batch'],
  [
    'a control batch',
    () => withSegment(batchOf(0n, ['a', 'b', 'c'], { attributes: control })),
    'control batch',
  ],
  [
    'records that are not what the head says',
    () => withSegment(batchOf(0n, ['a', 'b', 'c'], { recordCount: 2 })),
    'records of',
  ],
  [
    'an endless record',
    () => withSegment(batchOf(0n, ['a'], { section: Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]) })),
    'record',
  ],
  ['another base than the name', () => withSegment(batchOf(1n, ['a', 'b', 'c'])), 'base offset'],
  [
    'offsets that the document does not tell of',
    () => withSegment(batchOf(0n, ['a', 'b', 'c', 'd'])),
    'outside of',
  ],
  [
    'segments over each other',
    () => withMore(some(`${folder}/0/00000000000000000001.log`, batchOf(1n, ['a']))),
    'before the end of',
  ],
  [
    'a document that is no JSON',
    () => summedAgain(inPlaceOf(documentName, (one) => ({ ...one, contents: Buffer.from('{') }))),
    'not JSON',
  ],
  [
    'a document of fewer records',
    () => withDocument((all) => partitionOf(all, { records: 2 })),
    'holds 3 records',
  ],
  [
    'a document of no ranges',
    () => withDocument((all) => partitionOf(all, { ranges: [['5', '2']] })),
    'ranges',
  ],
  [
    'a document of offsets beyond 2^63',
    () => withDocument((all) => partitionOf(all, { ranges: [['0', '9999999999999999999']] })),
    'ranges',
  ],
  [
    'a partition without end',
    () => withDocument((all) => partitionOf(all, { partition: 2 ** 31 })),
    'partition',
  ],
  [
    'a topic of no name',
    () => withDocument((all) => ({ ...all, topics: [{ ...all.topics[0], topic: '../x' }] })),
    'topic',
  ],
  [
    'a topic twice',
    () => withDocument((all) => ({ ...all, topics: [all.topics[0], all.topics[0]] })),
    'topics',
  ],
  [
    'a million partitions to make',
    () =>
      withDocument((all) => ({
        ...all,
        topics: [
          {
            ...all.topics[0],
            settings: { readMs: 0, partitions: 1e6, replicationFactor: 1, configs: [] },
          },
        ],
      })),
    'settings',
  ],
])('%s is refused', async (_what, members, problem) => {
  expect(await problemOf(tarOf(members()))).toContain(problem);
});

test('what is not in an export is told of it as its document tells', async () => {
  const change = {
    ranges: [['0', '3']],
    missing: [['3', '9']],
    expired: [['9', '12']],
    gaps: [['12', '14']],
  };
  const path = join(out.path, 'told.tar');
  await writeFile(path, tarOf(withDocument((all) => partitionOf(all, change))));
  const [life] = await (await openExport(path)).lives('orders');
  expect(planStretches(life?.partitions[0]?.copies ?? [])).toMatchObject({
    stretches: [{ from: 0n, to: 3n }],
    missing: [{ from: 3n, to: 9n }],
    expired: [{ from: 9n, to: 12n }],
    gaps: [{ from: 12n, to: 14n }],
  });
});

test('a newer format is refused as such', async () => {
  const path = join(out.path, 'newer.tar');
  await writeFile(path, tarOf(withDocument((all) => ({ ...all, format: 2 }))));
  await expect(readExport(systemHost, path, quiet)).rejects.toMatchObject({ code: 'no-repository' });
});

test('a tar without its end, with more behind it, and what is no tar, are refused', async () => {
  expect(await problemOf(tarOf(good, Buffer.alloc(0)))).toContain('without its end');
  expect(await problemOf(tarOf(good, Buffer.alloc(512)))).toContain('without its end');
  expect(await problemOf(tarOf(good, Buffer.concat([Buffer.alloc(1024), Buffer.alloc(512, 1)])))).toContain(
    'behind its end',
  );
  expect(await problemOf(tarOf(good, Buffer.alloc(2 ** 20 + 512)))).toContain('behind its end');
  expect(await problemOf(Buffer.alloc(0))).toContain('without its end');
  expect(await problemOf(Buffer.from('{"format":1}'.padEnd(600)))).toContain('no tar');
  const wrongSum = Buffer.concat([headerOf(good[0] ?? some('x'))]);
  wrongSum[0] = 0x20;
  expect(await problemOf(Buffer.concat([wrongSum, Buffer.alloc(2048)]))).toContain('no tar');
  const other = summed(Buffer.from(headerOf(some(segment))).fill('xxxxx', 257, 262));
  expect(await problemOf(Buffer.concat([other, Buffer.alloc(2048)]))).toContain('no tar');
});

test('a good file that stops anywhere is refused, packed or not', async () => {
  for (const whole of [tarOf(good), packed]) {
    const cuts = Array.from({ length: 9 }, (_, index) => Math.floor((whole.length * index) / 9));
    for (const length of [...cuts, whole.length - 512, whole.length - 9, whole.length - 1])
      expect(await problemOf(whole.subarray(0, length)), String(length)).not.toBe('taken');
  }
});

test('frames that lie or never end are refused; a table that lies is not believed', async () => {
  const raw = tarOf(good);
  const frame = Buffer.from(new FrameCodec().compress(raw));
  expect(await problemOf(seekable([frame], [raw.length]))).toBe('taken');
  expect(await problemOf(seekable([frame], [raw.length + 1]))).toBe('taken');
  expect(await problemOf(seekable([frame], [2 ** 20 + 1]))).toBe('taken');
  expect(await problemOf(seekable([frame], [raw.length], 2 ** 32 - 1))).toBe('taken');
  expect(await problemOf(seekable([frame, frame], [raw.length, raw.length]))).toContain('behind its end');
  const bomb = zstdCompressSync(Buffer.alloc(64 * 2 ** 20), { pledgedSrcSize: 64 * 2 ** 20 });
  expect(await problemOf(seekable([bomb], [2 ** 20]))).toContain('behind its end');
  const million = Buffer.concat([raw, Buffer.alloc(2 ** 20 + 512 - raw.length)]);
  const [first, second] = [million.subarray(0, 2 ** 20), million.subarray(2 ** 20)].map((part) =>
    Buffer.from(new FrameCodec().compress(part)),
  );
  if (first === undefined || second === undefined) throw new Error('expected two frames');
  expect(await problemOf(seekable([first, second], [2 ** 20, 513]))).toContain('no whole frame');
  // 20 GiB of zeros in a few hundred kilobytes: the end of a tar that goes on and on.
  const zeros = Buffer.from(new FrameCodec().compress(Buffer.alloc(2 ** 20)));
  const many = Array.from({ length: 20_480 }, () => zeros);
  expect(
    await problemOf(
      seekable(
        many,
        many.map(() => 2 ** 20),
      ),
    ),
  ).toContain('behind its end');
});

test('what another program packed is unpacked within bounds of memory and room, and refused where it is bad', async () => {
  const packedElsewhere = zstdCompressSync(tarOf(good));
  expect(await problemOf(packedElsewhere)).toBe('taken');
  expect(await problemOf(packedElsewhere.subarray(0, -1))).toContain('ends inside a frame');
  expect(await problemOf(Buffer.concat([packedElsewhere, Buffer.from('more')]))).toContain(
    'cannot be unpacked',
  );
  expect(await problemOf(Buffer.concat([packedElsewhere, Buffer.alloc(16)]))).toContain('cannot be unpacked');
  expect(await problemOf(Buffer.concat([packedElsewhere, packedElsewhere]))).toContain('behind its end');
  const bad = Buffer.from(packedElsewhere);
  bad[bad.length >> 1] = (bad[bad.length >> 1] ?? 0) ^ 1;
  expect(await problemOf(bad)).not.toBe('taken');

  const path = join(out.path, 'packed.tar.zst');
  const refused = async (bytes: Buffer, disk: Partial<Disk> = {}): Promise<unknown> => {
    await writeFile(path, bytes);
    const host = { ...systemHost, disk: { ...systemHost.disk, ...disk } };
    return await readExport(host, path, quiet).then(
      () => ({ code: 'taken' }),
      (error: unknown) => error,
    );
  };
  // 256 MiB; and the 128 MiB which every zstd takes, of no tar.
  expect(await refused(windowOf(28))).toMatchObject({
    code: 'failed',
    message: expect.stringContaining('window of more than 2^27 bytes'),
    hint: expect.stringContaining('--long=31'),
  });
  expect(await refused(windowOf(27))).toMatchObject({ message: expect.stringContaining('without its end') });

  expect(await refused(packedElsewhere, { open: notHere })).toMatchObject({
    code: 'failed',
    message: expect.stringContaining('EROFS'),
    hint: expect.stringContaining('symbolic link'),
  });
  const bomb = zstdCompressSync(Buffer.alloc(65 * 2 ** 20, 1));
  expect(
    await refused(bomb, { freeBytes: async (where) => (where === out.path ? 2 ** 29 : Infinity) }),
  ).toMatchObject({ code: 'no-space' });
  expect((await readdir(out.path)).filter((name) => name.startsWith('.'))).toEqual([]);
});

/** An empty frame that wants a window of so much. */
function windowOf(log: number): Buffer {
  return Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3, 1, 0, 0]);
}

async function notHere(name: string, mode: OpenMode): Promise<DiskFile> {
  if (mode === 'create') throw Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' });
  return await systemHost.disk.open(name, mode);
}

function flipped(bytes: Buffer): Buffer {
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) ^ 1;
  return bytes;
}

function claiming(length: number): Buffer {
  const bytes = batchOf(0n, ['a']);
  bytes.writeInt32BE(length, 8);
  return bytes;
}

function partitionOf(document: Shown, change: object): object {
  const [topic] = document.topics;
  return { ...document, topics: [{ ...topic, partitions: [{ ...topic?.partitions[0], ...change }] }] };
}

function seekable(frames: readonly Buffer[], raw: readonly number[], claimed = frames.length): Buffer {
  const rows = frames.flatMap((frame, index) => [frame.length, raw[index] ?? 0]);
  const content = Buffer.concat([words(...rows, claimed), Buffer.from([0]), words(0x8f92eab1)]);
  return Buffer.concat([...frames, words(0x184d2a5e, content.length), content]);
}

function words(...numbers: number[]): Buffer {
  return Buffer.from(Uint32Array.from(numbers).buffer);
}
