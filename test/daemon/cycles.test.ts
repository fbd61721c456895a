import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Cycles, type CycleRecord } from '../../src/daemon/cycles.ts';
import type { Accepted } from '../../src/daemon/snapshots.ts';
import { VarveError } from '../../src/errors.ts';
import { systemHost } from '../../src/host/host.ts';
import type { CycleReport, CyclesEvent } from '../../src/snapshot/snapshot.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const nightly = { schedule: '0 2 * * *', timezone: 'UTC' };
const nothing: Accepted = { rollback: false, cluster: false, shrink: false, clock: false };

const report: CycleReport = {
  id: '20261121T020000Z-0001',
  seq: 1,
  repository: 'r',
  takenMs: 0,
  tookMs: 250,
  phasesMs: {},
  partitions: 0,
  segments: 0,
  rawBytes: 0,
  newBytes: 0,
  newPacks: 0,
  linkedBytes: 0,
  linkedPacks: 0,
  copiedBytes: 0,
  copiedPacks: 0,
  expired: [],
  held: [],
  vanishedTopics: [],
  damaged: [],
  warnings: [],
  freedSegments: 0,
  freedBytes: 0,
  settingsAgeMs: null,
  verified: true,
  targetFreeBytes: 5,
  durable: [],
  finding: null,
};

interface Run {
  readonly atMs: number;
  readonly accept: Accepted;
  readonly publish: () => void;
  readonly fail: (error: Error) => void;
}

/** Cycles whose clock, and whose work, the test moves by hand. */
class Driven implements AsyncDisposable {
  readonly runs: Run[] = [];
  readonly events: CyclesEvent[] = [];
  readonly cycles: Cycles;
  #nowMs: number;
  #timers: { atMs: number; readonly run: () => void }[] = [];
  #busy = 0;
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;

  constructor(o: {
    now: string;
    record?: Partial<CycleRecord>;
    timetable?: { schedule: string; timezone: string };
    onStart?: boolean;
  }) {
    this.#nowMs = Date.parse(o.now);
    const clock = {
      nowMs: () => this.#nowMs,
      after: (delayMs: number, run: () => void) => {
        const timer = { atMs: this.#nowMs + delayMs, run };
        this.#timers.push(timer);
        return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
      },
    };
    this.cycles = new Cycles({
      host: { ...systemHost, clock },
      timetable: o.timetable ?? nightly,
      onStart: o.onStart ?? false,
      record: {
        sinceMs: this.#nowMs,
        lastAttemptMs: undefined,
        lastSuccessMs: undefined,
        isPublished: false,
        ...o.record,
      },
      take: async (accept) => this.#take(accept),
      emit: (event) => this.events.push(event),
      signal: this.#stop.signal,
    });
    this.#following = this.cycles.follow();
  }

  get began(): string[] {
    return this.runs.map(({ atMs }) => new Date(atMs).toISOString());
  }

  /** Until it waits for its clock or for a cycle. */
  async settled(): Promise<void> {
    await turn();
    while (this.#timers.length + this.#busy === 0) await turn();
  }

  /** Lets the time pass, by the hour and timer by timer before a scheduled time; every cycle that begins publishes at once. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.settled();
    while (this.#nowMs < untilMs) {
      const ahead = (this.cycles.nextMs ?? untilMs) - 30_000;
      const timer = Math.min(...this.#timers.map(({ atMs }) => atMs));
      this.#nowMs = Math.min(untilMs, Math.max(timer, Math.min(this.#nowMs + hourMs, ahead)));
      await this.#ring();
      this.runs.at(-1)?.publish();
      await this.settled();
    }
  }

  /** Sets the clock: a step forwards or back, after which the timers run out as they would have. */
  async step(ms: number): Promise<void> {
    await this.settled();
    this.#nowMs += ms;
    for (const timer of this.#timers) timer.atMs = this.#nowMs;
    await this.#ring();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.runs.at(-1)?.publish();
    await this.#following;
  }

  async #ring(): Promise<void> {
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
    for (const { run } of due) run();
    await this.settled();
  }

  async #take(accept: Accepted): Promise<CycleReport> {
    expect(this.#busy, 'cycles that run').toBe(0);
    const { promise, resolve, reject } = Promise.withResolvers<CycleReport>();
    this.runs.push({ atMs: this.#nowMs, accept, publish: () => resolve(report), fail: reject });
    this.#busy += 1;
    try {
      return await promise;
    } finally {
      this.#busy -= 1;
    }
  }
}

test('cycles begin at their times, each once', async () => {
  await using at = new Driven({ now: '2026-11-21T00:00:00Z' });
  await at.pass(3 * dayMs);

  expect(at.began).toEqual([
    '2026-11-21T02:00:00.000Z',
    '2026-11-22T02:00:00.000Z',
    '2026-11-23T02:00:00.000Z',
  ]);
});

test('a time that summer time skips or repeats begins one cycle', async () => {
  const timetable = { schedule: '30 2 * * *', timezone: 'Europe/Berlin' };
  await using spring = new Driven({ now: '2026-03-28T12:00:00Z', timetable });
  await spring.pass(dayMs);
  await using autumn = new Driven({ now: '2026-10-24T12:00:00Z', timetable });
  await autumn.pass(dayMs);

  expect(spring.began).toEqual(['2026-03-29T01:00:00.000Z']);
  expect(autumn.began).toEqual(['2026-10-25T00:30:00.000Z']);
});

test('however many times were missed, one cycle catches up, and tells since when', async () => {
  const lastMs = Date.parse('2026-11-10T02:00:00Z');
  await using at = new Driven({
    now: '2026-11-21T12:00:00Z',
    record: { sinceMs: 0, lastAttemptMs: lastMs, lastSuccessMs: lastMs, isPublished: true },
  });
  await at.pass(hourMs);

  expect(at.began).toEqual(['2026-11-21T12:00:00.000Z']);
  expect(at.events[0]).toEqual({ type: 'cycle-began', trigger: 'schedule', missedMs: lastMs + dayMs });
});

test('nothing was due before the first start; a cycle on start is its own', async () => {
  await using first = new Driven({ now: '2026-11-21T12:00:00Z' });
  await first.pass(hourMs);
  await using onStart = new Driven({ now: '2026-11-21T12:00:00Z', onStart: true });
  await onStart.settled();

  expect(first.began).toEqual([]);
  expect(onStart.events).toEqual([{ type: 'cycle-began', trigger: 'start' }]);
});

test('a time that comes while a cycle runs waits for its end', async () => {
  await using at = new Driven({ now: '2026-11-21T01:59:59Z' });
  await at.step(1000);
  await at.step(dayMs);
  expect(at.began).toEqual(['2026-11-21T02:00:00.000Z']);

  at.runs[0]?.publish();
  await at.settled();
  expect(at.began).toEqual(['2026-11-21T02:00:00.000Z', '2026-11-22T02:00:00.000Z']);
});

test('what is asked for during a cycle comes after it, as one cycle that accepts what any of them did', async () => {
  await using at = new Driven({ now: '2026-11-21T12:00:00Z' });
  const first = at.cycles.request(nothing);
  await at.settled();
  const second = at.cycles.request({ ...nothing, shrink: true });
  const third = at.cycles.request({ ...nothing, rollback: true });
  expect(at.runs).toHaveLength(1);

  at.runs[0]?.publish();
  await first;
  await at.settled();
  expect(at.runs.map(({ accept }) => accept)).toEqual([
    nothing,
    { rollback: true, cluster: false, shrink: true, clock: false },
  ]);

  at.runs[1]?.publish();
  expect(await Promise.all([second, third])).toEqual([report, report]);
});

test('a failed cycle is told, and comes again at the next time or on demand, not before', async () => {
  await using at = new Driven({ now: '2026-11-21T01:59:59Z' });
  await at.step(1000);
  at.runs[0]?.fail(new VarveError('target-unusable', 'the target is away', { hint: 'mount it' }));
  await at.settled();
  expect(at.events.at(-1)).toMatchObject({ type: 'cycle-failed', code: 'target-unusable', hint: 'mount it' });
  expect(at.cycles.facts).toMatchObject({ target: 'down', lastAttempt: { isPublished: false } });

  await at.pass(hourMs);
  expect(at.runs).toHaveLength(1);
  const asked = at.cycles.request(nothing);
  await at.settled();
  at.runs[1]?.publish();
  await asked;
  expect(at.cycles.facts).toMatchObject({ target: 'up', lastAttempt: { isPublished: true } });
  await at.pass(dayMs);
  expect(at.began.at(-1)).toBe('2026-11-22T02:00:00.000Z');
});

test('whoever asked for a cycle is told why it failed', async () => {
  await using at = new Driven({ now: '2026-11-21T12:00:00Z' });
  const asked = at.cycles.request(nothing);
  const refused = expect(asked).rejects.toThrow('the target is full');
  await at.settled();
  at.runs[0]?.fail(new VarveError('no-space', 'the target is full', { hint: 'make room' }));

  await refused;
});

test('a clock that was ahead for a while stops no later cycle', async () => {
  await using at = new Driven({ now: '2026-11-21T12:00:00Z' });
  await at.step(365 * dayMs);
  at.runs[0]?.publish();
  await at.settled();
  await at.step(-365 * dayMs);
  await at.pass(dayMs);

  expect(at.began).toEqual(['2027-11-21T12:00:00.000Z', '2026-11-22T02:00:00.000Z']);
});

test('a record of the future, from a clock that was ahead, stops no cycle after a restart', async () => {
  const aheadMs = Date.parse('2027-11-21T02:00:00Z');
  await using at = new Driven({
    now: '2026-11-21T12:00:00Z',
    record: { sinceMs: 0, lastAttemptMs: aheadMs, lastSuccessMs: aheadMs, isPublished: true },
  });
  await at.pass(dayMs);

  expect(at.began).toEqual(['2026-11-22T02:00:00.000Z']);
});

test('a clock set back by seconds runs no time twice', async () => {
  await using at = new Driven({ now: '2026-11-21T01:59:59Z' });
  await at.step(1000);
  at.runs[0]?.publish();
  await at.settled();
  await at.step(-30_000);
  await at.pass(hourMs);

  expect(at.began).toEqual(['2026-11-21T02:00:00.000Z']);
});

test.for([
  { step: 'back by a minute', byMs: -60_000, began: ['2026-11-22T02:00', '2026-11-23T02:00'] },
  { step: 'back by 50 minutes', byMs: -50 * 60_000, began: ['2026-11-22T02:00'] },
  { step: 'back by a day', byMs: -dayMs, began: ['2026-11-21T02:00', '2026-11-22T02:00'] },
  { step: 'back by a year', byMs: -365 * dayMs, began: ['2025-11-22T02:00', '2025-11-23T02:00'] },
  {
    step: 'forward by a day',
    byMs: dayMs,
    began: ['2026-11-22T02:10', '2026-11-23T02:00', '2026-11-24T02:00'],
  },
  {
    step: 'forward by a year',
    byMs: 365 * dayMs,
    began: ['2027-11-21T02:10', '2027-11-22T02:00', '2027-11-23T02:00'],
  },
])(
  'with the clock set $step behind a cycle, no time is run twice, and none left out',
  async ({ byMs, began }) => {
    await using at = new Driven({ now: '2026-11-21T01:59:59Z' });
    await at.step(1000);
    at.runs[0]?.publish();
    await at.pass(10 * 60_000);
    await at.step(byMs);
    at.runs.at(-1)?.publish();
    await at.pass(2 * dayMs);

    expect(at.began.slice(1).map((time) => time.slice(0, 16))).toEqual(began);
  },
);

test('after a clock that was a year ahead, cycles that fail are overdue as ever', async () => {
  const aheadMs = Date.parse('2027-11-21T02:00:00Z');
  await using at = new Driven({
    now: '2026-11-21T12:00:00Z',
    record: { sinceMs: aheadMs, lastAttemptMs: aheadMs, lastSuccessMs: aheadMs, isPublished: true },
  });
  await at.step(14 * hourMs);
  at.runs[0]?.fail(new VarveError('target-unusable', 'the target is away'));
  await at.step(3 * hourMs);

  expect(at.cycles.facts).toMatchObject({ overdueSinceMs: Date.parse('2026-11-22T02:00:00Z') });
});

test('a daemon that stops begins no cycle, and tells whoever waits for one', async () => {
  const at = new Driven({ now: '2026-11-21T12:00:00Z' });
  const running = at.cycles.request(nothing);
  await at.settled();
  const waiting = expect(at.cycles.request(nothing)).rejects.toMatchObject({ code: 'interrupted' });
  const stopped = at.stop();
  at.runs[0]?.publish();
  await Promise.all([running, stopped, waiting]);

  expect(at.runs).toHaveLength(1);
  await expect(at.cycles.request(nothing)).rejects.toMatchObject({ code: 'interrupted' });
});

test('while the repository is looked at, no drill begins: the target has room for one child at a time', async () => {
  const stop = new AbortController();
  const looked = Promise.withResolvers<void>();
  const cycles = new Cycles({
    host: systemHost,
    timetable: nightly,
    onStart: false,
    record: { sinceMs: Date.now(), lastAttemptMs: undefined, lastSuccessMs: undefined, isPublished: false },
    take: async () => report,
    emit: () => undefined,
    look: async () => looked.promise,
    signal: stop.signal,
  });
  const following = cycles.follow();
  expect(cycles.isAhead).toBe(true);
  looked.resolve();
  await turn();
  expect(cycles.isAhead).toBe(false);
  stop.abort();
  await following;
});
