// For `node --import`: puts the mutant that `PAWL_MUTANT` names in the place of what it replaces.
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { mutantPlugin } from "./plugin.ts";

const { PAWL_MUTANT } = process.env;
if (PAWL_MUTANT !== undefined) {
  const { transform } = mutantPlugin(PAWL_MUTANT);
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.startsWith("file:") || loaded.source === undefined) return loaded;
      const source = transform(String(loaded.source), fileURLToPath(url));
      return source === undefined ? loaded : { ...loaded, source };
    },
  });
}
