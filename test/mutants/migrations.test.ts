/** A database that lacks what the code relies on must break the tests that promise it. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { fileOf, MIGRATION_MUTANTS, type MigrationMutant } from "./migrations.ts";

const PATIENCE_MS = 300_000;

/** As the reporter `json` writes it. */
interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** The named tests on a database that was made with the mutant: their names, and what became of them. */
async function withMutant(mutant: MigrationMutant): Promise<(readonly [string, string])[]> {
  const folder = mkdtempSync(join(tmpdir(), "pawl-"));
  try {
    const said = await runTests(mutant, join(folder, "report.json"));
    const report = readFileSync(join(folder, "report.json"), "utf8");
    const { testResults } = JSON.parse(report) as Report;
    const results = testResults.flatMap(({ assertionResults }) => assertionResults);
    const tried = results.filter(({ status }) => status === "passed" || status === "failed");
    if (tried.length === 0) throw new Error(said);
    return tried.map(({ fullName, status }) => [fullName, status]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the tests said; on the Postgres of these tests, in a database of their own. */
function runTests({ name, file, caughtBy }: MigrationMutant, report: string): Promise<string> {
  const env = {
    ...process.env,
    NO_COLOR: "1",
    PAWL_MIGRATION_MUTANT: name,
    PAWL_TEST_POSTGRES: inject("postgresUrl"),
  };
  const pattern = caughtBy.map((one) => one.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
  const options = [
    "--config",
    "test/mutants/migrations.config.ts",
    "--reporter",
    "json",
    "--outputFile",
    report,
  ];
  const args = ["node_modules/vitest/vitest.mjs", "run", ...options, file, "-t", pattern];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, maxBuffer: 2 ** 26 }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}

test.each(MIGRATION_MUTANTS)("$name stands in its migration, once", (mutant) => {
  expect(readFileSync(join("migrations", fileOf(mutant)), "utf8").split(mutant.find)).toHaveLength(2);
});

describe("tests catch", () => {
  test.each(MIGRATION_MUTANTS)(
    "$name: $breaks",
    async (mutant) => {
      const tried = await withMutant(mutant);
      for (const name of mutant.caughtBy) {
        const its = tried.filter(([fullName]) => fullName.includes(name));
        expect([name, its]).toEqual([name, its.map(([fullName]) => [fullName, "failed"])]);
        expect([name, its.length]).not.toEqual([name, 0]);
      }
    },
    PATIENCE_MS,
  );
});
