import { defineConfig } from "vitest/config";
import { mutantPlugin } from "./test/mutants/plugin.ts";

const { PAWL_MUTANT } = process.env;

export default defineConfig({
  plugins: PAWL_MUTANT === undefined ? [] : [mutantPlugin(PAWL_MUTANT)],
  test: {
    // Its key knows files, and not what a mutant makes of them.
    fsModuleCache: PAWL_MUTANT === undefined,
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./test/support/closing-line.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    // Tests wait more than they compute; without this, two cores run one file at a time.
    maxWorkers: 2,
    // Starting Postgres and workerd is slow on a small machine; no test waits for time to pass.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
