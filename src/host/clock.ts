/** Time as a port, so that a test can move it. */
export interface Clock {
  /** Wall clock, in milliseconds since 1970-01-01T00:00:00Z. */
  nowMs(): number;
  /** Time for waiting, which goes on evenly however the wall clock is set; from any moment. Absent: the wall clock's. */
  steadyMs?(): number;
  /** Runs a function once after a delay; the timer keeps no process alive by itself unless somebody awaits it. */
  after(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  steadyMs: () => performance.now(),
  after(delayMs, run) {
    const timeout = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** For what lasts, as against when it was: never to be shown as a date, or compared with one. */
export function steadyMs(clock: Pick<Clock, 'nowMs' | 'steadyMs'>): number {
  return clock.steadyMs?.() ?? clock.nowMs();
}

/** Resolves after the delay, or at once when the signal is aborted: the caller looks at the signal itself. */
export async function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = clock.after(delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
    function finish(): void {
      timer.cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    }
  });
}
