import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stretchByArgon2 } from '../../src/crypto/crypto.ts';
import { systemHost, type Host } from '../../src/host/host.ts';
import { initRepository, listInstances, Repository } from '../../src/repository/repository.ts';
import { FaultyDisk, type DiskCall } from '../host/faulty-disk.ts';

const place = { folder: '/volume/repository', instance: 'main' };
const secret = { keyFile: '/key' };
const stretch = stretchByArgon2;

async function emptyDisk(): Promise<FaultyDisk> {
  const disk = new FaultyDisk();
  const key = await disk.open('/key', 'create');
  await key.write([Buffer.alloc(32, 7)], 0);
  await key.sync();
  await key.close();
  await disk.makeFolder('/volume');
  await disk.syncFolder('/');
  return disk;
}

function hostOn(disk: FaultyDisk): Host {
  return { ...systemHost, disk };
}

async function init(disk: FaultyDisk): Promise<string> {
  const { identity } = await initRepository(hostOn(disk), place, { secret, stretch });
  return identity.repository;
}

/** What the slot says that lies there, to whoever looks between two attempts. */
async function slotOf(disk: FaultyDisk): Promise<{ repository: string; root: string } | undefined> {
  const bytes = await disk.readFile(join(place.folder, 'keys', 'main.json')).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const { repository, root } = JSON.parse(bytes.toString('utf8'));
  return { repository, root };
}

/** Init again, as often as it takes to know that it is harmless; what it made then outlives a power cut. */
async function assertCompletes(disk: FaultyDisk): Promise<void> {
  const seen = await slotOf(disk);
  const repository = await init(disk);
  disk.powerCut();
  disk.nowMs += 3_600_000;
  expect(await init(disk)).toBe(repository);
  const slot = await slotOf(disk);
  expect(slot?.repository).toBe(repository);
  if (seen !== undefined) expect(slot).toEqual(seen);
  const opened = await Repository.open(hostOn(disk), place, secret, { stretch });
  expect(opened.root.idText).toBe(slot?.root);
  expect(await listInstances(disk, place.folder)).toEqual(['main']);
  expect((await disk.list(place.folder))?.map(({ name }) => name).toSorted()).toEqual([
    'keys',
    'main',
    'varve.json',
  ]);
  expect((await disk.list(join(place.folder, 'keys')))?.map(({ name }) => name).toSorted()).toEqual([
    'keyring.1',
    'main.json',
  ]);
}

async function callsOfInit(): Promise<number> {
  const disk = await emptyDisk();
  const before = disk.calls;
  await init(disk);
  return disk.calls - before;
}

/** Init on a new disk, whose calls from the one on fail as said. */
async function initWith(fault: (count: number, call: DiskCall) => string | undefined): Promise<FaultyDisk> {
  const disk = await emptyDisk();
  let count = 0;
  disk.fault = (call) => fault((count += 1), call);
  await init(disk).catch(() => undefined);
  disk.fault = () => undefined;
  return disk;
}

test('init that fails at any one call goes on where it was: one root key, one id', async () => {
  const calls = await callsOfInit();
  expect(calls).toBeGreaterThan(40);
  for (let at = 1; at <= calls; at += 1) {
    const disk = await initWith((count) => (count === at ? 'EIO' : undefined));
    await assertCompletes(disk);
  }
});

test('init that is killed at any call goes on where it was, whatever of it a power cut leaves', async () => {
  const calls = await callsOfInit();
  for (let at = 1; at <= calls; at += 1) {
    const disk = await initWith((count) => (count >= at ? 'EIO' : undefined));
    const forgetful = new FaultyDisk(disk);
    const half = new FaultyDisk(disk);
    let coin = at;
    forgetful.powerCut();
    half.powerCut(() => ((coin = (coin * 69_069 + 1) % 2 ** 31) >> 16) % 2 === 0);
    for (const left of [disk, forgetful, half]) await assertCompletes(left);
  }
});

test.each(['link', 'rename', 'file.close'] as const)(
  'init whose %s reports a failure after it has worked goes on where it was',
  async (wanted) => {
    for (let at = 1; ; at += 1) {
      const disk = await emptyDisk();
      let count = 0;
      disk.faultAfter = (call) => (call === wanted && (count += 1) === at ? 'EIO' : undefined);
      await init(disk).catch(() => undefined);
      disk.faultAfter = () => undefined;
      await assertCompletes(disk);
      if (count < at) break;
      expect(at).toBeLessThan(50);
    }
  },
);

test('two at once make one repository', async () => {
  const disk = await emptyDisk();
  const results = await Promise.allSettled([init(disk), init(disk), init(disk)]);
  const made = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
  expect(new Set(made).size).toBe(1);
  await assertCompletes(disk);
});

test('a repository is made by no other secret than its own', async () => {
  const disk = await emptyDisk();
  const repository = await init(disk);
  const other = await disk.open('/other', 'create');
  await other.write([Buffer.alloc(32, 8)], 0);
  await other.close();
  const keyFile = '/other';

  await expect(initRepository(hostOn(disk), place, { secret: { keyFile }, stretch })).rejects.toMatchObject({
    code: 'wrong-key',
  });
  expect(await init(disk)).toBe(repository);
});

test.each(['EPERM', 'ENOSYS', 'EOPNOTSUPP', 'EMLINK'])(
  'on a target that answers a link with %s a repository is made whose snapshots will share their packs',
  async (code) => {
    const disk = await emptyDisk();
    disk.linkCode = code;
    const { isShared } = await initRepository(hostOn(disk), place, { secret, stretch });
    expect(isShared).toBe(true);
    await assertCompletes(disk);
    const below = (await disk.list(join(place.folder, 'main')))?.map(({ name }) => name);
    expect(below?.toSorted()).toEqual(['lock', 'marks', 'packs', 'snapshots', 'staging', 'trash']);
  },
);

test('a link that fails for another reason leaves nothing made', async () => {
  const disk = await emptyDisk();
  disk.linkCode = 'EIO';
  await expect(init(disk)).rejects.toMatchObject({ code: 'target-unusable' });
  expect(await disk.list(place.folder)).toEqual([]);
});

test('init makes no key file', async () => {
  const disk = await emptyDisk();
  await disk.removeFile('/key');

  await expect(init(disk)).rejects.toMatchObject({ code: 'config' });
  expect(await disk.list('/')).toEqual([{ name: 'volume', kind: 'folder' }]);
  expect(await disk.list('/volume')).toEqual([]);
});
