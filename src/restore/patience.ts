import { VarveError } from '../errors.ts';
import { pause, steadyMs, type Clock } from '../host/host.ts';

const patienceMs = 60_000;
const againAfterMs = 250;

/** Does again what passes by itself, for a while: a fresh cluster makes its coordinators only when they are asked for. */
export async function patiently<T>(
  act: () => Promise<T>,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<T> {
  const untilMs = steadyMs(clock) + patienceMs;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const mayPass = error instanceof VarveError && error.retryable && steadyMs(clock) < untilMs;
      if (!mayPass || signal.aborted) throw error;
    }
    await pause(clock, againAfterMs, signal);
  }
}

const lagMsMax = 5000;

/** A broker that lags behind tells of what was: an answer that is not the expected one is asked for again, for a while. */
export async function surely<T>(
  ask: () => Promise<T>,
  isExpected: (answer: T) => boolean,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<T> {
  const untilMs = steadyMs(clock) + lagMsMax;
  for (;;) {
    const answer = await ask();
    if (isExpected(answer) || steadyMs(clock) > untilMs || signal.aborted) return answer;
    await pause(clock, againAfterMs, signal);
  }
}
