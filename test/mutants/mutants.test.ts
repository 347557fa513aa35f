/** Each mutant must be caught: what breaks an invariant must break a test. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, inject, test } from "vitest";
import { MUTANTS } from "./mutants.ts";

const SEEDS = 3_000;
const PATIENCE_MS = 300_000;

interface End {
  readonly code: number;
  readonly said: string;
}

/** Runs a program of the project with a mutant switched on; tests, on the Postgres of these. */
function withMutant(name: string, args: readonly string[]): Promise<End> {
  const bed = {
    postgresUrl: inject("postgresUrl"),
    template: inject("template"),
    gateway: inject("gateway"),
  };
  const env = { ...process.env, PAWL_MUTANT: name, PAWL_TEST_BED: JSON.stringify(bed), NO_COLOR: "1" };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr });
    });
  });
}

test.each(MUTANTS)("$name stands in its file, once", ({ file, find }) => {
  expect(readFileSync(file, "utf8").split(find)).toHaveLength(2);
});

test("every invariant has a mutant", () => {
  const invariants = Array.from({ length: 12 }, (_, i) => `I${i + 1}`);
  expect([...new Set(MUTANTS.map(({ invariant }) => invariant))].sort()).toEqual(invariants.sort());
});

describe("tests catch", () => {
  test.each(MUTANTS.filter(({ caughtBy }) => caughtBy.length > 0))(
    "$name: $breaks ($invariant)",
    async ({ name, caughtBy, named = "" }) => {
      const { said } = await withMutant(name, [
        "node_modules/vitest/vitest.mjs",
        "run",
        "--bail=1",
        ...caughtBy,
        "-t",
        named,
      ]);
      expect(said).toMatch(/^\d+ passed, [1-9]\d* failed/m);
    },
    PATIENCE_MS,
  );
});

describe("the simulation catches", () => {
  test.each(MUTANTS.filter(({ simulated }) => simulated))(
    "$name: $breaks ($invariant)",
    async ({ name }) => {
      const args = ["--import", "./test/mutants/hook.ts", "test/simulation/run.ts"];
      const { code, said } = await withMutant(name, [...args, "--seeds", String(SEEDS), "--from", "1"]);
      expect(said).toMatch(/^seed \d+: /m);
      expect(code).toBe(1);
    },
    PATIENCE_MS,
  );
});
