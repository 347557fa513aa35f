import { migrate } from "../../scripts/migrate.ts";
import type { RunningPostgres } from "../../scripts/postgres.ts";
import { openDatabase, type TestDatabase } from "./database.ts";
import { throwawayPostgres } from "./postgres.ts";
import { eventually } from "./waiting.ts";

/** A Postgres of one's own with a migrated database, which a test may stop, kill and restart. */
export interface Cluster {
  readonly postgres: RunningPostgres;
  readonly database: TestDatabase;
  /** kill -9 of the postmaster and every backend: nothing is written any more, and nobody is told. */
  kill(): void;
}

export async function createCluster(gateway?: string): Promise<Cluster> {
  const { postgres, remove } = await throwawayPostgres();
  await migrate(postgres.url);
  return {
    postgres,
    database: openDatabase(postgres.url, remove, gateway),
    kill() {
      if (postgres.pid === undefined) throw new Error("Postgres does not run");
      process.kill(postgres.pid, "SIGKILL");
    },
  };
}

/** Resolves once Postgres answers again. */
export async function answersAgain(database: TestDatabase): Promise<void> {
  await eventually("Postgres answers", async () => (await database.rows("select 1")).length === 1);
}
