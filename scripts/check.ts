/**
 * `npm run check:runs`: before a deployment, replays every live run against the workflows of this checkout, and lists
 * those that would not go on with them. Warns of what their code calls outside its steps and every replay calls again.
 * Performs no step and writes nothing.
 *
 *   DATABASE_URL=… npm run check:runs [-- --workflows src/workflows/index.ts] [--database-url …] [--json]
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Findings, startChecker } from "./check/checker.ts";
import { readLiveRuns } from "./check/live-runs.ts";
import { runCommand } from "./support/command.ts";
import { connect, readDatabaseUrl } from "./support/database.ts";

export interface CheckReport extends Findings {
  /** How many live runs were replayed. */
  readonly checked: number;
}

export async function checkRuns(databaseUrl: string, workflows: string): Promise<CheckReport> {
  if (!existsSync(workflows)) throw new Error(`there is no file ${workflows}: name it with --workflows`);
  const checker = await startChecker(workflows);
  try {
    const client = await connect(databaseUrl);
    try {
      const found: Findings[] = [];
      let checked = 0;
      for await (const page of readLiveRuns(client)) {
        found.push(await checker.check(page));
        checked += page.length;
      }
      const diverging = found.flatMap((findings) => findings.diverging);
      return { checked, diverging, calls: found.flatMap(({ calls }) => calls) };
    } finally {
      await client.end();
    }
  } finally {
    await checker.stop();
  }
}

function tell({ checked, diverging, calls }: CheckReport): string {
  const lines = diverging.map(({ tenant, runId, workflow, version, status, message }) => {
    const whose = tenant === "default" ? "" : ` of tenant "${tenant}"`;
    return `${runId}${whose}, "${workflow}" version ${version}, ${status}:\n  ${message}`;
  });
  const sum =
    diverging.length === 0
      ? `all ${checked} live runs go on with this code`
      : `${diverging.length} of ${checked} live runs would not go on with this code`;
  return [...lines, ...calls.map(({ message }) => `warning: ${message}`), sum].join("\n");
}

if (import.meta.main) {
  await runCommand(async () => {
    const { values } = parseArgs({
      options: {
        workflows: { type: "string", default: "src/workflows/index.ts" },
        "database-url": { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    const url = values["database-url"] ?? readDatabaseUrl();
    if (url === undefined) {
      throw new Error("set DATABASE_URL to the database that holds the runs, or name it with --database-url");
    }
    const report = await checkRuns(url, resolve(values.workflows));
    console.log(values.json ? JSON.stringify(report) : tell(report));
    if (report.diverging.length > 0) process.exitCode = 1;
  });
}
