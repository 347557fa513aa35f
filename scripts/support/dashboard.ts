import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { project } from "./wrangler.ts";

/** Builds the dashboard's files: for a deployment into `dashboard/dist`, for a test into a folder of its own. */
export async function buildDashboard(outDir = join(project, "dashboard/dist")): Promise<void> {
  const script = join(project, "node_modules/vite/bin/vite.js");
  const config = join(project, "dashboard/vite.config.ts");
  const child = spawn(
    process.execPath,
    [script, "build", "--config", config, "--outDir", outDir, "--emptyOutDir", "--logLevel", "warn"],
    // React is another one where this says that tests are running.
    { cwd: join(project, "dashboard"), stdio: "inherit", env: { ...process.env, NODE_ENV: "production" } },
  );
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`the dashboard could not be built (exit code ${code})`);
}
