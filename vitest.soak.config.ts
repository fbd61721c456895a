import { defineConfig } from 'vitest/config';

/** What takes too long for every change: `npm run soak`. */
export default defineConfig({
  test: {
    include: ['test/soak/**/*.test.ts'],
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    expect: { poll: { timeout: 120_000 } },
    maxWorkers: 1,
  },
});
