/**
 * Replays runs in workerd: workflows may import what only that has, and come to rest there as they will when they are
 * deployed. The worker has no bindings, and nothing gets out of it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare, Response } from "miniflare";
import type { RunStatus } from "../../src/engine/run.ts";
import { bundleWorker } from "../support/bundle.ts";
import { project } from "../support/wrangler.ts";
import type { LiveRun } from "./live-runs.ts";

/** A run that the code cannot go on with, and why. */
export interface CheckedRun {
  readonly tenant: string;
  readonly runId: string;
  readonly workflow: string;
  readonly version: number;
  readonly status: RunStatus;
  readonly code: string;
  readonly message: string;
}

/** What the code of a workflow calls outside a step. Each is found once, however many runs come to it. */
export interface CheckedCall {
  readonly workflow: string;
  readonly version: number;
  readonly call: string;
  readonly remedy: string;
  readonly message: string;
}

export interface Findings {
  /** Those of the runs that would not go on. */
  readonly diverging: readonly CheckedRun[];
  readonly calls: readonly CheckedCall[];
}

export interface Checker {
  check(runs: readonly LiveRun[]): Promise<Findings>;
  stop(): Promise<void>;
}

/** Code that loops without end must not hold the command for ever. */
const PATIENCE_MS = 120_000;

/** `workflows` is the file that exports them. */
export async function startChecker(workflows: string): Promise<Checker> {
  const contents = await bundle(workflows);
  const mf = new Miniflare(
    convertV4MiniflareOptions({
      name: "pawl-check",
      modules: [{ type: "ESModule", path: "check.mjs", contents }],
      compatibilityDate: compatibilityDate(),
      compatibilityFlags: ["nodejs_compat"],
      outboundService: () => new Response("A check calls nobody.", { status: 503 }),
      handleStructuredLogs: () => {},
    } as never),
  );
  await mf.ready.catch(async (error: unknown) => {
    await mf.dispose().catch(() => {});
    throw error;
  });
  return {
    async check(runs) {
      const answer = await mf.dispatchFetch("http://pawl.check/", {
        method: "POST",
        body: JSON.stringify(runs),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (answer.status === 200) return (await answer.json()) as Findings;
      throw new Error(`the workflows cannot be loaded or replayed: ${await answer.text()}`);
    },
    stop: () => mf.dispose(),
  };
}

function bundle(workflows: string): Promise<string> {
  const entry = `
    import { createChecker } from ${JSON.stringify(join(import.meta.dirname, "worker.ts"))};
    import { workflows } from ${JSON.stringify(workflows)};
    export default createChecker(workflows);`;
  return bundleWorker({ contents: entry, resolveDir: project });
}

/** The workflows run as they will when they are deployed. */
function compatibilityDate(): string {
  const [, date] =
    /^compatibility_date = "([\d-]+)"$/m.exec(readFileSync(join(project, "wrangler.toml"), "utf8")) ?? [];
  if (date === undefined) throw new Error("wrangler.toml names no compatibility_date");
  return date;
}
