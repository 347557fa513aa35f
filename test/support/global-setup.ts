/**
 * Once for all tests: a Postgres, a migrated database to copy, and the gateway before it. Tests that run tests lend them
 * theirs, as JSON in `PAWL_TEST_BED`.
 */

import pg from "pg";
import type { TestProject } from "vitest/node";
import { startGateway } from "../../scripts/gateway.ts";
import { type MigrateOptions, migrate } from "../../scripts/migrate.ts";
import { throwawayPostgres } from "./postgres.ts";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { PAWL_TEST_BED: lent } = process.env;
  if (lent !== undefined) {
    provide(project, JSON.parse(lent));
    return async () => {};
  }
  const { postgres, remove } = await throwawayPostgres();
  const stop = await provideDatabases(project, postgres.url, "pawl_template");
  return async () => {
    await stop();
    await remove();
  };
}

/** Gives tests what they inject: copies of a database of that name, which is made here and migrated. */
export async function provideDatabases(
  project: TestProject,
  postgresUrl: string,
  template: string,
  migrations: MigrateOptions = {},
): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  await client.query(`create database ${template}`);
  await client.end();
  const url = new URL(postgresUrl);
  url.pathname = `/${template}`;
  await migrate(url.href, migrations);
  const gateway = await startGateway();
  provide(project, { postgresUrl, template, gateway: gateway.host });
  return () => gateway.stop();
}

function provide(project: TestProject, { postgresUrl, template, gateway }: TestBed): void {
  project.provide("postgresUrl", postgresUrl);
  project.provide("template", template);
  project.provide("gateway", gateway);
}

interface TestBed {
  readonly postgresUrl: string;
  readonly template: string;
  readonly gateway: string;
}

declare module "vitest" {
  interface ProvidedContext extends TestBed {}
}
