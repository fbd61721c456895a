import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Drills } from '../../src/daemon/drills.ts';
import type { DrillReport } from '../../src/drill/drill.ts';
import { VarveError } from '../../src/errors.ts';
import { systemHost } from '../../src/host/host.ts';

const minuteMs = 60_000;
const sunday = Date.parse('2026-11-22T04:00:00Z');

const report: DrillReport = {
  id: 'd',
  snapshot: 's',
  takenMs: 0,
  atMs: 0,
  kind: 'restore',
  passed: true,
  problem: null,
  isWhole: true,
  topics: [],
  leftOut: [],
  records: 0,
  bytes: 0,
  notes: [],
  left: [],
  isNoted: true,
  tookMs: 1,
};

/** Drills every Sunday at four, whose clock and whose work the test moves by hand. */
class Driven implements AsyncDisposable {
  readonly began: string[] = [];
  readonly events: string[] = [];
  readonly drills: Drills;
  isCycleAhead = false;
  end: () => void = () => undefined;
  #nowMs: number;
  #timers: { atMs: number; readonly run: () => void }[] = [];
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;

  constructor(o: { nowMs: number; settledMs: number }) {
    this.#nowMs = o.nowMs;
    const clock = {
      nowMs: () => this.#nowMs,
      after: (delayMs: number, run: () => void) => {
        const timer = { atMs: this.#nowMs + delayMs, run };
        this.#timers.push(timer);
        return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
      },
    };
    this.drills = new Drills({
      host: { ...systemHost, clock },
      timetable: { schedule: '0 4 * * 0', timezone: 'UTC' },
      settledMs: o.settledMs,
      drill: async (signal) => this.#drill(signal),
      isCycleAhead: () => this.isCycleAhead,
      emit: ({ type }) => this.events.push(type),
      signal: this.#stop.signal,
    });
    this.#following = this.drills.follow();
  }

  async to(ms: number): Promise<void> {
    this.#nowMs = ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= ms);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > ms);
    for (const { run } of due) run();
    for (let times = 0; times < 5; times += 1) await turn();
  }

  async #drill(signal: AbortSignal): Promise<DrillReport> {
    this.began.push(new Date(this.#nowMs).toISOString());
    return new Promise((resolve, reject) => {
      this.end = () => resolve(report);
      signal.addEventListener('abort', () => reject(new VarveError('interrupted', 'stopped')));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }
}

test('a drill begins at its time, once, and is told', async () => {
  await using it = new Driven({ nowMs: sunday - minuteMs, settledMs: sunday - minuteMs });
  await it.to(sunday - 1);
  expect(it.began).toEqual([]);
  await it.to(sunday + minuteMs);
  await it.to(sunday + 2 * minuteMs);
  expect(it.began).toEqual(['2026-11-22T04:01:00.000Z']);
  it.end();
  await it.to(sunday + 60 * minuteMs);
  expect(it.began).toHaveLength(1);
  expect(it.events).toEqual(['drill-began', 'drill-ended']);
});

test('times that were missed are one drill, and a cycle that is ahead goes first', async () => {
  await using it = new Driven({ nowMs: sunday + minuteMs, settledMs: sunday - 30 * 24 * 60 * minuteMs });
  expect(it.began).toHaveLength(1);
  it.end();
  it.isCycleAhead = true;
  await it.to(sunday + 7 * 24 * 60 * minuteMs + minuteMs);
  expect(it.began).toHaveLength(1);
  it.isCycleAhead = false;
  await it.to(sunday + 7 * 24 * 60 * minuteMs + 2 * minuteMs);
  expect(it.began).toHaveLength(2);
});

test('a cycle waits for a drill, for ten minutes at most; a drill that was stopped for it is begun anew', async () => {
  await using it = new Driven({ nowMs: sunday + minuteMs, settledMs: sunday - minuteMs });
  expect(it.began).toHaveLength(1);
  let isClear = false;
  it.isCycleAhead = true;
  const waiting = it.drills.yielded().then(() => (isClear = true));
  await it.to(sunday + 10 * minuteMs);
  expect(isClear).toBe(false);
  await it.to(sunday + 11 * minuteMs);
  await waiting;
  expect(it.events).toEqual(['drill-began', 'drill-failed']);
  await it.to(sunday + 12 * minuteMs);
  expect(it.began).toHaveLength(1);
  it.isCycleAhead = false;
  await it.to(sunday + 13 * minuteMs);
  expect(it.began).toHaveLength(2);
});

test('a drill noted in the future, by a clock that was ahead, holds up none that is due', async () => {
  await using it = new Driven({ nowMs: sunday - minuteMs, settledMs: sunday + 365 * 24 * 60 * minuteMs });
  expect(it.began).toEqual([]);
  await it.to(sunday + minuteMs);
  expect(it.began).toEqual(['2026-11-22T04:01:00.000Z']);
});
