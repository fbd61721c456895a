import { array, assert, asyncProperty, bigInt, integer, record } from 'fast-check';
import { expect, test } from 'vitest';
import { systemHost, type Random } from '../../src/host/host.ts';
import { nothingCovered, type Coverage } from '../../src/local/coverage.ts';
import { Journal, parseJournal, readJournal } from '../../src/local/journal.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';

const offset = bigInt({ min: 0n, max: 2n ** 63n - 1n });
const epoch = integer({ min: 0, max: 2 ** 31 - 1 });
const at = '2026-11-21T00:00:00.000Z';
const coverages = record({
  ranges: array(record({ from: offset, to: offset })),
  epochs: array(record({ epoch, from: offset })),
  gaps: array(record({ from: offset, to: offset }).map((range) => ({ ...range, at }))),
  truncations: array(record({ offset, epoch }).map((cut) => ({ ...cut, at }))),
});

function upTo(to: bigint): Coverage {
  return { ...nothingCovered, ranges: [{ from: 0n, to }] };
}

async function partition(): Promise<{
  disk: FaultyDisk;
  ports: { disk: FaultyDisk; random: Random };
}> {
  const disk = new FaultyDisk();
  await disk.makeFolder('/0');
  await disk.syncFolder('/');
  return { disk, ports: { disk, random: systemHost.random } };
}

test('what was written is read again, also after a power cut', async () => {
  await assert(
    asyncProperty(coverages, coverages, async (first, second) => {
      const { disk, ports } = await partition();
      const journal = await Journal.open(ports, '/0', first);
      expect(await readJournal(disk, '/0')).toEqual(first);
      await journal.write(second);
      expect(await readJournal(disk, '/0')).toEqual(second);
      disk.powerCut();
      expect(await readJournal(disk, '/0')).toEqual(second);
    }),
    { numRuns: 50 },
  );
});

test('without a journal nothing is known', async () => {
  const { disk } = await partition();

  expect(await readJournal(disk, '/0')).toBeUndefined();
});

test('a last line that is torn at any byte is dropped', async () => {
  const { disk, ports } = await partition();
  await using journal = await Journal.open(ports, '/0', upTo(1n));
  const before = (await disk.readFile('/0/journal'))?.length ?? 0;
  await journal.write(upTo(2n));
  const bytes = (await disk.readFile('/0/journal')) ?? Buffer.alloc(0);

  for (let length = before; length < bytes.length; length += 1) {
    expect(parseJournal(bytes.subarray(0, length), 'j'), `cut at ${length}`).toEqual(upTo(1n));
  }
  expect(parseJournal(bytes, 'j')).toEqual(upTo(2n));
});

test('a flipped byte in front of a good line is damage; in the last line it is taken for torn', async () => {
  const { disk, ports } = await partition();
  await using journal = await Journal.open(ports, '/0', upTo(1n));
  const first = (await disk.readFile('/0/journal'))?.length ?? 0;
  await journal.write(upTo(2n));
  const bytes = (await disk.readFile('/0/journal')) ?? Buffer.alloc(0);

  for (let place = 0; place < bytes.length; place += 1) {
    const bad = Buffer.from(bytes);
    bad[place] = (bad[place] ?? 0) ^ 0x01;
    if (place < first) expect(() => parseJournal(bad, 'j'), `byte ${place}`).toThrow(/journal j: line 1/);
    else expect(parseJournal(bad, 'j'), `byte ${place}`).toEqual(upTo(1n));
  }
});

test('a journal without one good line is damage: it came whole, so no crash leaves that', () => {
  for (const text of ['', 'x', '\n', '00000000 {}\n']) {
    expect(() => parseJournal(Buffer.from(text), 'j')).toThrow(/journal j: line 1/);
  }
});

test('a journal that has grown is replaced as a whole and goes on', async () => {
  const { disk, ports } = await partition();
  await using journal = await Journal.open(ports, '/0', upTo(0n));
  let largest = 0;
  for (let to = 1n; to <= 2000n; to += 1n) {
    await journal.write(upTo(to));
    largest = Math.max(largest, (await disk.stat('/0/journal'))?.byteLength ?? 0);
  }

  expect(await readJournal(disk, '/0')).toEqual(upTo(2000n));
  expect(largest).toBeLessThan(66 * 1024);
  expect(await disk.list('/0')).toEqual([{ name: 'journal', kind: 'file' }]);
});

test('opened again, it is one line, durable, whatever the process before it left in the page cache', async () => {
  const { disk, ports } = await partition();
  const journal = await Journal.open(ports, '/0', upTo(1n));
  disk.fault = (call) => (call === 'file.sync' ? 'EIO' : undefined);
  await expect(journal.write(upTo(2n))).rejects.toThrow('EIO');
  disk.fault = () => undefined;
  expect(await readJournal(disk, '/0')).toEqual(upTo(2n));

  await Journal.open(ports, '/0', upTo(2n));
  disk.powerCut();

  expect(await readJournal(disk, '/0')).toEqual(upTo(2n));
});
