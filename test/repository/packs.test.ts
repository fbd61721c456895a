import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { systemHost, type Disk } from '../../src/host/host.ts';
import { PackWriter, readPastCache, SentCheck } from '../../src/repository/repository.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';

const run = promisify(execFile);
const { disk } = systemHost;

async function emptyFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'varve-packs-'));
  return { path, [Symbol.asyncDispose]: async () => rm(path, { recursive: true }) };
}

/** Without the calls that go past the page cache, as on a file system that has none. */
function cachedOnly(): Disk {
  return {
    ...disk,
    async open(path, mode) {
      if (mode === 'direct') throw Object.assign(new Error('EINVAL: no such flag'), { code: 'EINVAL' });
      return await disk.open(path, mode);
    },
  };
}

test('a file of any length comes back whole, past the cache and through it', async () => {
  await using folder = await emptyFolder();
  const path = join(folder.path, 'file');
  const mebibyte = 1024 * 1024;
  for (const bytes of [0, 1, 4095, 4096, 4097, 4 * mebibyte, 4 * mebibyte + 1, 9 * mebibyte + 512]) {
    const contents = randomBytes(bytes);
    await writeFile(path, contents);
    const sha256 = createHash('sha256').update(contents).digest('hex');
    for (const [on, hows] of [
      [disk, ['direct', 'cached']],
      [cachedOnly(), ['cached']],
    ] as const) {
      const pieces: Buffer[] = [];
      const back = await readPastCache(on, path, (piece) => pieces.push(Buffer.from(piece)));
      expect(back, `${bytes} bytes`).toMatchObject({ bytes, sha256 });
      expect(hows).toContain(back.how);
      expect(Buffer.concat(pieces).equals(contents)).toBe(true);
    }
  }
});

interface Written {
  readonly members: ReadonlyMap<string, { readonly contents: Buffer; readonly position: number }>;
  readonly check: () => SentCheck;
}

/** Three members, and behind each of the first two one that was begun and dropped. */
async function writePack(on: Disk, path: string, memberBytes: number): Promise<Written> {
  await using writer = await PackWriter.create(on, path);
  const members = new Map<string, { contents: Buffer; position: number }>();
  for (const name of ['a/0/one', 'a/1/two', 'index.sealed']) {
    const contents = randomBytes(memberBytes + members.size);
    await writer.begin(name);
    for (let at = 0; at < contents.length; at += 1024 * 1024)
      await writer.write([Buffer.from(contents.subarray(at, at + 1024 * 1024))]);
    const { position, bytes } = await writer.end();
    expect(bytes).toBe(contents.length);
    members.set(name, { contents, position });
    if (name === 'index.sealed') continue;
    await writer.begin(`${name} that was damaged`);
    await writer.write([randomBytes(memberBytes * 2)]);
    await writer.drop();
  }
  const written = await writer.finish();
  expect((await on.stat(path))?.byteLength).toBe(written.bytes);
  return { members, check: () => new SentCheck(written.pieces) };
}

test.each([
  ['small', 700],
  ['large', 5 * 1024 * 1024 + 3],
])('tar lists and extracts a pack of %s members; what was dropped is not in it', async (_, memberBytes) => {
  await using folder = await emptyFolder();
  const path = join(folder.path, 'pack.tar');
  const { members, check } = await writePack(disk, path, memberBytes);

  const { stdout } = await run('tar', ['-tvf', path]);
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/).at(-1)),
  ).toEqual([...members.keys()]);
  expect(stdout).toMatch(/^-r--r----- 0\/0 /m);
  const bytes = await readFile(path);
  for (const [name, { contents, position }] of members) {
    const out = await run('tar', ['-xOf', path, name], {
      encoding: 'buffer',
      maxBuffer: 64 * 1024 * 1024,
    });
    expect(out.stdout.equals(contents), name).toBe(true);
    expect(bytes.subarray(position, position + contents.length).equals(contents), name).toBe(true);
  }
  const same = check();
  await readPastCache(disk, path, (piece) => same.add(piece));
  expect(same.isSame()).toBe(true);
  expect((await stat(path)).mode & 0o777).toBe(0o440);
});

test('a byte that changed on the disk, one that is missing and one too many are seen when a pack is read back', async () => {
  await using folder = await emptyFolder();
  const path = join(folder.path, 'pack.tar');
  const { check } = await writePack(disk, path, 700);
  const good = await readFile(path);
  const isSame = async (bytes: Buffer): Promise<boolean> => {
    await rm(path);
    const file = await open(path, 'wx');
    await file.writeFile(bytes);
    await file.close();
    const sent = check();
    await readPastCache(disk, path, (piece) => sent.add(piece));
    return sent.isSame();
  };
  expect(await isSame(good)).toBe(true);
  for (const position of [0, 520, 1300, good.length - 1]) {
    const harmed = Buffer.from(good);
    harmed[position] = (harmed[position] ?? 0) ^ 1;
    expect(await isSame(harmed), `byte ${position}`).toBe(false);
  }
  expect(await isSame(good.subarray(0, -1))).toBe(false);
  expect(await isSame(Buffer.concat([good, Buffer.of(0)]))).toBe(false);
  expect(await isSame(Buffer.alloc(0))).toBe(false);
});

test('a pack that is finished outlives a power cut; a failing write, sync or close is never swallowed', async () => {
  for (const failing of ['file.write', 'file.sync', 'file.close'] as const) {
    const faulty = new FaultyDisk();
    faulty.fault = (call) => (call === failing ? 'EIO' : undefined);
    await expect(writePack(faulty, '/pack.tar', 700), failing).rejects.toMatchObject({ code: 'EIO' });
  }
  const sound = new FaultyDisk();
  const { check } = await writePack(sound, '/pack.tar', 700);
  await sound.syncFolder('/');
  sound.powerCut();
  const same = check();
  await readPastCache(sound, '/pack.tar', (piece) => same.add(piece));
  expect(same.isSame()).toBe(true);
});
