/**
 * `npm run deploy`: migrations first, for the new code needs them and the old code bears them, then the
 * worker with its dashboard. What follows `--` goes to `wrangler deploy`.
 */
import { migrate } from "./migrate.ts";
import { runCommand } from "./support/command.ts";
import { buildDashboard } from "./support/dashboard.ts";
import { readDatabaseUrl } from "./support/database.ts";
import { runWrangler } from "./support/wrangler.ts";

await runCommand(async () => {
  const url = readDatabaseUrl();
  if (url === undefined) {
    throw new Error(
      "set DATABASE_URL to the production database: DATABASE_URL=postgres://… npm run deploy applies the migrations before it deploys",
    );
  }
  await buildDashboard();
  const names = await migrate(url);
  console.log(names.length === 0 ? "no migration to apply" : `applied ${names.join(", ")}`);
  await runWrangler(["deploy", ...process.argv.slice(2)]);
});
