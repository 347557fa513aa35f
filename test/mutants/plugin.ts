import { resolve } from "node:path";
import { MUTANTS } from "./mutants.ts";

/** For Vite: puts the mutant in the place of what it replaces. Throws for one that fits nowhere any more. */
export function mutantPlugin(name: string) {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (mutant === undefined) throw new Error(`there is no mutant ${name}`);
  const file = resolve(mutant.file);
  return {
    name: "mutant",
    enforce: "pre" as const,
    transform(code: string, id: string) {
      if (id !== file) return undefined;
      return code.replace(mutant.find, () => mutant.replace);
    },
  };
}
