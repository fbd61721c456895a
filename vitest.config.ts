import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const report = process.env['VITEST_REPORT'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/soak/**'],
    // Limits for what hangs: a machine that has much to do may be slow, and that alone fails nothing.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000 } },
    // More than the two cores of a small machine: a test with a broker waits for much of its time.
    maxWorkers: 3,
    // What a test starts compiles nothing that another has compiled; the program itself sees to the same.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') },
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
