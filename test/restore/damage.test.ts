import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { VarveError } from '../../src/errors.ts';
import type { CoveredBatch } from '../../src/local/local.ts';
import { scanBatches } from '../../src/log/log.ts';
import type { Copy } from '../../src/restore/backup.ts';
import { readMerged } from '../../src/restore/merge.ts';
import { encodeBatch, record } from '../log/encoder.ts';
import { placeFor, type Place } from './place.ts';
import { expectSame, givenRecords, writtenTo } from './process.ts';

// What a restore does; what its child process is for, the restores that are killed and held up show.
vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(() => kafka.stop());

const count = 600;

interface Given extends AsyncDisposable {
  readonly place: Place;
  readonly before: string[];
  readonly words: readonly string[];
}

/** A topic of one partition in several local segments, with or without a snapshot of it. It still lives. */
async function given(topic: string, o: { isSnapshot: boolean }): Promise<Given> {
  const before = await givenRecords(java, { topic, partitions: 1, count });
  const place = await placeFor(kafka, { name: topic, include: [topic] });
  const local = { dir: place.local, minFree: '16MiB', segmentBytes: '64KiB' };
  await place.configure({ local });
  const words = o.isSnapshot ? ['backup'] : ['backup', '--no-snapshot'];
  expect(await place.json(...words)).toMatchObject({ status: 0 });
  return {
    place,
    before,
    words: ['restore', '--topic', topic, '--yes'],
    [Symbol.asyncDispose]: async () => place[Symbol.asyncDispose](),
  };
}

/** Below a folder, in order. */
async function filesIn(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const found = names.filter((name) => name.endsWith(ending)).toSorted();
  expect(found, `${ending} below ${folder}`).not.toEqual([]);
  return found.map((name) => join(folder, name));
}

/** Of every snapshot; the views beside them are links to the same. */
async function packsOf({ repository }: Place): Promise<string[]> {
  return filesIn(join(repository, 'main', 'snapshots'), '.tar');
}

async function segmentsOf({ local }: Place): Promise<string[]> {
  return filesIn(join(local, 'topics'), '.log');
}

/** In the middle of a file, where only records are. */
async function flipByte(path: string | undefined): Promise<void> {
  if (path === undefined) throw new Error('no such file');
  const bytes = await readFile(path);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
  await writeFile(path, bytes);
}

/** The offsets that a message tells of. */
function toldOffsets(text: string): [from: number, to: number] {
  const match = /(?:offsets|partition \d+:) (\d+) to (\d+)/.exec(text);
  expect(match, text).not.toBeNull();
  return [Number(match?.[1]), Number(match?.[2])];
}

test('a damaged local segment that a snapshot has too: restored from the snapshot, 0', async () => {
  await using it = await given('covered', { isSnapshot: true });
  await flipByte((await segmentsOf(it.place))[2]);
  await java.deleteTopic('covered');
  const end = await it.place.run(...it.words);
  expect(end).toMatchObject({ status: 0, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  await expectSame(java, 'covered', it.before);
});

test('a damaged local segment that no snapshot has: 4, the offsets named; --salvage brings the rest, and 3', async () => {
  await using it = await given('bitten', { isSnapshot: false });
  await flipByte((await segmentsOf(it.place))[2]);
  await java.deleteTopic('bitten');
  const refused = await it.place.run(...it.words);
  expect(refused).toMatchObject({ status: 4, stdout: expect.stringMatching(/NOT RESTORED \S+\n$/) });
  const told = toldOffsets(refused.stdout + refused.stderr);

  // As the hint says: it goes on where it stopped.
  const salvaged = await it.place.run(...it.words, '--salvage');
  expect(salvaged).toMatchObject({ status: 3, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  const [from, to] = toldOffsets(salvaged.stdout);
  expect([from, to]).toEqual(told);
  expect(salvaged.stdout).toContain('LOST in partition 0');
  // What was told is lost, and nothing else.
  const after = (await java.consumeLines({ topic: 'bitten' })).map(withoutOffset);
  const lines = it.before.map(withoutOffset);
  expect(to).toBeLessThan(count - 1);
  expect(after.length).toBe(count - (to + 1 - from));
  expect(after.join('\n') === [...lines.slice(0, from), ...lines.slice(to + 1)].join('\n')).toBe(true);
});

test('a damaged pack, with the local folder gone: 4', async () => {
  await using it = await given('packed', { isSnapshot: true });
  for (const path of await packsOf(it.place)) await flipByte(path);
  await rm(it.place.local, { recursive: true });
  await java.deleteTopic('packed');
  const end = await it.place.run(...it.words);
  expect(end).toMatchObject({ status: 4 });
  expect(await it.place.run(...it.words)).toMatchObject({ status: 4 });
});

test('a pack that is missing, with the local folder gone: 4, the pack named', async () => {
  await using it = await given('unpacked', { isSnapshot: true });
  for (const path of await packsOf(it.place)) await rm(path);
  await rm(it.place.local, { recursive: true });
  await java.deleteTopic('unpacked');
  const end = await it.place.run(...it.words);
  expect(end).toMatchObject({ status: 4 });
  expect(end.stdout + end.stderr).toContain('.tar');
});

test('with --recreate damage is found before the live topic is deleted', async () => {
  await using it = await given('alive', { isSnapshot: false });
  const { topicId } = await java.describeTopic('alive');
  await flipByte((await segmentsOf(it.place))[2]);
  const end = await it.place.run(...it.words, '--recreate');
  expect(end).toMatchObject({ status: 4 });
  expect((await java.describeTopic('alive')).topicId).toBe(topicId);
  await expectSame(java, 'alive', it.before);
});

test('local segments that were freed come from the snapshot that has them', async () => {
  await using it = await given('freed', { isSnapshot: true });
  for (const path of (await segmentsOf(it.place)).slice(0, 3)) await rm(path);
  await java.deleteTopic('freed');
  expect(await it.place.run(...it.words)).toMatchObject({ status: 0 });
  await expectSame(java, 'freed', it.before);
});

test('offsets that no source at hand has: 18, named, nothing made; --accept-missing brings the rest, and 3', async () => {
  await using it = await given('missing', { isSnapshot: true });
  await rm((await segmentsOf(it.place))[0] ?? '');
  await java.deleteTopic('missing');
  const refused = await it.place.run(...it.words, '--local-only');
  expect(refused).toMatchObject({ status: 18 });
  const [from, to] = toldOffsets(refused.stderr);
  expect(from).toBe(0);
  expect(await writtenTo(java, 'missing')).toBe(0n);

  const accepted = await it.place.run(...it.words, '--local-only', '--accept-missing');
  expect(accepted).toMatchObject({ status: 3, stdout: expect.stringMatching(/\nRESTORED \S+\n$/) });
  expect(accepted.stdout).toContain(`MISSING in partition 0: offsets 0 to ${to}`);
  const after = (await java.consumeLines({ topic: 'missing' })).map(withoutOffset);
  expect(after).toEqual(it.before.map(withoutOffset).slice(to + 1));
});

test('copies that are damaged at different places fill each other, there and back', async () => {
  const copies = [new OneByOne([3n, 4n, 20n]), new OneByOne([8n, 20n])];
  const stretches = [{ from: 0n, to: 30n, copies: [0, 1] }];
  const found: string[] = [];
  const lost: string[] = [];
  const onLost = ({ from, to }: { from: bigint; to: bigint }): void => void lost.push(`${from}-${to}`);
  for await (const { from } of readMerged(copies, stretches, { fromMs: undefined, toMs: undefined, onLost }))
    found.push(String(from));
  const expected = Array.from({ length: 30 }, (_, offset) => String(offset)).filter((text) => text !== '20');
  expect(found).toEqual(expected);
  expect(lost).toEqual(['20-21']);
});

/** Each offset is a batch of its own, and some are damaged. */
class OneByOne implements Copy {
  readonly name = 'a copy';
  readonly coverage = { ranges: [{ from: 0n, to: 30n }], gaps: [], epochs: [], truncations: [] };
  readonly absent = [];
  readonly #damaged: readonly bigint[];

  constructor(damaged: readonly bigint[]) {
    this.#damaged = damaged;
  }

  async *read({
    first,
    below,
  }: {
    first: bigint;
    below: bigint;
  }): AsyncGenerator<CoveredBatch, void, undefined> {
    for (let offset = first; offset < below; offset += 1n) {
      if (this.#damaged.includes(offset)) throw new VarveError('damage', `offset ${offset} is damaged`);
      const bytes = encodeBatch({ baseOffset: offset, records: [record()] });
      const [header] = scanBatches(bytes).batches;
      if (header === undefined) throw new Error('not a batch');
      yield { path: 'a file', bytes, header, from: offset, to: offset + 1n };
    }
  }
}

function withoutOffset(line: string): string {
  return line.replace(/"offset":\d+,/, '');
}
