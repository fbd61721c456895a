import { messageOf, VarveError } from '../errors.ts';
import { pause, type Host } from '../host/host.ts';
import type { CycleFacts, LastCycle } from '../observe/observe.ts';
import { dueState, nextDue, settledAt, type Timetable } from '../schedule/schedule.ts';
import type { CycleReport, CyclesEvent, Trigger } from '../snapshot/snapshot.ts';
import type { Ping } from './ping.ts';
import { nothingAccepted, type Accepted } from './snapshots.ts';

/** What earlier cycles left behind of themselves. */
export interface CycleRecord {
  /** When this installation first had a cycle, or now. */
  readonly sinceMs: number;
  readonly lastAttemptMs: number | undefined;
  readonly lastSuccessMs: number | undefined;
  /** Whether the last attempt did. */
  readonly isPublished: boolean;
  /** Of the newest snapshot it knows of. */
  readonly newestSeq?: number | undefined;
}

const nothingKnown = {
  tookMs: undefined,
  newBytes: undefined,
  linkedBytes: undefined,
  verified: undefined,
  phasesMs: {},
};

export interface CyclesOptions {
  readonly host: Host;
  readonly timetable: Timetable;
  readonly onStart: boolean;
  readonly record: CycleRecord;
  readonly take: (accept: Accepted) => Promise<CycleReport>;
  readonly emit: (event: CyclesEvent) => void;
  /** Resolves when what must not run beside a cycle has ended. */
  readonly clear?: (() => Promise<void>) | undefined;
  /** Told when a cycle begins, and how it ended. */
  readonly ping?: Ping | undefined;
  /** Called before the first cycle and after each, while none runs. */
  readonly look?: (() => Promise<void>) | undefined;
  readonly signal: AbortSignal;
}

interface Wanted {
  accept: Accepted;
  /** Called once it has its turn. */
  readonly begun: (() => void)[];
  readonly done: Promise<CycleReport>;
  readonly settle: (outcome: Promise<CycleReport>) => void;
}

/** The clock may jump, and a machine may sleep: the schedule is looked at this often whatever a timer says. */
const lookEveryMs = 20_000;

/**
 * When cycles run: at their times, once for all times that were missed, and on demand; never two at once.
 *
 * A cycle that is asked for while one runs comes after it, since what runs may have made its cut already; those that
 * wait together share one.
 */
export class Cycles {
  readonly #o: CyclesOptions;
  #lastAttemptMs: number | undefined;
  #lastSuccessMs: number | undefined;
  #sinceMs: number;
  /** Scheduled times up to here are dealt with. */
  #settledMs: number;
  #running: { readonly sinceMs: number } | undefined;
  #last: CycleFacts['lastSuccess'];
  #target: 'unknown' | 'up' | 'down' = 'unknown';
  #targetFreeBytes: number | undefined;
  #isPublished: boolean;
  #newestSeq: number | undefined;
  #isLooking = false;
  #wanted: Wanted | undefined;
  #wake: (() => void) | undefined;

  constructor(options: CyclesOptions) {
    this.#o = options;
    this.#lastAttemptMs = options.record.lastAttemptMs;
    this.#lastSuccessMs = options.record.lastSuccessMs;
    this.#isPublished = options.record.isPublished;
    this.#newestSeq = options.record.newestSeq;
    const { sinceMs, lastAttemptMs = sinceMs, lastSuccessMs = sinceMs } = options.record;
    this.#sinceMs = sinceMs;
    this.#settledMs = Math.max(lastAttemptMs, lastSuccessMs);
  }

  get facts(): Omit<CycleFacts, 'target' | 'stuckSinceMs'> & { readonly target: 'unknown' | 'up' | 'down' } {
    const atMs = this.#lastAttemptMs;
    const lastMs = this.#lastSuccessMs;
    const known: LastCycle | undefined =
      lastMs === undefined ? undefined : { ...nothingKnown, ...this.#last, atMs: lastMs };
    return {
      runningSinceMs: this.#running?.sinceMs,
      ...this.#scheduled(),
      newestSeq: this.#newestSeq,
      lastAttempt: atMs === undefined ? undefined : { atMs, isPublished: this.#isPublished },
      lastSuccess: known,
      target: this.#target,
      targetFreeBytes: this.#targetFreeBytes,
    };
  }

  get running(): { readonly sinceMs: number } | undefined {
    return this.#running;
  }

  /** One runs, or begins as soon as nothing else holds it up, or the repository is being looked at. */
  get isAhead(): boolean {
    return (
      this.#isLooking ||
      this.#running !== undefined ||
      this.#wanted !== undefined ||
      this.#missed() !== undefined
    );
  }

  get nextMs(): number | undefined {
    return nextDue(this.#o.timetable, this.#o.host.clock.nowMs());
  }

  /** Runs until the signal is aborted. */
  async follow(): Promise<void> {
    const { host, signal, onStart } = this.#o;
    await this.#look();
    if (onStart) await this.#attempt('start', nothingAccepted).catch(() => undefined); // told as an event
    let lookedMs = onStart ? undefined : this.#lastAttemptMs;
    while (!signal.aborted) {
      if (lookedMs !== this.#lastAttemptMs) {
        lookedMs = this.#lastAttemptMs;
        await this.#look();
      }
      const wanted = this.#wanted;
      const missedMs = this.#missed();
      if (wanted !== undefined) {
        this.#wanted = undefined;
        const begun = (): void => wanted.begun.forEach((tell) => tell());
        const outcome = this.#attempt('order', wanted.accept, { begun });
        wanted.settle(outcome);
        await outcome.catch(() => undefined); // told to whoever asked
      } else if (missedMs !== undefined) {
        await this.#attempt('schedule', nothingAccepted, { missedMs }).catch(() => undefined); // told as an event
      } else {
        const woken = new AbortController();
        this.#wake = () => woken.abort();
        await pause(host.clock, this.#untilNextMs(), AbortSignal.any([signal, woken.signal]));
      }
    }
    this.#wanted?.settle(Promise.reject(stopping()));
    await this.#o.ping?.settled();
  }

  /** The target has room for one at a time. */
  async #look(): Promise<void> {
    const { look, clear } = this.#o;
    if (look === undefined) return;
    this.#isLooking = true;
    try {
      await clear?.();
      await look();
    } finally {
      this.#isLooking = false;
    }
  }

  /** A cycle that begins from now on. */
  async request(accept: Accepted, begun: () => void = () => undefined): Promise<CycleReport> {
    if (this.#o.signal.aborted) throw stopping();
    if (this.#wanted === undefined) {
      const { promise, resolve, reject } = Promise.withResolvers<CycleReport>();
      const settle = (outcome: Promise<CycleReport>): void => {
        outcome.then(resolve, reject);
      };
      this.#wanted = { accept, begun: [begun], done: promise, settle };
    } else {
      const { accept: known } = this.#wanted;
      this.#wanted.accept = {
        rollback: known.rollback || accept.rollback,
        cluster: known.cluster || accept.cluster,
        shrink: known.shrink || accept.shrink,
        clock: known.clock || accept.clock,
      };
      this.#wanted.begun.push(begun);
    }
    this.#wake?.();
    return await this.#wanted.done;
  }

  async #attempt(
    trigger: Trigger,
    accept: Accepted,
    { missedMs, begun }: { missedMs?: number; begun?: () => void } = {},
  ): Promise<CycleReport> {
    const { host, take, emit, ping, clear } = this.#o;
    const sinceMs = host.clock.nowMs();
    this.#running = { sinceMs };
    this.#lastAttemptMs = sinceMs;
    this.#settledMs = sinceMs;
    await clear?.();
    begun?.();
    emit({ type: 'cycle-began', trigger, ...(missedMs === undefined ? {} : { missedMs }) });
    ping?.tell('start');
    try {
      const report = await take(accept);
      this.#lastSuccessMs = sinceMs;
      this.#isPublished = true;
      this.#target = 'up';
      this.#targetFreeBytes = report.targetFreeBytes;
      this.#newestSeq = report.seq;
      const { tookMs, newBytes, linkedBytes, verified, phasesMs } = report;
      this.#last = { atMs: sinceMs, tookMs, newBytes, linkedBytes, verified, phasesMs };
      const { durable: _, ...told } = report;
      emit({ type: 'cycle-ended', report: told });
      ping?.tell('success');
      return report;
    } catch (error) {
      const code = error instanceof VarveError ? error.code : 'failed';
      const hint = error instanceof VarveError ? error.hint : undefined;
      this.#isPublished = false;
      if (['target-unusable', 'no-space', 'no-repository'].includes(code)) this.#target = 'down';
      emit({ type: 'cycle-failed', code, message: messageOf(error), hint });
      if (code !== 'interrupted') ping?.tell('fail'); // a daemon that was told to stop has not failed
      throw error;
    } finally {
      this.#running = undefined;
    }
  }

  #scheduled(): Pick<CycleFacts, 'nextMs' | 'intervalMs' | 'overdueSinceMs'> {
    const { timetable, host } = this.#o;
    const lastSuccessMs = this.#lastSuccessMs;
    const { nextMs, overdueMs } = dueState(timetable, {
      nowMs: host.clock.nowMs(),
      sinceMs: this.#sinceMs,
      ...(lastSuccessMs === undefined ? {} : { lastSuccessMs }),
    });
    const afterMs = nextMs === undefined ? undefined : nextDue(timetable, nextMs);
    const intervalMs = nextMs === undefined || afterMs === undefined ? undefined : afterMs - nextMs;
    return { nextMs, intervalMs, overdueSinceMs: overdueMs };
  }

  /** A scheduled time that has passed without an attempt. */
  #missed(): number | undefined {
    const nowMs = this.#o.host.clock.nowMs();
    const settledMs = settledAt(this.#settledMs, nowMs);
    if (settledMs !== this.#settledMs) {
      // What was noted in the future would not be overdue before that comes.
      this.#settledMs = settledMs;
      this.#sinceMs = Math.min(this.#sinceMs, nowMs);
      if (this.#lastSuccessMs !== undefined) this.#lastSuccessMs = Math.min(this.#lastSuccessMs, nowMs);
    }
    return dueState(this.#o.timetable, { nowMs, sinceMs: this.#settledMs }).missedMs;
  }

  #untilNextMs(): number {
    const next = this.nextMs;
    if (next === undefined) return lookEveryMs;
    return Math.min(lookEveryMs, Math.max(1, next - this.#o.host.clock.nowMs()));
  }
}

function stopping(): VarveError {
  return new VarveError('interrupted', 'the daemon is stopping: no cycle was begun', {
    hint: 'run the command again once the daemon runs',
  });
}
