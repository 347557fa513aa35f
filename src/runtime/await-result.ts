import { RunNotFound } from "../engine/refusals.ts";
import { isFinal, type RunDetail, type RunRef } from "../engine/run.ts";
import type { Runtime } from "./runtime.ts";

const FIRST_POLL_MS = 25;
const SLOWEST_POLL_MS = 1_000;

/** The run as soon as it is over, or as it is after `waitMs`. Throws `RunNotFound`. */
export async function awaitResult(runtime: Runtime, ref: RunRef, waitMs: number): Promise<RunDetail> {
  const { reads, clock } = runtime;
  const until = clock.now() + waitMs;
  for (let poll = FIRST_POLL_MS; ; poll = Math.min(poll * 2, SLOWEST_POLL_MS)) {
    const run = await reads.run(ref);
    if (run === null) throw new RunNotFound(ref.runId);
    const left = until - clock.now();
    if (isFinal(run.status) || left <= 0) return run;
    await clock.sleep(Math.min(poll, left));
  }
}
