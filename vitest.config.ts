import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./test/support/closing-line.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    // Starting Postgres and workerd is slow on a small machine; no test waits for time to pass.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
