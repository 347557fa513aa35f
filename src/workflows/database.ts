// Your own tables, on the same Postgres that keeps the runs.
import { env } from "cloudflare:workers";
import { neon, neonConfig } from "@neondatabase/serverless";

/** The tag for a SQL statement; `${…}` becomes a bound parameter. */
export function sql() {
  const { DATABASE_URL, NEON_LOCAL } = env as { DATABASE_URL?: string; NEON_LOCAL?: string };
  if (!DATABASE_URL) throw new Error("DATABASE_URL is not set.");
  // `npm run dev` puts a gateway with Neon's protocol before a local Postgres.
  if (NEON_LOCAL) neonConfig.fetchEndpoint = () => `http://${NEON_LOCAL}/sql`;
  return neon(DATABASE_URL);
}
