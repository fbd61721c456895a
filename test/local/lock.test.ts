import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { systemHost } from '../../src/host/host.ts';
import { askHolder, LocalFolder, type Serve } from '../../src/local/local.ts';
import { place } from './given.ts';

const holder = new URL('holder.ts', import.meta.url).pathname;

const answer =
  (line: unknown): Serve =>
  async (_, reply) =>
    reply(line);

async function hold(folder: string, serve: Serve = answer({ name: 'first' })): Promise<LocalFolder> {
  return await LocalFolder.open(systemHost, folder, { instance: 'main', serve });
}

interface Started extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly said: string;
}

/** Another process that goes after the folder; resolves with its first words. */
async function start(folder: string, name: string): Promise<Started> {
  const child = spawn(process.execPath, [holder, folder, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let said = '';
  for await (const line of createInterface({ input: child.stdout })) {
    said = line;
    break;
  }
  return {
    child,
    said,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

test('a second holder is refused with 11, and told who the first is', async () => {
  await using at = await place();
  await using first = await hold(at.folder, answer({ name: 'orders-backup', pid: 4711 }));
  await first.assertHeld();

  await expect(hold(at.folder)).rejects.toMatchObject({
    code: 'locked',
    exitStatus: 11,
    message: expect.stringContaining('name orders-backup, pid 4711'),
  });
  await first.assertHeld();
});

test('a folder that was let go is free, and nothing but its contents stays', async () => {
  await using at = await place();
  await (await hold(at.folder))[Symbol.asyncDispose]();

  expect(await askHolder(systemHost, at.folder, {})).toBeUndefined();
  expect(await readdir(at.folder)).toEqual(['varve.json']);
  await (await hold(at.folder))[Symbol.asyncDispose]();
});

test('a holder that is killed lets go at once', async () => {
  await using at = await place();
  {
    await using other = await start(at.folder, 'other');
    expect(other.said).toBe('held');
    await expect(hold(at.folder)).rejects.toThrow(`name other, pid ${other.child.pid}`);
  }

  await using mine = await hold(at.folder);

  await mine.assertHeld();
  expect(await readdir(at.folder)).toEqual(expect.arrayContaining(['varve.json', 'varve.sock']));
});

test('of several that start upon the socket of a killed holder, exactly one wins', async () => {
  await using at = await place();
  await (await start(at.folder, 'killed'))[Symbol.asyncDispose]();
  expect(await readdir(at.folder)).toContain('varve.sock');

  await using stack = new AsyncDisposableStack();
  const others = await Promise.all(['a', 'b', 'c'].map(async (name) => start(at.folder, name)));
  for (const other of others) stack.use(other);

  expect(others.filter((other) => other.said === 'held').length).toBe(1);
  const refused = others.filter((other) => other.said !== 'held');
  for (const other of refused) expect(other.said).toContain('is held by another process');
});

test('within one process too, of ten that start upon a dead socket exactly one wins', async () => {
  await using at = await place();
  await (await start(at.folder, 'killed'))[Symbol.asyncDispose]();

  const all = await Promise.allSettled(Array.from({ length: 10 }, async () => hold(at.folder)));

  const held = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  expect(held.length).toBe(1);
  await held[0]?.assertHeld();
  await held[0]?.[Symbol.asyncDispose]();
});

test('a path longer than a socket may have is held and asked all the same', async () => {
  await using at = await place();
  const folder = join(at.folder, 'x'.repeat(120), 'y'.repeat(120));
  await using first = await hold(folder, answer({ state: 'running' }));

  expect(await askHolder(systemHost, folder, { command: 'status' })).toEqual([{ state: 'running' }]);
  await expect(hold(folder)).rejects.toMatchObject({ code: 'locked' });
  await first.assertHeld();
});

test('a holder is asked one order, which it sees, and answers in lines', async () => {
  await using at = await place();
  const seen: unknown[] = [];
  await using first = await hold(at.folder, async (request, reply) => {
    seen.push(request);
    for (const step of [1, 2, 3]) reply({ step });
  });
  const lines: unknown[] = [];

  const answers = await askHolder(
    systemHost,
    at.folder,
    { command: 'cut' },
    { onLine: (line) => lines.push(line) },
  );

  expect(seen).toEqual([{ command: 'cut' }]);
  expect(answers).toEqual([{ step: 1 }, { step: 2 }, { step: 3 }]);
  expect(lines).toEqual(answers);
  await first.assertHeld();
});

test('an order that fails, or is no JSON, is answered with the error and harms nobody', async () => {
  await using at = await place();
  await using first = await hold(at.folder, async () => {
    throw new Error('no such command');
  });

  expect(await askHolder(systemHost, at.folder, {})).toEqual([
    { error: { code: 'failed', message: 'Error: no such command' } },
  ]);
  const socket = connect(join(at.folder, 'varve.sock'));
  socket.write('not JSON\n');
  const answers: string[] = [];
  for await (const line of createInterface({ input: socket })) answers.push(line);
  expect(answers).toEqual([expect.stringContaining('SyntaxError')]);
  await first.assertHeld();
});

test('where nobody holds the folder, or it is not there, nobody answers', async () => {
  await using at = await place();

  expect(await askHolder(systemHost, at.folder, {})).toBeUndefined();
  expect(await askHolder(systemHost, join(at.folder, 'nowhere'), {})).toBeUndefined();
});

test('a holder whose folder was taken over learns it, and leaves the other one its socket', async () => {
  await using at = await place();
  const first = await hold(at.folder);
  await rename(join(at.folder, 'varve.sock'), join(at.folder, 'moved'));
  await using second = await hold(at.folder, answer({ name: 'second' }));

  await expect(first.assertHeld()).rejects.toMatchObject({ code: 'locked' });
  await first[Symbol.asyncDispose]();

  await second.assertHeld();
  expect(await askHolder(systemHost, at.folder, {})).toEqual([{ name: 'second' }]);
});

test('a holder that answers nothing still holds', async () => {
  await using at = await place();
  const asked = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  await using first = await hold(at.folder, async () => {
    asked.resolve();
    await over.promise;
  });
  const timers: (() => void)[] = [];
  const clock = {
    nowMs: () => 0,
    after: (_delayMs: number, run: () => void) => {
      timers.push(run);
      return { cancel: () => undefined };
    },
  };

  const second = LocalFolder.open({ ...systemHost, clock }, at.folder, {
    instance: 'main',
    serve: answer({}),
  });
  await asked.promise;
  for (const run of timers) run();

  await expect(second).rejects.toThrow('did not say who it is in time');
  over.resolve();
  await first.assertHeld();
});

test('a local folder that cannot be one is told with what to do', async () => {
  await using at = await place();
  const file = join(at.folder, 'file');
  await writeFile(file, '');

  for (const folder of [file, join(file, 'below')]) {
    await expect(hold(folder)).rejects.toMatchObject({
      code: 'target-unusable',
      exitStatus: 13,
      hint: expect.stringContaining('local.dir'),
    });
  }
  await mkdir(join(at.folder, 'fine'));
  await (await hold(join(at.folder, 'fine')))[Symbol.asyncDispose]();
});
