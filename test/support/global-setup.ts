/** Once for all tests: a Postgres, a migrated database to copy, and the gateway before it. */

import pg from "pg";
import type { TestProject } from "vitest/node";
import { startGateway } from "../../scripts/gateway.ts";
import { migrate } from "../../scripts/migrate.ts";
import { throwawayPostgres } from "./postgres.ts";

export const TEMPLATE = "pawl_template";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { postgres, remove } = await throwawayPostgres();
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(`create database ${TEMPLATE}`);
  await client.end();
  const template = new URL(postgres.url);
  template.pathname = `/${TEMPLATE}`;
  await migrate(template.href);
  const gateway = await startGateway();
  project.provide("postgresUrl", postgres.url);
  project.provide("gateway", gateway.host);
  return async () => {
    await gateway.stop();
    await remove();
  };
}

declare module "vitest" {
  interface ProvidedContext {
    postgresUrl: string;
    gateway: string;
  }
}
