import { defineConfig } from 'vitest/config';

/** unit: pure and fast. field: several nodes on one machine. vm: whole machines in QEMU, each step with its deadline. long: what takes too long for these. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // By itself vitest leaves one processor out, of two.
          maxWorkers: '100%',
        },
      },
      { test: { name: 'field', include: ['test/field/**/*.test.ts'], testTimeout: 600_000, maxWorkers: 2 } },
      // Not part of `make test`, but `make test-long`: crowds, soaks, and systems that are put together first. One file at a time.
      {
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 1_200_000,
          hookTimeout: 1_200_000,
        },
      },
      {
        test: {
          name: 'vm',
          include: ['test/vm/**/*.test.ts'],
          testTimeout: 1_200_000,
          hookTimeout: 1_200_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
