import type { KafkaPorts } from './settings.ts';

/** Ends when the time is over, or as soon as one of the signals says that nobody waits any more. */
export async function pause(
  { after }: Pick<KafkaPorts, 'after'>,
  { delayMs, signals }: { delayMs: number; signals: readonly AbortSignal[] },
): Promise<void> {
  const stop = AbortSignal.any([...signals]);
  if (stop.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = after(delayMs, resolve);
  stop.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  timer.cancel();
}
