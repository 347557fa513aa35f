import { mergeConfig } from "vitest/config";
import config from "../../vitest.config.ts";

/** For tests on a database whose migrations are not what they should be. */
const mutated = mergeConfig(config, {});
mutated.test = { ...mutated.test, globalSetup: ["test/mutants/migrations-setup.ts"] };

export default mutated;
