import { defineConfig } from 'vitest/config';

const patient = { testTimeout: 180_000, hookTimeout: 180_000 };
const oneByOne = { fileParallelism: false, ...patient };

/**
 * Four projects: `unit` runs files side by side; `integration` uses real Kafka, Redis and ffmpeg,
 * so its files run one after another: a model in each of them on two cores would only time out.
 * `servers` are those that need none of the shared servers: most start, cut off and kill servers of
 * their own, and mostly wait for them; `python` tests the programs that make bundles. run.ts says
 * which run beside one another.
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
          // They run beside the others, and give way to them.
          ...patient,
          // A process for all files: with one for each a third of the time went into imports.
          isolate: false,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/*.test.ts'],
          globalSetup: ['test/integration/global-setup.ts'],
          ...oneByOne,
        },
      },
      {
        test: {
          name: 'servers',
          include: ['test/integration/servers/*.test.ts'],
          ...oneByOne,
        },
      },
      { test: { name: 'python', include: ['test/python/**/*.test.ts'], fileParallelism: false } },
    ],
  },
});
