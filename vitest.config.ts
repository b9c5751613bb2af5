import { defineConfig } from 'vitest/config';

/** unit: pure and fast. field: several nodes on one machine. vm: whole machines in QEMU, each step with its deadline. long: soaks. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000 } },
      { test: { name: 'field', include: ['test/field/**/*.test.ts'], testTimeout: 300_000, maxWorkers: 2 } },
      // Not part of `make test`: `vitest run --project long`.
      { test: { name: 'long', include: ['test/long/**/*.test.ts'], fileParallelism: false } },
      {
        test: {
          name: 'vm',
          include: ['test/vm/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
