import { messageOf, VarveError } from '../errors.ts';
import type { DrillReport } from '../drill/drill.ts';
import { pause, type Host } from '../host/host.ts';
import type { DrillEvent, DrillFacts } from '../observe/observe.ts';
import { dueState, nextDue, settledAt, type Timetable } from '../schedule/schedule.ts';

export interface DrillsOptions {
  readonly host: Host;
  readonly timetable: Timetable;
  /** Scheduled times up to here are dealt with. */
  readonly settledMs: number;
  readonly drill: (signal: AbortSignal) => Promise<DrillReport>;
  /** Whether a cycle runs, or is due or asked for: it goes first. */
  readonly isCycleAhead: () => boolean;
  readonly emit: (event: DrillEvent) => void;
  readonly signal: AbortSignal;
}

/** As with cycles: whatever a timer says. */
const lookEveryMs = 20_000;
/** So long a cycle that comes due waits for a drill to end. Then the drill is stopped, and begun anew behind the cycle. */
const cycleWaitsMs = 600_000;

/** When drills run: at their times, once for all times that were missed; never beside a cycle, and never two at once. */
export class Drills {
  readonly #o: DrillsOptions;
  #settledMs: number;
  #running:
    | { readonly sinceMs: number; readonly ended: Promise<void>; readonly stop: AbortController }
    | undefined;

  constructor(options: DrillsOptions) {
    this.#o = options;
    this.#settledMs = options.settledMs;
  }

  get facts(): Pick<DrillFacts, 'runningSinceMs' | 'nextMs'> {
    const { timetable, host } = this.#o;
    return { runningSinceMs: this.#running?.sinceMs, nextMs: nextDue(timetable, host.clock.nowMs()) };
  }

  /** Runs until the signal is aborted. */
  async follow(): Promise<void> {
    const { host, timetable, signal, isCycleAhead } = this.#o;
    while (!signal.aborted) {
      const nowMs = host.clock.nowMs();
      this.#settledMs = settledAt(this.#settledMs, nowMs);
      const { missedMs, nextMs } = dueState(timetable, { nowMs, sinceMs: this.#settledMs });
      if (missedMs !== undefined && !isCycleAhead()) await this.#attempt(missedMs);
      else await pause(host.clock, Math.min(lookEveryMs, Math.max(1, (nextMs ?? Infinity) - nowMs)), signal);
    }
  }

  /** Resolves when no drill runs: a cycle may begin. */
  async yielded(): Promise<void> {
    if (this.#running === undefined) return;
    const { ended, stop } = this.#running;
    const timer = this.#o.host.clock.after(cycleWaitsMs, () => stop.abort());
    await ended;
    timer.cancel();
  }

  async #attempt(dueMs: number): Promise<void> {
    const { host, signal } = this.#o;
    const stop = new AbortController();
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const sinceMs = host.clock.nowMs();
    this.#running = { sinceMs, ended, stop };
    try {
      await this.#drill(dueMs, AbortSignal.any([signal, stop.signal]));
      if (!stop.signal.aborted) this.#settledMs = sinceMs;
    } finally {
      this.#running = undefined;
      resolve();
    }
  }

  async #drill(dueMs: number, signal: AbortSignal): Promise<void> {
    const { drill, emit } = this.#o;
    emit({ type: 'drill-began', dueMs });
    try {
      const { snapshot, passed, problem, topics, records, bytes, tookMs } = await drill(signal);
      const code = problem?.code ?? null;
      const told = { snapshot, passed, code, message: problem?.message ?? null, hint: problem?.hint ?? null };
      emit({ type: 'drill-ended', ...told, topics: topics.length, records, bytes, tookMs });
    } catch (error) {
      const isOurs = error instanceof VarveError;
      const hint = isOurs ? error.hint : undefined;
      emit({ type: 'drill-failed', code: isOurs ? error.code : 'failed', message: messageOf(error), hint });
    }
  }
}
