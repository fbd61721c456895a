import type { Clock } from '../../src/host/host.ts';

/** Whoever waits for a time is there at once. */
export class LeapingClock implements Clock {
  now = 1_000_000;

  nowMs(): number {
    return this.now;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const at = this.now + delayMs;
    const handle = setImmediate(() => {
      this.now = Math.max(this.now, at);
      run();
    });
    return { cancel: () => clearImmediate(handle) };
  }
}
