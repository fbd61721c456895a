import { expect, test } from 'vitest';
import { Simulation } from './simulation.ts';

/** `SEED=4711 npx vitest run test/local/simulation.test.ts` repeats one run. */
const given = process.env['SEED'];
const seeds = given === undefined ? Array.from({ length: 400 }, (_, index) => index + 1) : [Number(given)];

test('whatever the disk, the power and the cluster do: what sync promised is there, once, byte for byte', async () => {
  for (const seed of seeds) {
    const simulation = new Simulation(seed);
    try {
      await simulation.run(60);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}\n${simulation.history.slice(-25).join('\n')}`, {
        cause: error,
      });
    }
  }
  expect(seeds.length).toBeGreaterThan(0);
});
