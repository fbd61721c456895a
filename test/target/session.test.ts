import { execFile } from 'node:child_process';
import { chmod, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import { systemHost } from '../../src/host/host.ts';
import { readPartition, type CoveredBatch } from '../../src/local/local.ts';
import { openManifest, snapshotFolder } from '../../src/repository/repository.ts';
import { FrameReader, frameStart, type FrameHead } from '../../src/target/frames.ts';
import type { ReadRequest, ToServe } from '../../src/target/serving.ts';
import { ReadingSession, type SessionOptions } from '../../src/target/session.ts';
import { tell } from '../../src/target/told.ts';
import { keyOf, Store, topicId } from '../snapshot/given.ts';

const run = promisify(execFile);

type Frame = readonly [head: FrameHead, body: string];

const frames = fc.array(
  fc.record({
    head: fc.record({ reading: fc.nat(3), path: fc.string({ unit: 'grapheme', maxLength: 20 }) }),
    body: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 8 },
);

function poured(given: readonly { head: FrameHead; body: Uint8Array }[]): Buffer {
  return Buffer.concat(given.flatMap(({ head, body }) => [frameStart(head, body.length), Buffer.from(body)]));
}

/** Reads chunks that all come in the same memory, as those of a pipe do. */
function readInOneMemory(bytes: Buffer, sizes: readonly number[]): Frame[] {
  const found: Frame[] = [];
  const reader = new FrameReader((head, body) => found.push([head, body.toString('hex')]));
  const memory = Buffer.alloc(bytes.length + 1);
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const count = bytes.copy(memory, 0, at, at + (sizes[index % sizes.length] ?? 1));
    reader.feed(memory.subarray(0, count));
    memory.fill(0xee);
    at += count;
  }
  return found;
}

describe('frames', () => {
  test('come out as they went in, whatever the chunks, though the chunks share their memory', () => {
    fc.assert(
      fc.property(
        frames,
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 9 }),
        (given, sizes) => {
          expect(readInOneMemory(poured(given), sizes)).toEqual(
            given.map(({ head, body }) => [head, Buffer.from(body).toString('hex')]),
          );
        },
      ),
    );
  });

  test('come out whole wherever two chunks part them', () => {
    const given = [
      { head: { reading: 1, path: 'ü' }, body: Buffer.from('first') },
      { head: { reading: 2 }, body: Buffer.alloc(0) },
      { head: { reading: 1 }, body: Buffer.from('last') },
    ];
    const bytes = poured(given);
    const expected = given.map(({ head, body }) => [head, body.toString('hex')]);

    for (let at = 1; at < bytes.length; at += 1)
      expect(readInOneMemory(bytes, [at, bytes.length]), `parted at ${at}`).toEqual(expected);
  });

  test('leave a body as it is until two more of its reading have come, whatever others bring', () => {
    const bodies: Buffer[] = [];
    const reader = new FrameReader((_head, body) => bodies.push(body));
    for (const [reading, text] of [
      [1, 'used'],
      [1, 'next'],
      [1, 'then'],
      [2, 'xxxx'],
      [2, 'yyyy'],
      [2, 'zzzz'],
      [2, 'wwww'],
    ] as const)
      reader.feed(poured([{ head: { reading }, body: Buffer.from(text) }]));

    expect(bodies.slice(0, 3).map(String)).toEqual(['used', 'next', 'then']);
  });
});

interface Served extends AsyncDisposable {
  readonly store: Store;
  readonly snapshot: string;
  readonly session: ReadingSession;
}

async function served(make: (store: Store) => Promise<void>): Promise<Served> {
  const store = await Store.make();
  await make(store);
  const { id } = await store.cycle();
  const { signal } = new AbortController();
  const session = new ReadingSession(systemHost, { settings: store.settings, signal });
  return {
    store,
    snapshot: id,
    session,
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

function request(snapshot: string, partition: number, more: Partial<ReadRequest> = {}): ReadRequest {
  return {
    instance: 'main',
    snapshot,
    topicId: topicId('orders'),
    partition,
    first: undefined,
    below: undefined,
    fromMs: undefined,
    toMs: undefined,
    ...more,
  };
}

/** Each batch as what is to be taken of it and its bytes, looked at while it is as it was. */
function rowOf({ bytes, header, from, to }: CoveredBatch): string {
  const { position, byteLength } = header;
  return `${from} ${to} ${bytes.toString('base64', position, position + byteLength)}`;
}

async function rowsOf(batches: AsyncIterable<CoveredBatch>): Promise<string[]> {
  const rows: string[] = [];
  for await (const batch of batches) rows.push(rowOf(batch));
  return rows;
}

async function children(): Promise<number> {
  try {
    const { stdout } = await run('pgrep', ['-P', String(process.pid), '-f', 'src/target/child.ts']);
    return stdout.trim().split('\n').length;
  } catch {
    return 0; // it ends with 1 where there is none
  }
}

describe('a reading session', () => {
  test('reads many partitions side by side, each as its local files have it', async () => {
    const partitions = [0, 1, 2];
    await using given = await served(async (store) => {
      for (const partition of partitions)
        await store.append(keyOf('orders', partition), 3000, { valueBytes: 1000 });
    });
    const { session, snapshot, store } = given;

    const readings = partitions.map((partition) => session.read(request(snapshot, partition)));
    const found = partitions.map((): string[] => []);
    for (let isMore = true; isMore;) {
      isMore = false;
      for (const [partition, reading] of readings.entries()) {
        const { value } = await reading.next();
        if (value === undefined) continue;
        found[partition]?.push(rowOf(value));
        isMore = true;
      }
    }

    for (const partition of partitions) {
      const { disk } = store.host;
      const local = await rowsOf(readPartition(disk, store.local, keyOf('orders', partition)));
      expect(local).toHaveLength(300);
      expect(found[partition]).toEqual(local);
    }
  });

  test('takes a range out of the middle, to the very offset', async () => {
    await using given = await served(async (store) => {
      await store.append(keyOf('orders'), 3000, { valueBytes: 1000 });
    });
    const { session, snapshot, store } = given;
    const range = { first: 1234n, below: 2345n };

    const rows = await rowsOf(session.read(request(snapshot, 0, range)));

    expect(rows).toEqual(await rowsOf(readPartition(store.host.disk, store.local, keyOf('orders'), range)));
    expect(rows[0]).toMatch(/^1234 1240 /);
    expect(rows.at(-1)).toMatch(/^2340 2345 /);
    expect(await rowsOf(session.read(request(snapshot, 0, { first: 3000n })))).toEqual([]);
  });

  test('goes on with other readings when one is left early', async () => {
    await using given = await served(async (store) => {
      await store.append(keyOf('orders'), 3000, { valueBytes: 1000 });
    });
    const { session, snapshot } = given;
    const other = session.read(request(snapshot, 0));
    const begun = await other.next();

    for await (const { to } of session.read(request(snapshot, 0))) if (to >= 50n) break;

    expect(begun.value).toMatchObject({ from: 0n, to: 10n });
    expect(await rowsOf(other)).toHaveLength(299);
  });

  test('throws damage at the reading that meets it, naming the pack, and goes on with others', async () => {
    await using given = await served(async (store) => {
      await store.append(keyOf('orders', 0), 100);
    });
    const { session, snapshot, store } = given;
    expect(await rowsOf(session.read(request(snapshot, 0)))).toHaveLength(10);
    const { manifest } = await openManifest(store.host.disk, await store.open(), snapshot);
    const [pack] = manifest.packs;
    await truncate(join(snapshotFolder(store.place, snapshot), pack?.path ?? ''), 600);

    await expect(rowsOf(session.read(request(snapshot, 0)))).rejects.toMatchObject({
      code: 'damage',
      message: expect.stringContaining(pack?.path ?? 'a pack'),
    });
    expect(await rowsOf(session.read(request(snapshot, 7)))).toEqual([]);
  });

  test('throws damage in the middle of a partition before it ends, however far ahead it was asked', async () => {
    await using given = await served(async (store) => {
      await store.append(keyOf('orders'), 3000, { valueBytes: 1000 });
    });
    const { session, snapshot, store } = given;
    const { manifest } = await openManifest(store.host.disk, await store.open(), snapshot);
    const path = join(snapshotFolder(store.place, snapshot), manifest.packs[0]?.path ?? '');
    await chmod(path, 0o640);
    const bytes = await readFile(path);
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
    await writeFile(path, bytes);

    await expect(rowsOf(session.read(request(snapshot, 0)))).rejects.toMatchObject({ code: 'damage' });
  });

  test('takes no end that does not say that all has been told: it may have overtaken damage', async () => {
    const store = await Store.make();
    await using _ = store;
    const damage = tell(new VarveError('damage', 'block 0 is not what was sealed'));
    const ended = Promise.withResolvers<{ openedBytes: number }>();
    const overtaking: SessionOptions['run'] = async ({ onBegun, onPoured }) => {
      const answers = [{}, { error: damage }];
      onBegun?.((told) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both sides are one program
        const message = told as ToServe;
        if (message.kind === 'end') ended.resolve({ openedBytes: 0 });
        if (message.kind !== 'more') return;
        const { reading } = message;
        const head = { reading, ...answers.shift() };
        setImmediate(() => onPoured?.(frameStart(head, 0), 0));
      });
      return ended.promise;
    };
    const { signal } = new AbortController();
    await using session = new ReadingSession(systemHost, {
      settings: store.settings,
      signal,
      run: overtaking,
    });

    await expect(rowsOf(session.read(request('any', 0)))).rejects.toMatchObject({ code: 'failed' });
  });

  test('ends its child with it, tells what it opened, and takes no reading any more', async () => {
    await using given = await served(async (store) => {
      await store.append(keyOf('orders'), 100);
    });
    const { session, snapshot } = given;
    await rowsOf(session.read(request(snapshot, 0)));
    expect(await children()).toBe(1);

    await session[Symbol.asyncDispose]();

    await expect.poll(children).toBe(0);
    expect(session.openedBytes).toBeGreaterThan(0);
    await expect(rowsOf(session.read(request(snapshot, 0)))).rejects.toThrow('the session has ended');
  });
});
