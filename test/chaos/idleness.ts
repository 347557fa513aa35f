/** A storm that hit nothing, or in which nothing was done, must not pass for a good one. */
import type { Verdict } from "./chaos.ts";
import type { Violation } from "./safety.ts";

/** With fewer completed runs than one in so many milliseconds of storm, nothing was tested. */
const MS_TO_A_COMPLETED_RUN = 2_000;
/** What was asked for less often may have met a worker that was away each time. */
const FEW_REQUESTS = 20;

/** What was missing in a storm of `ms` milliseconds. */
export function idleness({ faults, ends, outcomes, safetyChecks }: Verdict, ms: number): Violation[] {
  const wrong = (detail: string) => ({ promise: "the chaos was one", runId: null, detail });
  const never = [...faults].filter(([, times]) => times === 0).map(([name]) => wrong(`never: ${name}`));
  const completed = ends
    .filter(({ status }) => status === "completed")
    .reduce((sum, { count }) => sum + count, 0);
  const least = Math.ceil(ms / MS_TO_A_COMPLETED_RUN);
  const few = completed < least ? [wrong(`${completed} completed runs, not ${least}`)] : [];
  const failed = [...outcomes]
    .filter(([, { ok, refused, unknown }]) => ok === 0 && refused + unknown >= FEW_REQUESTS)
    .map(([kind]) => wrong(`never went well: ${kind}`));
  const unchecked = safetyChecks === 0 ? [wrong("nothing was checked meanwhile")] : [];
  return [...never, ...few, ...failed, ...unchecked];
}
