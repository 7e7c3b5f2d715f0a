import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["client/test/**/*.test.ts", "demo/test/**/*.test.ts"],
    testTimeout: 60_000,
    // Two cores are shared with whatever else runs.
    maxWorkers: 2,
  },
});
