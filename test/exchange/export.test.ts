import { execFile } from 'node:child_process';
import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { FreshFile } from '../../src/exchange/exchange.ts';
import { systemHost, type DiskFile, type OpenMode } from '../../src/host/host.ts';
import { batchOf, here, november, orders, save } from '../cli/on-disk.ts';
import { record } from '../log/encoder.ts';
import { linesIn, openExport, outFolder } from './exports.ts';

const run = promisify(execFile);
const second = { ...orders, partition: 1 };
const shop = { topic: 's'.repeat(249), topicId: '-AAAAAAAAAAAAAAAAAAAAQ', partition: 0 };
const appendTime = 0x08;
const transactional = 0x10;

/** Every codec, append times, transactions, null keys and values, holes, and a batch of which only a part is covered. */
async function fill(folder: string): Promise<void> {
  await save(folder, orders, [
    ...[0, 1, 2, 3, 4].map((codec) =>
      batchOf(BigInt(codec * 10), ['a', 'b', `${codec}`], { attributes: codec, lastOffsetDelta: 9 }),
    ),
    batchOf(50n, ['a', 'b'], { attributes: appendTime | 1, maxTimestamp: november(1234), leaderEpoch: 7 }),
    batchOf(52n, ['a', 'b'], { attributes: transactional, producerId: 12n }),
    batchOf(54n, ['x', 'y'], {
      records: [
        record({ headers: [{ name: Buffer.from([0xff]), value: null }], value: Buffer.from('no key') }),
        record({ offsetDelta: 1, timestampDelta: -(2n ** 50n), key: Buffer.from('a') }),
      ],
    }),
    { from: 56n, to: 63n },
    // Begins below what is covered: the offsets before 63 belong to a gap.
    batchOf(60n, ['a', 'b', 'c', 'a', 'b', 'c']),
  ]);
  await save(folder, second, [batchOf(0n, ['a', 'second'])]);
  await save(folder, shop, [batchOf(0n, ['a', 'shop'])], { segmentBytes: 64 });
}

test('an export is a tar of the very segments, with sums that standard tools check, packed or not', async () => {
  await using at = await here();
  await using out = await outFolder();
  await save(at.folder, orders, [batchOf(0n, ['a', 'b']), batchOf(2n, ['c'])]);
  await save(at.folder, shop, [batchOf(0n, ['shop'])]);
  const plain = join(out.path, 'all.tar');
  const end = await at.run(['export', '--all-topics', '--out', plain]);
  expect(end).toMatchObject({ status: 0 });
  expect(end.stdout).toContain('not encrypted');
  expect((await at.run(['export', '--all-topics', '--out', `${plain}.zst`])).status).toBe(0);
  expect(await readdir(out.path)).toEqual(['all.tar', 'all.tar.zst']);

  await run('tar', ['xf', plain], { cwd: out.path });
  const folder = join(out.path, 'varve-export');
  await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder });
  const segment = join('topics', 'orders', orders.topicId, '0', '00000000000000000000.log');
  expect(await readFile(join(folder, segment))).toEqual(
    Buffer.concat([batchOf(0n, ['a', 'b']), batchOf(2n, ['c'])]),
  );
  const { stdout } = await run('tar', ['tf', plain]);
  expect(stdout).toContain(`/${shop.topic}/${shop.topicId}/0/`);
  // Only the time of the export differs.
  const packed = (await run('zstd', ['-dc', `${plain}.zst`], { encoding: 'latin1' })).stdout;
  expect(packed.length).toBe((await readFile(plain)).length);
  const all = await linesIn(plain);
  expect(all.split('\n').length).toBe(5);
  expect(await linesIn(`${plain}.zst`)).toBe(all);
  // What tar makes of the unpacked files is an export, too: with folders, in another order, by other headers.
  for (const format of ['gnu', 'pax']) {
    await run('tar', [`--format=${format}`, '-cf', 'again.tar', './varve-export'], { cwd: out.path });
    expect(await linesIn(join(out.path, 'again.tar'))).toBe(all);
  }
});

test('what other programs pack is read as what varve packed, and nothing stays beside it', async () => {
  await using at = await here();
  await using out = await outFolder();
  await fill(at.folder);
  await at.run(['export', '--all-topics', '--out', join(out.path, 'plain.tar')]);
  const all = await linesIn(join(out.path, 'plain.tar'));
  await run('sh', ['-ec', repacking], { cwd: out.path });
  const names = (await readdir(out.path)).filter((name) => name.endsWith('.zst')).toSorted();
  const made = ['again', 'frames', 'inside', 'one', 'skip', 'table'];
  expect(names).toEqual(made.map((name) => `${name}.tar.zst`));
  for (const name of names) {
    const path = join(out.path, name);
    expect(await linesIn(path), name).toBe(all);
    // As a command: it is taken, and goes on to the broker, which is not there.
    expect(await at.run(['import', path, '--dry-run']), name).toMatchObject({ status: 17 });
  }
  expect((await readdir(out.path)).filter((name) => name.startsWith('.'))).toEqual([]);
});

/** By a pipe, so that no frame tells how much it holds. */
const repacking = `
  zstd -q -c -19 --no-check < plain.tar > one.tar.zst
  head -c 1000 plain.tar | zstd -q -c > frames.tar.zst
  tail -c +1001 plain.tar | zstd -q -c >> frames.tar.zst
  printf '\\120\\052\\115\\030\\003\\000\\000\\000abc' | cat - one.tar.zst > skip.tar.zst
  tar -xf plain.tar
  tar --zstd -cf again.tar.zst varve-export
  mkdir inside && mv varve-export inside && tar --zstd -cf inside.tar.zst -C inside .
  # A table as that of varve, over a frame that is not: somebody else's seekable file.
  cp one.tar.zst table.tar.zst
  node -e "
    const { statSync, appendFileSync } = require('node:fs');
    const words = (...all) => Buffer.from(Uint32Array.from(all).buffer);
    appendFileSync('table.tar.zst', Buffer.concat([
      words(0x184d2a5e, 17, statSync('one.tar.zst').size, statSync('plain.tar').size, 1), Buffer.of(0), words(0x8f92eab1)]));
  "
`;

test.each([
  [[]],
  [['--key', 'a']],
  [['--key', '3']],
  [['--from-time', '2026-11-01T00:00:00.011Z', '--to-time', '2026-11-01T00:00:00.052Z']],
  [['--to-time', '2026-11-01T00:00Z']],
  [['--partition', '1']],
])('what an export holds is what cat prints: %j', async (words) => {
  await using at = await here();
  await using out = await outFolder();
  await fill(at.folder);
  const printed = await at.run(['cat', '--topic', 'orders', ...words, '--json']);
  expect(printed.stdout).toContain('"offset"');
  for (const name of ['a.tar', 'b.tar.zst']) {
    const path = join(out.path, name);
    expect(await at.run(['export', '--topic', 'orders', ...words, '--out', path])).toMatchObject({
      status: 0,
    });
    expect(await linesIn(path)).toBe(printed.stdout);
  }
  const lines = await at.run(['export', '--topic', 'orders', ...words, '--format', 'jsonl']);
  expect(lines).toMatchObject({ status: 0, stdout: printed.stdout });
  const path = join(out.path, 'c.jsonl.zst');
  await at.run(['export', '--topic', 'orders', ...words, '--format', 'jsonl', '--out', path]);
  expect((await run('zstd', ['-dc', path])).stdout).toBe(printed.stdout);
});

test('an excerpt is no life of its topic, and tells what the backup tells of ranges and gaps', async () => {
  await using at = await here();
  await using out = await outFolder();
  await fill(at.folder);
  const [whole, part] = [join(out.path, 'whole.tar'), join(out.path, 'part.tar')];
  const summary = await at.run(['export', '--topic', 'orders', '--out', whole, '--json']);
  expect(JSON.parse(summary.stdout)).toMatchObject({ encrypted: false, records: 26, groups: null });
  await at.run(['export', '--topic', 'orders', '--key', 'a', '--out', part]);
  const [life] = await (await openExport(whole)).lives('orders');
  expect(life).toMatchObject({
    topicId: orders.topicId,
    firstMs: november(54) - 2n ** 50n,
    lastMs: november(1234),
  });
  expect(life?.partitions[0]?.copies[0]?.coverage).toMatchObject({
    ranges: [
      { from: 0n, to: 56n },
      { from: 63n, to: 66n },
    ],
    gaps: [{ from: 56n, to: 63n }],
  });
  const [excerpt] = await (await openExport(part)).lives('orders');
  expect(excerpt?.topicId).not.toBe(orders.topicId);
  expect(excerpt?.topicId).toHaveLength(22);
});

test('what cannot be exported is refused with its status, and no file is left', async () => {
  await using at = await here();
  await using out = await outFolder();
  await fill(at.folder);
  const path = join(out.path, 'x.tar');
  const statusOf = async (...words: string[]): Promise<number | null> =>
    (await at.run(['export', ...words])).status;
  const topic = ['--topic', 'orders'];
  expect(await statusOf(...topic)).toBe(2);
  expect(await statusOf('--out', path)).toBe(2);
  expect(await statusOf(...topic, '--out', join(out.path, 'x.tar.gz'))).toBe(2);
  expect(await statusOf(...topic, '--out', join(out.path, '.tar'))).toBe(2);
  expect(await statusOf(...topic, '--out', join(out.path, 'none', 'x.tar'))).toBe(2);
  expect(await statusOf(...topic, '--out', join(at.folder, 'x.tar'))).toBe(2);
  expect(await statusOf(...topic, '--out', path, '--incarnation', 'nonsense')).toBe(15);
  expect(await statusOf('--all-topics', '--incarnation', orders.topicId, '--out', path)).toBe(2);
  expect(await statusOf('--topic', 'nothing', '--out', path)).toBe(15);
  expect(await statusOf(...topic, '--partition', '9', '--out', path)).toBe(15);
  expect(await statusOf(...topic, '--key', 'nobody', '--out', path)).toBe(15);
  expect(await statusOf(...topic, '--from-time', '2027-01-01T00:00Z', '--out', path)).toBe(15);
  expect(await statusOf('--all-topics', '--key', 'shop', '--out', join(out.path, 'key.tar'))).toBe(0);
  expect(await readdir(out.path)).toEqual(['key.tar']);

  await writeFile(path, 'mine');
  expect(await at.run(['export', ...topic, '--out', path])).toMatchObject({ status: 18 });
  await symlink('nowhere', join(out.path, 'link.tar'));
  expect(await statusOf(...topic, '--out', join(out.path, 'link.tar'))).toBe(18);
  expect(await readFile(path, 'utf8')).toBe('mine');
  expect(await readdir(out.path)).toEqual(['key.tar', 'link.tar', 'x.tar']);
});

test('a full disk and a name that is taken meanwhile leave nothing behind; the name comes last', async () => {
  await using at = await here();
  await using out = await outFolder();
  await save(at.folder, orders, [batchOf(0n, ['a'])]);
  const path = join(out.path, 'x.tar');
  const host = { ...systemHost, disk: { ...systemHost.disk, open: onFullDisk } };
  const end = await at.run(['export', '--topic', 'orders', '--out', path], { host });
  expect(end).toMatchObject({ status: 14 });
  expect(await readdir(out.path)).toEqual([]);
  {
    await using file = await FreshFile.create(systemHost, path);
    await file.write([Buffer.from('half')]);
    // What a process that is killed here leaves.
    expect(await readdir(out.path)).toEqual([
      expect.stringMatching(/^\.x\.tar\.[0-9a-f]{8}\.[0-9a-f]{12}\.tmp$/),
    ]);
    await writeFile(path, 'somebody else');
    await expect(file.finish()).rejects.toMatchObject({ code: 'refused' });
  }
  expect(await readdir(out.path)).toEqual(['x.tar']);
  expect(await readFile(path, 'utf8')).toBe('somebody else');
});

test('what is stopped says so with 6, and leaves no file; an import has written nothing by then', async () => {
  await using at = await here();
  await using out = await outFolder();
  await save(at.folder, orders, [batchOf(0n, ['a'])]);
  const stopped = { signal: AbortSignal.abort() };
  const path = join(out.path, 'x.tar');
  for (const words of [
    ['--out', path],
    ['--out', path, '--format', 'jsonl'],
  ]) {
    const end = await at.run(['export', '--topic', 'orders', ...words], stopped);
    expect(end).toMatchObject({ status: 6, stderr: expect.stringContaining('no file was left') });
  }
  expect(await readdir(out.path)).toEqual([]);
  await at.run(['export', '--topic', 'orders', '--out', path]);
  const end = await at.run(['import', path, '--yes'], stopped);
  expect(end).toMatchObject({ status: 6, stderr: expect.stringContaining('before anything was written') });
});

test('what a killed export left goes with the next export of the same file, and nothing else does', async () => {
  await using at = await here();
  await using out = await outFolder();
  await save(at.folder, orders, [batchOf(0n, ['a'])]);
  const path = join(out.path, 'x.tar');
  // Never finished and never disposed of: all that a killed process leaves.
  const left = await FreshFile.create(systemHost, path);
  const other = await FreshFile.create(systemHost, join(out.path, 'y.tar'));
  const [leftName = '', otherName = ''] = (await readdir(out.path)).toSorted();
  await writeFile(join(out.path, `${leftName}.mine`), '');

  expect(await at.run(['export', '--topic', 'orders', '--out', path])).toMatchObject({ status: 0 });
  expect((await readdir(out.path)).toSorted()).toEqual([`${leftName}.mine`, otherName, 'x.tar'].toSorted());

  await rm(path);
  await expect(left.finish()).rejects.toThrow(`${path}: another export of the same name`);
  await left[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  // The longest name that a file system takes has room for what stands before it is finished.
  const long = join(out.path, `${'ü'.repeat(122)}.tar.zst`);
  expect(await at.run(['export', '--topic', 'orders', '--out', long])).toMatchObject({ status: 0 });
});

test('a file that is not there, or that is no tar, is named by import and import-sink, and no broker is asked first', async () => {
  await using at = await here(); // where no broker answers
  await using out = await outFolder();
  const missing = join(out.path, 'missing.tar');
  expect(await at.run(['import', missing, '--yes'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining(`${missing}: expected a file, got nothing`),
  });
  const other = join(out.path, 'notes.tar.zst');
  await writeFile(other, 'no tar at all'.padEnd(2000));
  expect(await at.run(['import', other, '--yes'])).toMatchObject({
    status: 4,
    stderr: expect.stringContaining(`${other}: byte 0 of the tar: it is no tar there`),
  });
  await run('gzip', ['-k', other]);
  expect(await at.run(['import', `${other}.gz`, '--yes'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('gzip -d'),
  });
  const empty = join(out.path, 'empty.tar.zst');
  await run('sh', ['-c', `head -c 10240 /dev/zero | zstd -q > ${empty}`]);
  expect(await at.run(['import', empty, '--yes'])).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('the tar is empty'),
  });
  const foreign = join(out.path, 'foreign.tar');
  await run('tar', ['-cf', foreign, '-C', out.path, 'notes.tar.zst']);
  expect(await at.run(['import', foreign, '--yes'])).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('"notes.tar.zst" does not belong into it'),
  });
  const words = ['import-sink', '--topic', 'orders', '--files', 'none*', '--yes'];
  expect(await at.run(words)).toMatchObject({ status: 15, stderr: expect.stringContaining('"none*"') });
});

async function onFullDisk(name: string, mode: OpenMode): Promise<DiskFile> {
  const file = await systemHost.disk.open(name, mode);
  return mode === 'create' ? Object.assign(file, { sync: full }) : file;
}

async function full(): Promise<never> {
  throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
}
