import { defineConfig } from 'vitest/config';

/**
 * Three projects: `unit` runs files side by side; `integration` starts real Kafka, Redis and
 * ffmpeg, so its files run one after another: two brokers and a model on two cores would only time
 * out. `python` tests the programs that make bundles; run.ts runs it beside the others.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'test/unit/**/*.test.ts',
            'test/contract/**/*.test.ts',
            'test/simulation/**/*.test.ts',
            'test/tidy.test.ts',
          ],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/integration/global-setup.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      { test: { name: 'python', include: ['test/python/**/*.test.ts'], fileParallelism: false } },
    ],
  },
});
