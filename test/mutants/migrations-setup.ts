/**
 * As for all tests, but that one migration is not what it should be: the one that `PAWL_MIGRATION_MUTANT` names. The
 * Postgres is that of whoever asks, `PAWL_TEST_POSTGRES`.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { provideDatabases } from "../support/global-setup.ts";
import { throwawayFolder } from "../support/postgres.ts";
import { fileOf, MIGRATION_MUTANTS, type MigrationMutant } from "./migrations.ts";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { PAWL_MIGRATION_MUTANT: name, PAWL_TEST_POSTGRES: postgresUrl } = process.env;
  const mutant = MIGRATION_MUTANTS.find((one) => one.name === name);
  if (mutant === undefined || postgresUrl === undefined) throw new Error(`there is no mutant ${name}`);
  const folder = mutatedMigrations(mutant);
  try {
    const template = `mutant_${mutant.name.replaceAll("-", "_")}`;
    return await provideDatabases(project, postgresUrl, template, { folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function mutatedMigrations(mutant: MigrationMutant): string {
  const folder = throwawayFolder();
  cpSync("migrations", folder, { recursive: true });
  const file = join(folder, fileOf(mutant));
  writeFileSync(
    file,
    readFileSync(file, "utf8").replace(mutant.find, () => mutant.replace),
  );
  return folder;
}
