import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { mutantPlugin } from "./test/mutants/plugin.ts";

const { PAWL_MUTANT } = process.env;

/** Files that take minutes, the longest first: begun last, each would be waited for alone. */
const LONG = ["mutants/mutants", "dev/dev", "model/agreement", "mutants/migrations"];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = LONG.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return index === -1 ? LONG.length : index;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  plugins: PAWL_MUTANT === undefined ? [] : [mutantPlugin(PAWL_MUTANT)],
  test: {
    // Its key knows files, and not what a mutant makes of them.
    fsModuleCache: PAWL_MUTANT === undefined,
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./test/support/closing-line.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    // Tests wait more than they compute; without this, two cores run one file at a time.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Starting Postgres and workerd is slow on a small machine; no test waits for time to pass.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
