import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { askDaemon, type OrderWaits } from '../../src/daemon/daemon.ts';
import { Cycles } from '../../src/daemon/cycles.ts';
import { Drills } from '../../src/daemon/drills.ts';
import { TargetGate } from '../../src/daemon/gate.ts';
import { openLocal, type Running } from '../../src/daemon/held.ts';
import { VarveError } from '../../src/errors.ts';
import { systemHost } from '../../src/host/host.ts';
import { LocalFolder } from '../../src/local/local.ts';
import { varveHere } from '../cli/here.ts';
import { loadGiven } from '../config/given.ts';
import { failureOf, ManualClock } from '../kafka/given.ts';
import { until } from '../sink/processes.ts';

/** A process that holds a local folder and takes orders, whose clock the test moves. */
class Held implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly stop = new AbortController();
  readonly start: () => void;
  readonly running: Running;
  readonly #folder: string;
  readonly #opened = new AsyncDisposableStack();

  private constructor(folder: string, holder: Running['holder']) {
    this.#folder = folder;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.start = resolve;
    this.running = { holder, started: promise, gate: new TargetGate(systemHost) };
  }

  static async by(holder: Running['holder']): Promise<Held> {
    const folder = await mkdtemp(join(tmpdir(), 'varve-orders-'));
    const held = new Held(folder, holder);
    const { config } = await loadGiven({ env: { VARVE_LOCAL_DIR: folder } });
    const { clock, stop, running } = held;
    const host = { ...systemHost, clock };
    held.#opened.use(await openLocal({ config, host, signal: stop.signal }, running));
    return held;
  }

  /** One drill, then cycles, that run until the test ends them: all of them fail. */
  rehearse(): { endDrill: () => void; endCycle: () => void } {
    const { clock, stop, running } = this;
    const host = { ...systemHost, clock };
    const [drill, cycle] = [Promise.withResolvers<never>(), Promise.withResolvers<never>()];
    const timetable = { schedule: '0 0 1 1 *', timezone: 'UTC' };
    const none = { lastAttemptMs: undefined, lastSuccessMs: undefined, isPublished: false };
    const given = { host, timetable, emit: () => undefined, signal: stop.signal };
    const drills = new Drills({
      ...given,
      settledMs: -1e12,
      isCycleAhead: () => false,
      drill: async () => drill.promise,
    });
    running.drills = drills;
    running.cycles = new Cycles({
      ...given,
      onStart: false,
      record: { sinceMs: clock.nowMs(), ...none },
      clear: async () => drills.yielded(),
      take: async () => cycle.promise,
    });
    const following = Promise.all([drills.follow(), running.cycles.follow()]);
    this.#opened.defer(async () => void (await following));
    this.#opened.defer(() => stop.abort());
    return {
      endDrill: () => drill.reject(new VarveError('failed', 'the drill is over')),
      endCycle: () => cycle.reject(new VarveError('no-space', 'the target is full')),
    };
  }

  ask(command: string, more: object = {}): { answer: Promise<object | undefined>; told: OrderWaits[] } {
    const told: OrderWaits[] = [];
    const answer = askDaemon(
      systemHost,
      this.#folder,
      { command, ...more },
      {
        signal: new AbortController().signal,
        onEvent: (event) => {
          if (event.type === 'order-waits') told.push(event);
        },
      },
    );
    answer.catch(() => undefined); // whoever awaits it looks
    return { answer, told };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
    await rm(this.#folder, { recursive: true });
  }
}

const epoch = new Date(1_000_000).toISOString();

test('an order to a daemon that is still starting is told so, and carried out once it has started', async () => {
  await using held = await Held.by('run');
  const { answer, told } = held.ask('snapshot');
  await until('the order is taken', async () => held.clock.timers === 2);
  held.clock.advance(1000);
  await until('it is told', async () => told.length > 0);
  expect(told).toEqual([{ type: 'order-waits', for: 'start', since: epoch }]);

  const { endDrill, endCycle } = held.rehearse();
  endDrill();
  endCycle();
  held.start();
  expect(await failureOf(answer)).toMatchObject({ code: 'no-space' });
});

test('a daemon that does not start within a minute, or is told to stop, lets nobody wait for ever', async () => {
  await using held = await Held.by('run');
  const late = held.ask('backup', { snapshot: true });
  await until('the order is taken', async () => held.clock.timers === 2);
  held.clock.advance(60_000);
  expect(await failureOf(late.answer)).toMatchObject({
    code: 'locked',
    message: 'the daemon has not started within 60 s',
  });
  const stopped = held.ask('repack');
  await until('the order is taken', async () => held.clock.timers === 2);
  held.stop.abort();
  expect(await failureOf(stopped.answer)).toMatchObject({ code: 'interrupted' });
  expect(held.clock.timers).toBe(0);
});

test('an order that waits for a drill, or for the cycle of somebody else, is told so; one that is carried out is not', async () => {
  await using held = await Held.by('run');
  const { endDrill, endCycle } = held.rehearse();
  held.start();
  await until('the drill runs', async () => held.running.drills?.facts.runningSinceMs !== undefined);
  held.clock.advance(5000);
  const first = held.ask('snapshot');
  await until('its cycle waits for the drill', async () => held.running.cycles?.running !== undefined);
  const { timers } = held.clock;
  const second = held.ask('snapshot');
  await until('the second waits', async () => held.clock.timers > timers);
  held.clock.advance(2000);
  await until('both are told', async () => first.told.length + second.told.length === 2);
  const drill = { type: 'order-waits', for: 'drill', since: epoch };
  expect(first.told).toEqual([drill]);

  endDrill();
  await until('the cycle runs', async () => held.running.drills?.facts.runningSinceMs === undefined);
  held.clock.advance(2000);
  await until('it is told', async () => second.told.length === 2);
  const cycle = { type: 'order-waits', for: 'cycle', since: new Date(1_005_000).toISOString() };
  expect(second.told).toEqual([drill, cycle]);
  endCycle();
  expect(await failureOf(first.answer)).toMatchObject({ code: 'no-space' });
  expect(await failureOf(second.answer)).toMatchObject({ code: 'no-space' });
  expect(first.told).toEqual([drill]);
});

test.each([
  ['run', 'snapshot', /has no repository/, /give its configuration one/],
  ['run', 'repack', /has no repository/, /give its configuration one/],
  ['backup', 'backup', /varve backup, which takes no order to backup/, /wait until it has ended/],
  ['snapshot', 'backup', /varve snapshot, which takes no order to backup/, /wait until it has ended/],
] as const)(
  'a varve %s that never runs cycles refuses an order to %s',
  async (holder, order, message, hint) => {
    await using held = await Held.by(holder);
    held.start();
    expect(await failureOf(held.ask(order, { snapshot: true }).answer)).toMatchObject({
      code: 'locked',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  },
);

test('a command whose order waits says what for, programs get it as a line', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-orders-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => rm(folder, { recursive: true }));
  const waits: OrderWaits = { type: 'order-waits', for: 'drill', since: '2026-11-21T12:03:10.000Z' };
  stack.use(
    await LocalFolder.open(systemHost, folder, {
      instance: 'main',
      async serve(_, reply) {
        reply({ event: waits });
        reply({ error: { code: 'no-space', message: 'the target is full' } });
      },
    }),
  );
  const env = {
    VARVE_KAFKA_BROKERS: '127.0.0.1:1',
    VARVE_LOCAL_DIR: folder,
    VARVE_REPOSITORY_DIR: '/nowhere',
    VARVE_REPOSITORY_KEY_FILE: '/nowhere/key',
  };
  for (const command of ['backup', 'snapshot']) {
    const shown = await varveHere([command], { cwd: folder, changes: { env } });
    expect(shown.stderr).toMatch(
      /^waiting for the daemon: a drill is running, since 2026-11-21T12:03:10.000Z\n/,
    );
    const { status, stdout } = await varveHere([command, '--json'], { cwd: folder, changes: { env } });
    expect(status).toBe(14);
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toEqual({
      schema: `varve.${command}/1`,
      type: 'waiting',
      for: 'drill',
      since: waits.since,
    });
  }
});
