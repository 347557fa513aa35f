/** Once for all tests: a Postgres, a migrated database to copy, and the gateway before it. */

import pg from "pg";
import type { TestProject } from "vitest/node";
import { startGateway } from "../../scripts/gateway.ts";
import { type MigrateOptions, migrate } from "../../scripts/migrate.ts";
import { throwawayPostgres } from "./postgres.ts";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
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
  project.provide("postgresUrl", postgresUrl);
  project.provide("template", template);
  project.provide("gateway", gateway.host);
  return () => gateway.stop();
}

declare module "vitest" {
  interface ProvidedContext {
    postgresUrl: string;
    template: string;
    gateway: string;
  }
}
