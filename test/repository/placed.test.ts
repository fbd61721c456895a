import { expect, test } from 'vitest';
import { stretchByArgon2 } from '../../src/crypto/crypto.ts';
import { systemHost, type Host } from '../../src/host/host.ts';
import {
  addContentKey,
  initRepository,
  listSlots,
  lookAtKeys,
  readMarks,
  removeSlot,
  Repository,
  slotFiles,
  sweepStaging,
  writeMark,
  writeSlot,
} from '../../src/repository/repository.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';

const place = { folder: '/repository', instance: 'main' };
const secret = { keyFile: '/key' };
const stretch = stretchByArgon2;
const snapshot = '20261101T030000Z-1a2b';

async function repositoryOn(disk: FaultyDisk): Promise<{ host: Host; repository: Repository }> {
  const host = { ...systemHost, disk };
  return { host, repository: await Repository.open(host, place, secret, { stretch }) };
}

async function made(): Promise<FaultyDisk> {
  const disk = new FaultyDisk();
  const key = await disk.open('/key', 'create');
  await key.write([Buffer.alloc(32, 7)], 0);
  await key.sync();
  await key.close();
  await initRepository({ ...systemHost, disk }, place, { secret, stretch });
  disk.powerCut();
  return disk;
}

type Work = (at: { host: Host; repository: Repository }) => Promise<void>;

const addSlot: Work = async ({ host, repository }) =>
  writeSlot(host, {
    folder: place.folder,
    repository: repository.identity.repository,
    slot: 'second',
    root: repository.root,
    secret: { keyFile: Buffer.alloc(32, 9) },
    stretch,
  });

const rotate: Work = async ({ host, repository }) => void (await addContentKey(host, repository));

const drop: Work = async ({ host, repository }) =>
  removeSlot(host, repository, { slot: 'second', known: [] });

const pin: Work = async ({ host, repository }) =>
  writeMark(host, repository, { snapshot, type: 'pinned', atMs: Date.UTC(2026, 10, 2) });

/** What the work leaves when it is killed at each of its calls in turn, with and without a power cut. */
async function* killedAtEach(
  work: Work,
  prepare: Work = async () => undefined,
): AsyncGenerator<{ disk: FaultyDisk; isDone: boolean }> {
  const sound = await made();
  await prepare(await repositoryOn(sound));
  for (let at = 1; ; at += 1) {
    const disk = new FaultyDisk(sound);
    const opened = await repositoryOn(disk);
    let count = 0;
    disk.fault = () => ((count += 1) >= at ? 'EIO' : undefined);
    const isDone = await work(opened).then(
      () => true,
      () => false,
    );
    disk.fault = () => undefined;
    const cut = new FaultyDisk(disk);
    cut.powerCut();
    yield { disk, isDone };
    yield { disk: cut, isDone };
    if (count < at) return;
  }
}

async function names(disk: FaultyDisk, folder: string): Promise<string[]> {
  return ((await disk.list(folder)) ?? []).map(({ name }) => name).toSorted();
}

test('a slot that is being added is whole or not there, wherever the work is killed', async () => {
  let done = 0;
  for await (const { disk, isDone } of killedAtEach(addSlot)) {
    const slots = listSlots(await slotFiles(disk, place.folder)).map(({ slot }) => slot);
    expect(slots.slice(0, 1)).toEqual(['main']);
    if (isDone) expect(slots).toEqual(['main', 'second']);
    const isMissing = slots.length === 1;
    if (isMissing) await addSlot(await repositoryOn(disk));
    disk.powerCut();
    // One that nobody was told of may go with the power.
    if (isDone || isMissing) expect(listSlots(await slotFiles(disk, place.folder))).toHaveLength(2);
    done += isDone ? 1 : 0;
  }
  expect(done).toBeGreaterThanOrEqual(2);
});

test('a content key that is being added is in the keyring or not, and the repository opens, wherever the work is killed', async () => {
  const numbers = new Set<number>();
  let done = 0;
  for await (const { disk, isDone } of killedAtEach(rotate)) {
    const { host, repository } = await repositoryOn(disk);
    const { number, keys } = repository.keyring;
    expect(keys).toHaveLength(number);
    if (isDone) expect(number).toBe(2);
    numbers.add(number);
    done += isDone ? 1 : 0;
    await rotate({ host, repository });
    disk.powerCut();
    expect((await repositoryOn(disk)).repository.keyring.number).toBe(number + 1);
  }
  expect(numbers).toEqual(new Set([1, 2]));
  expect(done).toBeGreaterThanOrEqual(2);
});

test('a slot that is being removed is told as one, wherever the work is killed, and removing it again ends it', async () => {
  const told = new Set<string>();
  for await (const { disk, isDone } of killedAtEach(drop, addSlot)) {
    const { host, repository } = await repositoryOn(disk);
    const look = async (): Promise<string[]> => {
      const { repository: uuid } = repository.identity;
      const found = await lookAtKeys(disk, { folder: place.folder, repository: uuid, opened: repository });
      return found.map(({ problem }) => problem);
    };
    const problems = await look();
    problems.forEach((problem) => told.add(problem));
    const isThere = (await names(disk, '/repository/keys')).includes('second.json');
    if (isDone) expect(isThere).toBe(false);
    if (!isThere) continue;
    await drop({ host, repository });
    disk.powerCut();
    expect(await look()).toEqual([]);
    expect(await names(disk, '/repository/keys')).not.toContain('second.json');
  }
  expect([...told]).toEqual(['it was removed, and is there again']);
});

test('a mark that is being made is whole or not there, wherever the work is killed', async () => {
  let done = 0;
  for await (const { disk, isDone } of killedAtEach(pin)) {
    const { host, repository } = await repositoryOn(disk);
    const { pinned, problems } = await readMarks(host, repository);
    expect(problems).toEqual([]);
    if (isDone) expect([...pinned.keys()]).toEqual([snapshot]);
    done += isDone ? 1 : 0;
  }
  expect(done).toBeGreaterThanOrEqual(2);
});

test('what was begun and never came to be is swept once it is old, not while somebody may be at it', async () => {
  let left = 0;
  for await (const { disk } of killedAtEach(pin)) {
    const { host } = await repositoryOn(disk);
    const young = await names(disk, '/repository/main/marks');
    await sweepStaging(host, place);
    expect(await names(disk, '/repository/main/marks')).toEqual(young);
    left += young.filter((name) => name.startsWith('.')).length;
    disk.nowMs += 600_000;
    await sweepStaging(host, place);
    expect(await names(disk, '/repository/main/marks')).toEqual(
      young.filter((name) => !name.startsWith('.')),
    );
  }
  expect(left).toBeGreaterThan(0);
});
