import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PostgresOptions, type RunningPostgres, startPostgres } from "../../scripts/postgres.ts";

export interface ThrowawayPostgres {
  readonly postgres: RunningPostgres;
  remove(): Promise<void>;
}

/** A cluster of its own in a temporary folder, for tests that stop, kill or restart Postgres. */
export async function throwawayPostgres(options: PostgresOptions = {}): Promise<ThrowawayPostgres> {
  const folder = throwawayFolder();
  const postgres = await startPostgres({ dataDir: join(folder, "postgres"), durable: false, ...options });
  return {
    postgres,
    async remove() {
      await postgres.stop("immediate");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As root, Postgres runs under another account, which must be able to enter the folder. */
export function throwawayFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "pawl-"));
  chmodSync(folder, 0o755);
  return folder;
}
