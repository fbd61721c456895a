import { expect, test } from 'vitest';
import { Retention } from '../../src/daemon/retention.ts';
import { VarveError } from '../../src/errors.ts';
import { MovedClock } from '../sink/opened.ts';

function answer(
  topic: string,
  configs: Record<string, string>,
): { topic: string; configs: { name: string; value: string }[] } {
  return { topic, configs: Object.entries(configs).map(([name, value]) => ({ name, value })) };
}

test('topics that delete by time are known with it; those that keep or compact are not', async () => {
  const stop = new AbortController();
  const asked: string[][] = [];
  const retention = new Retention(
    {
      effectiveConfigs: async (names) => {
        asked.push([...names]);
        stop.abort();
        return [
          answer('week', { 'retention.ms': '604800000', 'cleanup.policy': 'delete' }),
          answer('both', { 'retention.ms': '1000', 'cleanup.policy': 'compact, delete' }),
          answer('ever', { 'retention.ms': '-1', 'cleanup.policy': 'delete' }),
          answer('table', { 'retention.ms': '604800000', 'cleanup.policy': 'compact' }),
          answer('denied', {}),
        ];
      },
    },
    { clock: new MovedClock(), topics: () => ['week', 'both', 'ever', 'table', 'denied'] },
  );
  await retention.follow(stop.signal);

  expect([...retention.keptMs]).toEqual([
    ['week', 604_800_000],
    ['both', 1_000],
  ]);
  expect(asked).toHaveLength(1);
});

test('new topics are asked for soon, all again after a while; what is known outlives a cluster that is away', async () => {
  const stop = new AbortController();
  const moved = new MovedClock();
  const topics = ['a'];
  let isAway = false;
  const asked: string[][] = [];
  let onAsked: (() => void) | undefined;
  const retention = new Retention(
    {
      effectiveConfigs: async (names) => {
        asked.push([...names]);
        onAsked?.();
        if (isAway) throw new VarveError('kafka-unreachable', 'away');
        return names.map((name) => answer(name, { 'retention.ms': '5', 'cleanup.policy': 'delete' }));
      },
    },
    { clock: moved, topics: () => topics },
  );
  const following = retention.follow(stop.signal);
  const nextAsk = async (byMs: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    onAsked = resolve;
    await new Promise(setImmediate); // until it waits for the clock
    moved.move(byMs);
    await promise;
  };
  topics.push('b');
  await nextAsk(30_001);
  isAway = true;
  await nextAsk(15 * 60_000 + 1);
  stop.abort();
  await following;

  expect(asked).toEqual([['a'], ['b'], ['a', 'b']]);
  expect([...retention.keptMs.keys()]).toEqual(['a', 'b']);
});
