import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemHost, type Host } from '../../src/host/host.ts';
import { acquireLock, breakLock, readLock } from '../../src/repository/repository.ts';
import { Store } from '../snapshot/given.ts';

const ours = { installation: 'ours' };
const theirs = { installation: 'theirs' };
const minuteMs = 60_000;

async function namesIn(store: Store): Promise<string[]> {
  return (await readdir(join(store.target, 'main', 'lock'))).toSorted();
}

/** The store's host, whose timers run when the test says so. */
function beating(store: Store): { host: Host; beat: () => void } {
  const waiting: (() => void)[] = [];
  const clock: Host['clock'] = {
    nowMs: () => store.nowMs,
    after(_delayMs, run) {
      waiting.push(run);
      return { cancel: () => void waiting.splice(waiting.indexOf(run), 1) };
    },
  };
  return { host: { ...store.host, clock }, beat: () => waiting.shift()?.() };
}

test('a lock is given back whole, and its holder knows that it has it', async () => {
  await using store = await Store.make();
  {
    await using lock = await acquireLock(store.host, store.place, ours);
    await lock.assertHeld();
    expect(await readLock(store.host, store.place)).toMatchObject(ours);
    expect(await namesIn(store)).toEqual(['holder']);
  }
  expect(await namesIn(store)).toEqual([]);
});

test('the same installation takes over at once; who had the lock before notices, and leaves the new one alone', async () => {
  await using store = await Store.make();
  const first = await acquireLock(store.host, store.place, ours);
  await using second = await acquireLock(store.host, store.place, ours);

  await expect(first.assertHeld()).rejects.toMatchObject({
    code: 'locked',
    message: expect.stringContaining('the lock was lost'),
  });
  await first[Symbol.asyncDispose]();
  await second.assertHeld();
  expect(await namesIn(store)).toEqual(['holder']);
});

test("another installation waits until the lock has not beaten for ten minutes of the target's clock", async () => {
  await using store = await Store.make();
  const { host, beat } = beating(store);
  const first = await acquireLock(host, store.place, theirs);
  store.nowMs += 5 * minuteMs;
  beat();
  await expect
    .poll(async () => (await namesIn(store)).filter((name) => name.startsWith('beat.')).length)
    .toBe(1);
  store.nowMs += 10 * minuteMs - 1;

  await expect(acquireLock(host, store.place, ours)).rejects.toMatchObject({
    code: 'locked',
    message: expect.stringContaining('held by another installation: theirs'),
  });
  await first.assertHeld();
  store.nowMs += 1;
  await using second = await acquireLock(host, store.place, ours);
  await second.assertHeld();
  await expect(first.assertHeld()).rejects.toMatchObject({
    message: expect.stringContaining('installation ours holds it now'),
  });
  await first[Symbol.asyncDispose]();
  await second.assertHeld();
  expect(await namesIn(store)).toEqual(['holder']);
});

test("the machine's own clock does not make a lock old", async () => {
  await using store = await Store.make();
  await using held = await acquireLock(systemHost, store.place, theirs);
  const clock = { ...systemHost.clock, nowMs: () => Date.now() + 60 * minuteMs };

  await expect(acquireLock({ ...systemHost, clock }, store.place, ours)).rejects.toMatchObject({
    code: 'locked',
  });
  await held.assertHeld();
});

test('a lock that says nothing is nobody else to judge, until the operator breaks it', async () => {
  await using store = await Store.make();
  await writeFile(join(store.target, 'main', 'lock', 'holder'), 'what is this');

  await expect(acquireLock(store.host, store.place, ours)).rejects.toMatchObject({
    code: 'locked',
    hint: expect.stringContaining('varve unlock'),
  });
  expect(await readFile(join(store.target, 'main', 'lock', 'holder'), 'utf8')).toBe('what is this');
  expect(await breakLock(store.host, store.place)).toMatchObject({ installation: 'unknown' });
  await using lock = await acquireLock(store.host, store.place, ours);
  await lock.assertHeld();
});

test('a lock that was broken is lost to its holder, who removes nothing of the next one', async () => {
  await using store = await Store.make();
  const first = await acquireLock(store.host, store.place, theirs);
  expect(await breakLock(store.host, store.place)).toMatchObject(theirs);
  await expect(first.assertHeld()).rejects.toMatchObject({
    message: expect.stringContaining('nobody holds it now'),
  });
  await using second = await acquireLock(store.host, store.place, ours);
  await first[Symbol.asyncDispose]();
  await second.assertHeld();
});

const program = new URL('lock-process.ts', import.meta.url);

async function told(child: ChildProcess, order: string): Promise<unknown> {
  child.send(order);
  const [text] = await once(child, 'message');
  return text;
}

test('of many processes that find the same stale lock, one gets it', async () => {
  await using store = await Store.make();
  const children: ChildProcess[] = [];
  try {
    for (let number = 0; number < 5; number += 1) {
      const child = fork(program, [store.target, `installation-${number}`], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      children.push(child);
    }
    await Promise.all(children.map(async (child) => once(child, 'message')));
    for (let round = 0; round < 10; round += 1) {
      await makeStale(store);
      await Promise.all(children.map(async (child) => told(child, 'acquire')));
      const holders = await Promise.all(children.map(async (child) => told(child, 'check')));
      expect(holders.filter((text) => text === 'held').length, `${round}: ${holders.join(' ')}`).toBe(1);
      for (const text of holders) expect(text).toMatch(/^(held|locked|without)$/);
    }
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
});

/** A lock whose holder died twenty minutes ago. */
async function makeStale(store: Store): Promise<void> {
  const path = join(store.target, 'main', 'lock', 'holder');
  const holder = { installation: 'dead', nonce: '0'.repeat(32), host: 'gone', since: '2026-11-01T00:00:00Z' };
  await writeFile(path, JSON.stringify(holder));
  const then = Date.now() / 1000 - 20 * 60;
  await utimes(path, then, then);
}
